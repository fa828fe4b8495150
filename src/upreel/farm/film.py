"""One video on the farm: where its segments begin, which are done, and how they are joined."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path, PurePosixPath

import av

from upreel.core.files import failed
from upreel.errors import DamagedError, MediaError, OutputError, UsageError
from upreel.farm.orders import GoneError, Made, Order, SharedFile, Store
from upreel.farm.storage import Mirror
from upreel.inference.assembly import Assembly
from upreel.inference.interpolation import Tally
from upreel.inference.job import (
    FieldOfWeights,
    files_of_weights,
    find_geometry,
    first_frame,
    no_frame,
    open_source,
    plan_job,
    unlearned,
)
from upreel.inference.join import can_be_joined, first_of, open_assembly
from upreel.inference.ledger import NAME as LEDGER
from upreel.inference.ledger import describe_job
from upreel.inference.options import HARMLESS, Options
from upreel.inference.pins import Pins
from upreel.inference.plan import Plan, Start, find_starts
from upreel.inference.sources import Sources
from upreel.inference.work import Work, folder_of
from upreel.video.frame import Frame
from upreel.video.writer import check_target

log = logging.getLogger(__name__)

Share = Callable[[Mapping[FieldOfWeights, Path]], Mapping[FieldOfWeights, SharedFile]]
"""Puts files of weights where all workers find them."""


class Film:
    """A video that is being made; it holds the lock of its output until it is closed.

    Attributes:
        source: path or address, as it was named.
        target: the result; where results are elsewhere, its place here until it is complete.
        shown: the result in messages.
        expected: frames of the result, as far as the file says.
        before: frames that were finished when this began.
        tally: what the frames of this run are, where new ones are made.
    """

    def __init__(
        self,
        source: str,
        local: str,
        target: Path,
        options: Options,
        pins: Pins,
        share: Share,
        *,
        mirror: Mirror | None = None,
        name: PurePosixPath,
    ) -> None:
        """Open the source, and go on where an earlier run was left.

        Args:
            source: path or address, as it was named.
            local: its path here.
            target: the result.
            options: of the user.
            pins: what the workers have chosen, for work that begins.
            share: see `Share`.
            mirror: the folder of results, where that is elsewhere.
            name: of the result in that folder.

        Raises:
            UpreelError: as `upscale`.
        """
        self.source, self.target = source, target
        self.tally = Tally()
        self.shown = f"{mirror.address}/{name}" if mirror else str(target)
        self._mirror, self._name = mirror, name
        self._kept = name.with_name(folder_of(target).name)
        self._options = options
        self._starts: dict[int, Start] = {}
        self._damage: str | None = None
        with ExitStack() as stack:
            self._open(stack, local, pins, share)
            self._stack = stack.pop_all()

    def _open(self, stack: ExitStack, local: str, pins: Pins, share: Share) -> None:
        options, target = self._options, self.target
        check_target(target, local, overwrite=options.overwrite, encoding=options.encoding)
        self._reader = reader = stack.enter_context(open_source(local, options))
        self._sources = Sources(local, strict=not options.keep_going)
        upscaler = unlearned(options)
        self._geometry = find_geometry(reader, options, upscaler)
        if not can_be_joined(target, reader, options.encoding):
            raise UsageError(
                f"expected what can be made in segments for {target}, found VP9 with "
                "transparency; use 'upreel upscale' for it"
            )
        files = files_of_weights(options, upscaler, self._geometry.scale)
        self._identity = self._sources.identity
        if self._mirror:
            self._mirror.fetch(folder_of(target), self._kept)
        self._work = stack.enter_context(Work(target))
        self._work.begin(
            describe_job(self._identity, target, options, files.values(), leave_out=HARMLESS),
            lambda: pins,
        )
        self._weights = share(files)
        # Here frames are only counted: this machine may not have the device of the workers.
        counting = pins.model_copy(update={"device": "cpu", "precision": "fp32"})
        job = plan_job(reader, self._geometry, options, upscaler, counting)
        self._assembly: Assembly = open_assembly(
            target,
            source=reader,
            size=self._geometry.size,
            encoding=replace(options.encoding, threads=self._work.ledger.pins.encoder_threads),
            audio=options.audio,
            overwrite=options.overwrite,
            pace=job.retiming.pace(reader) if job.retiming else None,
        )
        first = first_of(self._work.ledger, self._assembly.layout) or first_frame(reader, job)
        if first is None:
            raise no_frame(reader, options)
        self._first: Frame = first
        self._plan = Plan.of(*job.specs, most=options.segment)
        self.expected = job.retiming.total(reader) if job.retiming else reader.frames
        self.before = self._work.ledger.frames

    @property
    def frames(self) -> int:
        """How many frames of the result are finished."""
        return self._work.ledger.frames

    @property
    def complete(self) -> bool:
        """Whether every segment is finished."""
        return self._work.ledger.start is None

    def starts(self) -> Iterator[Start]:
        """Where segments begin that are not finished; the source is read on the way.

        Raises:
            MediaError: the source cannot be read.
        """
        for start in find_starts(self._reader, self._plan, self._work.ledger.start):
            self._starts[start.number] = start
            if start.number not in self._work.ledger.numbers:
                yield start
        self._damage = self._reader.damage

    def order(self, start: Start) -> Order:
        """What a worker is told."""
        return Order(
            self.source,
            self._identity,
            Path(self.target.name),
            self._options,
            self._geometry,
            self._work.ledger.pins,
            start,
            self._first,
            self._weights,
        )

    def describe(self, start: Start) -> str:
        """A segment in words."""
        following = self._starts.get(start.number + 1)
        end = "the end" if following is None else f"{following.frame - 1}"
        return f"segment {start.number + 1}, frames {start.frame} to {end}"

    def add(self, made: Made, store: Store) -> None:
        """Take in a segment.

        Raises:
            GoneError: the segment did not come as it was sent.
            MediaError: the source was changed.
            OutputError: the segment cannot be written.
        """
        done = made.done
        self._sources.check()
        with self._work.pending_segment(done.number) as pending:
            try:
                with pending.path.open("wb") as file:
                    for part in made.parts:
                        file.write(store.get(part))
            except OSError as error:
                raise failed(self.target, error) from error
            pending.commit()
        try:
            self._work.check(done)
        except MediaError as error:
            raise GoneError(f"segment {done.number + 1} did not come as it was sent") from error
        self._work.add(done)
        if self._mirror:
            for path in (self._work.segment(done.number), self._work.path / LEDGER):
                self._mirror.put(path, self._kept / path.name)
        self.tally.add(made.tally)

    def join(self) -> Path:
        """Join all segments, add all other streams, and give the result its name.

        Raises:
            DamagedError: a part of the source could not be read; what could be is in
                `OUT.partial.EXT`.
            MediaError: it was changed, or workers decode it in another way.
            OutputError: the result cannot be written.
        """
        self._check_starts()
        damage = self._damage or self._work.ledger.damage
        partial = damage is not None and not self._options.keep_going
        self._sources.check()
        try:
            path = self._assembly.join(
                self._first, self._work, self._sources.check, partial=partial
            )
        except (av.FFmpegError, OSError) as error:
            raise failed(self.target, error) from error
        if self._mirror:
            self._mirror.put(path, self._name.with_name(path.name))
            self._mirror.remove(self._kept)
            path.unlink()
        self._work.remove()
        if partial:
            raise DamagedError(f"{damage}; the frames that could be decoded are in {path}")
        if damage:
            log.warning("%s; the result has the frames that could be decoded", damage)
        return path

    def _check_starts(self) -> None:
        """Find out whether the workers have cut the source as it was cut here."""
        for done in self._work.ledger.segments:
            following = self._starts.get(done.number + 1)
            if following is not None and following.frame != done.next_frame:
                raise MediaError(
                    f"{self.source} is not decoded the same way everywhere: segment "
                    f"{done.number + 1} ends before frame {following.frame} here, before "
                    f"{done.next_frame} there; use machines of one kind"
                )
        if not self.complete:
            raise MediaError(
                f"{self.source} is not decoded the same way everywhere: it ends with segment "
                f"{len(self._work.ledger.segments)} here, not there; use machines of one kind"
            )

    def close(self) -> None:
        """Let go of the output; finished segments stay, if it is not complete."""
        self._stack.close()


def place_of(target: Path, out: Path) -> Path:
    """Make the folder of a result, if that is inside the folder of all results.

    Raises:
        OutputError: it is not, or cannot be made.
    """
    home = out.resolve()
    if not target.resolve().is_relative_to(home):
        raise OutputError(f"{target} leads out of {out}; name another folder of results")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise failed(target, error) from error
    return target
