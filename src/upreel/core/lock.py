"""A lock that no process holds longer than it lives."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

log = logging.getLogger(__name__)


class Lock:
    """A file that one process at a time can hold; the system lets go of it when that one ends."""

    def __init__(self, path: Path) -> None:
        """Name the file; it is made when it is not there."""
        self._path = path
        self._file: int | None = None

    def acquire(self) -> bool:
        """Take the lock; false where another process has it. Where there are no locks, it is free.

        Raises:
            OSError: the file cannot be made.
        """
        while True:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _lock(file)
            except (BlockingIOError, PermissionError):
                os.close(file)
                return False
            except OSError as error:
                log.info("%s: no locks on this file system (%s)", self._path, error.strerror)
            # Who had it may have removed the file before letting go: then this is another one.
            if _is(file, self._path):
                self._file = file
                return True
            os.close(file)

    def release(self) -> None:
        """Let go."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _lock(file: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
