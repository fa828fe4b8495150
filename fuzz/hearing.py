"""What reading a file makes the interpreter do, heard by an audit hook."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DEEDS = frozenset(
    {
        "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "os.putenv", "os.mkdir",
        "os.symlink", "os.link", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.kill",
        "pty.spawn", "subprocess.Popen", "socket.connect", "socket.bind", "socket.getaddrinfo",
        "urllib.Request", "webbrowser.open", "shutil.rmtree", "shutil.move",
    }
)  # fmt: skip
"""What no reader of files has any business with: names of Python's audit events."""
_FILES = frozenset({"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.chmod"})
"""Those that are well inside a reader's own folder."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_HARMLESS = ("/dev/null", "__pycache__")


class DeedError(Exception):
    """A file made the interpreter do something."""


class _Ears:
    """Hears what happens while there is a folder in which alone something may."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.heard: list[str] = []
        sys.addaudithook(self.hear)

    def hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.folder is None or not self._is_deed(event, arguments):
            return
        self.heard.append(f"{event}{arguments!r}")
        raise DeedError(self.heard[-1])

    def _is_deed(self, event: str, arguments: tuple[object, ...]) -> bool:
        if event == "open":
            flags = arguments[2]
            if not isinstance(flags, int) or not flags & _WRITING:
                return False
        elif event not in _DEEDS:
            return False
        elif event not in _FILES:
            return True
        place = os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes) else "a number"
        inside = os.path.realpath(place).startswith(f"{self.folder}{os.sep}")
        return not inside and not any(part in place for part in _HARMLESS)


_ears: list[_Ears] = []


@contextmanager
def hearing(folder: Path) -> Iterator[None]:
    """Make a deed of the block an error, also one that the block itself catches and hides.

    Args:
        folder: where files may be made.

    Raises:
        DeedError: a program was started, a file was written elsewhere, a connection was opened.
    """
    if not _ears:
        _ears.append(_Ears())  # such a hook cannot be taken away again
    ears = _ears[0]
    ears.heard.clear()
    ears.folder = folder.resolve()
    try:
        yield
    finally:
        ears.folder = None
        if ears.heard:
            raise DeedError(ears.heard[0])
