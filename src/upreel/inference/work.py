"""The folder beside an output where its finished segments wait, with their ledger and a lock."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from upreel.core.files import Pending, PendingFile, failed
from upreel.core.lock import Lock
from upreel.errors import MediaError, OutputError
from upreel.inference.ledger import NAME, Done, Ledger, changes, read_ledger
from upreel.inference.pins import Pins
from upreel.video.packets import checksum_of
from upreel.video.target import image_names, image_target

log = logging.getLogger(__name__)

_LOCK = "lock"
_SEGMENT = "{:06d}.packets"
_OURS = (NAME, "*.packets", ".*.partial*")  # what may be removed
_NAMED_CHANGES = 3


def folder_of(target: Path) -> Path:
    """Where the work for an output lies: `.NAME.upreel` beside it, or in a folder of images."""
    kind = image_target(target)
    if kind in {"folder", "pattern"}:
        target, _ = image_names(target, kind)
    target = target.absolute()
    name = f".{target.name[:200]}.upreel"
    beside = target.with_name(name)
    # Inside a folder that exists: what is above it may belong to somebody else.
    return target / name if target.is_dir() and not beside.is_dir() else beside


def is_result(target: Path) -> bool:
    """Whether an output is complete, and only its work was not removed any more."""
    ledger = read_ledger(folder_of(target))
    if ledger is None or ledger.result is None:
        return False
    try:
        return ledger.result == _stamp(None if target.is_dir() else target)
    except OSError:
        return False


def remove_work(target: Path) -> None:
    """Remove what an earlier run has left of an output, if there is anything.

    Raises:
        OutputError: another process works on this output.
    """
    if folder_of(target).is_dir():
        with Work(target) as work:
            work.remove()


class Work(Pending):
    """What is done of one output; one process at a time has it.

    Use it as a context manager. Leaving it keeps the finished segments, if there are any and
    `remove` was not called.

    Attributes:
        ledger: what is done; there is one after `begin`.
        path: the folder.
    """

    ledger: Ledger

    def __init__(self, target: Path) -> None:
        """Take the folder of an output, or make it.

        Raises:
            OutputError: another process works on this output, or the place cannot be written to.
        """
        self.target = target
        self.path = folder_of(target)
        self._lock = Lock(self.path / _LOCK)
        self._finished = 0
        try:
            self.path.mkdir(exist_ok=True)
            free = self._lock.acquire()
        except OSError as error:
            raise failed(target, error) from error
        if not free:
            raise OutputError(
                f"Another upreel is writing {target}. Wait for it, stop it, or name another file."
            )
        self.begun.add(self)

    def begin(self, job: dict[str, str], pins: Callable[[], Pins]) -> bool:
        """Go on where the same job was left, or start over, and say so where work is lost.

        Args:
            job: see `describe_job`.
            pins: chooses what is pinned, where nothing is yet.

        Returns:
            Whether it is the same job as before.

        Raises:
            OutputError: the ledger cannot be written.
        """
        found = read_ledger(self.path)
        if found is None and (self.path / NAME).exists():
            log.warning(
                "Starting over: what is kept of an earlier run in %s cannot be read.", self.path
            )
        if found is not None and found.segments and (changed := changes(found.job, job)):
            more = f" and {len(changed) - _NAMED_CHANGES} more things"
            log.warning(
                "Starting over: %s%s changed since %d frames of %s were finished.",
                ", ".join(changed[:_NAMED_CHANGES]), more if len(changed) > _NAMED_CHANGES else "",
                found.frames, self.target,
            )  # fmt: skip
        same = found is not None and found.job == job
        if found is None or not same:
            found = Ledger(job=job, pins=pins())
        self._write(found.model_copy(update={"segments": self._sound(found), "result": None}))
        kept = {self.segment(number).name for number in range(len(self.ledger.segments))}
        self._remove_all_but({NAME, *kept})
        if self.ledger.segments:
            log.warning(
                "Going on with %s: %d frames are finished already.",
                self.target, self.ledger.frames,
            )  # fmt: skip
        return same

    def _sound(self, ledger: Ledger) -> tuple[Done, ...]:
        """The segments up to the first whose file is not as it was written."""
        for number, done in enumerate(ledger.segments):
            try:
                sound = checksum_of(self.segment(number)) == done.checksum
            except MediaError:
                sound = False
            if not sound:
                log.warning(
                    "Segment %d of %s is damaged; it is made again, with those after it.",
                    number + 1, self.target,
                )  # fmt: skip
                return ledger.segments[:number]
        return ledger.segments

    def _write(self, ledger: Ledger) -> None:
        ledger.write(self.path)
        self.ledger = ledger
        self._finished = ledger.frames

    def segment(self, number: int) -> Path:
        """The file of a segment."""
        return self.path / _SEGMENT.format(number)

    def pending_segment(self, number: int) -> PendingFile:
        """A file that becomes that of a segment.

        Raises:
            OutputError: it cannot be written.
        """
        return PendingFile(self.segment(number), overwrite=True)

    def add(self, done: Done) -> None:
        """Count the next segment, whose file is there, as finished.

        Raises:
            OutputError: the ledger cannot be written.
        """
        self._write(self.ledger.model_copy(update={"segments": (*self.ledger.segments, done)}))

    def pin_tile(self, tile: int | None) -> None:
        """Remember the tiles that frames are cut into, with the next segment that is finished."""
        pins = self.ledger.pins.model_copy(update={"tile": tile})
        self.ledger = self.ledger.model_copy(update={"pins": pins})

    def announce(self, result: Path | None) -> None:
        """Say which file is about to become the result; `None`: images.

        Raises:
            OutputError: the ledger cannot be written.
        """
        self._write(self.ledger.model_copy(update={"result": _stamp(result)}))

    def remove(self) -> None:
        """Remove everything: the output is finished, or is not wanted any more."""
        self._finished = 0
        self.discard()

    def discard(self) -> None:
        """Remove everything, unless there are finished segments."""
        if self._finished:
            self.kept[self.target] = self._finished
            return
        self._remove_all_but(set())
        with suppress(OSError):  # it holds files of others
            (self.path / _LOCK).unlink()
            self.path.rmdir()

    def _remove_all_but(self, kept: set[str]) -> None:
        for pattern in _OURS:
            for file in self.path.glob(pattern):
                if file.is_dir():
                    shutil.rmtree(file, ignore_errors=True)
                elif file.name not in kept:
                    file.unlink(missing_ok=True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep or remove, and let others have it."""
        super().__exit__(kind, error, trace)
        self._lock.release()


def _stamp(path: Path | None) -> tuple[int, int, int]:
    if path is None:
        return 0, 0, 0
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
