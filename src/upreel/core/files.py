"""Files and folders that get their name only when they are complete."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from upreel.errors import OutputError, UpreelError, UsageError


def partial_name(target: Path) -> Path:
    """The name of a result that is not all of it: `OUT.partial.EXT`."""
    return target.with_name(f"{target.stem}.partial{target.suffix}")


def reason(error: Exception) -> str:
    """What the system, or FFmpeg, says of a failure, in lower case: `no space left on device`."""
    return str(getattr(error, "strerror", None) or error).lower()


def failed(target: Path, error: Exception) -> UpreelError:
    """The error to raise where the system, or FFmpeg, refuses to write a result."""
    if isinstance(error, UpreelError):
        return error
    return OutputError(f"Cannot write {target}: {reason(error)}. Make room, or name another place.")


def discard_pending() -> None:
    """Remove whatever is pending in this process, which is about to end."""
    for pending in list(Pending.begun):
        pending.discard()
        pending.begun.discard(pending)


class Pending(ABC):
    """What is not finished and should not stay: leaving the block discards it.

    Attributes:
        begun: all of them, so that a process that has to end at once can discard them, those too
            that Ctrl-C kept from entering their block.
        kept: for each output of this process that could go on later, how many frames are done.
    """

    begun: ClassVar[set[Pending]] = set()
    kept: ClassVar[dict[Path, int]] = {}
    target: Path
    path: Path

    @abstractmethod
    def discard(self) -> None:
        """Remove what was written; nothing happens when there is nothing (left)."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.discard()
        self.begun.discard(self)


class PendingFile(Pending):
    """A file written under a hidden name beside its final one.

    Leaving the `with` block without `commit` removes it. A process that is killed leaves the
    hidden file, `.NAME.XXXXXXXX.partial.EXT`, and nothing under the final name.

    Attributes:
        target: the final name.
        path: where to write; the file exists and is empty.
    """

    def __init__(
        self, target: Path, *, overwrite: bool = False, folder: Path | None = None
    ) -> None:
        """Make the empty file.

        Args:
            target: the final name.
            overwrite: whether an existing file may be replaced.
            folder: where to write, on the same file system; beside the final name without it.

        Raises:
            OutputError: the folder cannot be written to.
        """
        self.target = target
        self._overwrite = overwrite
        self.path = _hidden(folder / target.name if folder else target, target.suffix)
        self.begun.add(self)
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except OSError as error:
            self.begun.discard(self)
            raise failed(target, error) from error

    def commit(self, *, partial: bool = False) -> Path:
        """Bring the file to the disk, give it its final name, and return that.

        Args:
            partial: name it `OUT.partial.EXT` instead.

        Raises:
            UsageError: the name was taken meanwhile.
            OutputError: the disk is full.
        """
        final = partial_name(self.target) if partial else self.target
        # What is left of an earlier run that broke off is ours to replace.
        _refuse_existing(final, allowed=self._overwrite or partial)
        try:
            _sync(self.path)
            self.path.replace(final)
        except OSError as error:
            raise failed(final, error) from error
        return final

    def discard(self) -> None:
        """Remove what was written; nothing happens after `commit`."""
        self.path.unlink(missing_ok=True)


class PendingFolder(Pending):
    """Files written into a hidden folder, moved into the final one together.

    Attributes:
        target: the final folder; it may exist, and its other files stay.
        path: where to write; the folder exists and is empty.
    """

    def __init__(
        self,
        target: Path,
        *,
        overwrite: bool = False,
        replaces: re.Pattern[str] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Make the empty folder.

        Args:
            target: the final folder.
            overwrite: whether files in it may be replaced.
            replaces: names of files of an earlier run, which then go, so that two runs do not mix.
            folder: where to write, on the same file system; beside the final folder without it, or
                inside, if that exists.

        Raises:
            OutputError: the place cannot be written to.
        """
        self.target = target
        self._overwrite = overwrite
        self._replaces = replaces
        # Inside a folder that exists: what is above it may belong to somebody else.
        place = folder or (target if target.is_dir() else target.parent)
        self.path = _hidden(place / target.name, "")
        self.begun.add(self)
        try:
            self.path.mkdir()
        except OSError as error:
            self.begun.discard(self)
            raise failed(target, error) from error

    def commit(self, *, partial: bool = False) -> Path:
        """Move every file into the final folder and return that.

        Args:
            partial: name the folder `OUT.partial` instead.

        Raises:
            UsageError: a name is taken.
            OutputError: the disk is full.
        """
        final = partial_name(self.target) if partial else self.target
        allowed = self._overwrite or partial
        written = sorted(self.path.iterdir())
        for file in written:
            _refuse_existing(final / file.name, allowed=allowed)
        try:
            if not final.exists():
                self.path.rename(final)  # all of it at once
                return final
            for old in list(final.iterdir()) if allowed and self._replaces else ():
                if self._replaces is not None and self._replaces.fullmatch(old.name):
                    old.unlink()
            for file in written:
                file.replace(final / file.name)
            self.path.rmdir()
        except OSError as error:
            raise failed(final, error) from error
        return final

    def discard(self) -> None:
        """Remove what was written; nothing happens after `commit`."""
        shutil.rmtree(self.path, ignore_errors=True)


def replace_text(path: Path, text: str) -> None:
    """Give a file another content in one step; who reads it sees the old one or the new one.

    Raises:
        OutputError: it cannot be written.
    """
    pending = _hidden(path, path.suffix)
    try:
        pending.write_text(text, encoding="utf-8")
        pending.replace(path)
    except OSError as error:
        pending.unlink(missing_ok=True)
        raise failed(path, error) from error


def _hidden(target: Path, suffix: str) -> Path:
    stem = target.stem[:40]  # names of files are limited to 255 bytes
    return target.with_name(f".{stem}.{secrets.token_hex(4)}.partial{suffix}")


def _refuse_existing(path: Path, *, allowed: bool) -> None:
    if not allowed and path.exists():
        raise UsageError(f"{path} exists already. Name another file, or pass --overwrite.")


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
