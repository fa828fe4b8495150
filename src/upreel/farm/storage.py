"""Files elsewhere: fetched once for each machine, through fsspec."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Protocol, cast

from upreel.core.files import PendingFile
from upreel.core.lock import Lock
from upreel.errors import DownloadError, MediaError, OutputError, UpreelError, UsageError
from upreel.inference.ledger import NAME as LEDGER

_PATIENCE = 0.2  # seconds
_KEPT_FREE = 0.1  # of a disk
_MARKS = ("ETag", "etag", "md5Hash", "md5", "mtime", "LastModified", "last_modified", "created")


class FileSystem(Protocol):
    """What is used of a file system of fsspec."""

    def info(self, path: str) -> Mapping[str, object]:
        """What is known of a file."""
        ...

    def exists(self, path: str) -> bool:
        """Whether there is something."""
        ...

    def find(self, path: str) -> list[str]:
        """All files below a folder."""
        ...

    def get_file(self, rpath: str, lpath: str) -> None:
        """Fetch a file."""
        ...

    def put_file(self, lpath: str, rpath: str) -> None:
        """Bring a file there."""
        ...

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Make a folder."""
        ...

    def mv(self, path1: str, path2: str) -> None:
        """Give a file another name."""
        ...

    def rm(self, path: str, recursive: bool = False) -> None:
        """Remove a file or a folder."""
        ...


def is_address(source: str) -> bool:
    """Whether a file is named by an address, such as `s3://bucket/in.mkv`, and not by a path."""
    return "://" in source


def open_file_system(address: str) -> tuple[FileSystem, str]:
    """The file system of an address, and the path there.

    Raises:
        UsageError: nothing here knows such addresses.
    """
    from fsspec.core import url_to_fs

    if "::" in address:
        raise UsageError(f"expected one plain address such as s3://bucket/in.mkv, found {address}")
    try:
        file_system, path = url_to_fs(address)
    except (ImportError, ValueError) as error:
        raise UsageError(f"cannot use {address}: {error}") from error
    return cast(FileSystem, file_system), path


class Cache:
    """A folder of what was fetched, shared by the workers of a machine.

    Attributes:
        scratch: a folder of this process.
    """

    def __init__(self, folder: Path) -> None:
        """Make the folder, and remove what processes that are gone have left there."""
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in folder.glob("scratch-*"):
            if not _lives(left.name.rpartition("-")[2]):
                shutil.rmtree(left, ignore_errors=True)
        self.scratch = folder / f"scratch-{os.getpid()}"
        self.scratch.mkdir(exist_ok=True)

    def fetch(self, source: str) -> str:
        """The path of a file; one that is elsewhere is fetched, unless that was done before.

        Raises:
            MediaError: it is not there.
            DownloadError: it cannot be fetched.
            UsageError: nothing here knows such addresses.
        """
        if not is_address(source):
            return source
        file_system, path = open_file_system(source)
        try:
            return str(self._fetch(source, file_system, path))
        except FileNotFoundError as error:
            raise MediaError(f"expected a file at {source}, found nothing") from error
        except UpreelError:
            raise
        except Exception as error:  # each file system has errors of its own
            raise DownloadError(f"{source} cannot be fetched: {error}; try again") from error

    def _fetch(self, source: str, file_system: FileSystem, path: str) -> Path:
        info = file_system.info(path)
        mark = next((info[name] for name in _MARKS if info.get(name)), "")
        size = int(str(info["size"]))
        key = hashlib.sha256(f"{source}, {size} bytes, {mark}".encode()).hexdigest()
        target = self._folder / "inputs" / key[:16] / checked_name(PurePosixPath(path).name)
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = Lock(target.parent / "lock")
        while not lock.acquire():
            time.sleep(_PATIENCE)
        try:
            if not target.exists():
                self._make_room(size)
                with PendingFile(target) as pending:
                    file_system.get_file(path, str(pending.path))
                    if pending.path.stat().st_size != size:
                        raise DownloadError(f"{source} was changed while it was fetched; try again")
                    pending.commit()
            # The same on all machines, and another one when the file has changed: part of what
            # tells it from others.
            os.utime(target, ns=(time.time_ns(), int(key[:12], 16) * 1000))
        finally:
            lock.release()
        return target

    def _make_room(self, size: int) -> None:
        """Remove what was not used for the longest time, as long as the disk is nearly full."""
        inputs = [path for path in self._folder.glob("inputs/*/*") if path.name != "lock"]
        for path in sorted(inputs, key=lambda path: path.stat().st_atime):
            usage = shutil.disk_usage(self._folder)
            if usage.free - size >= _KEPT_FREE * usage.total:
                return
            path.unlink(missing_ok=True)

    def keep(self, name: str, sha256: str, read: Callable[[], bytes]) -> Path:
        """A file with these bytes; they are asked for where it is not there.

        Raises:
            DownloadError: they are others.
        """
        target = self._folder / "weights" / sha256[:16] / checked_name(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            data = read()
            if hashlib.sha256(data).hexdigest() != sha256:
                raise DownloadError(f"{name} did not come as it was sent; try again")
            with PendingFile(target, overwrite=True) as pending:
                pending.path.write_bytes(data)
                pending.commit()
        return target


class Mirror:
    """The folder of results where that is elsewhere: what is done there, and what is kept of work.

    Work goes on in a folder here; each finished segment is copied, and its ledger after it, so that
    another machine can go on.

    Attributes:
        address: of the folder.
    """

    def __init__(self, address: str) -> None:
        """Open it.

        Raises:
            UsageError: nothing here knows such addresses.
        """
        self._file_system, path = open_file_system(address)
        self._root = path.rstrip("/")
        self.address = address.rstrip("/")

    def exists(self, name: PurePosixPath) -> bool:
        """Whether a result is there.

        Raises:
            DownloadError: that cannot be found out.
        """
        with self._told(name):
            return self._file_system.exists(f"{self._root}/{name}")

    def fetch(self, folder: Path, name: PurePosixPath) -> None:
        """Bring here what is kept of the work on a result, unless there is work here.

        Args:
            folder: where the work goes on.
            name: of the folder there.

        Raises:
            DownloadError: it cannot be fetched.
        """
        there = f"{self._root}/{name}"
        with self._told(name):
            if (folder / LEDGER).exists() or not self._file_system.exists(there):
                return
            folder.mkdir(exist_ok=True)
            # The ledger comes last: without it, what has come does not count.
            for path in sorted(self._file_system.find(there), key=lambda path: LEDGER in path):
                file = folder / checked_name(PurePosixPath(path).name)
                self._file_system.get_file(path, str(file))

    def put(self, file: Path, name: PurePosixPath) -> None:
        """Copy a file there; it has its name when it is complete.

        Raises:
            OutputError: it cannot be written.
        """
        target = f"{self._root}/{name}"
        pending = str(PurePosixPath(target).with_name(f".{PurePosixPath(target).name}.partial"))
        try:
            self._file_system.makedirs(str(PurePosixPath(target).parent), exist_ok=True)
            self._file_system.put_file(str(file), pending)
            if self._file_system.exists(target):
                self._file_system.rm(target)
            self._file_system.mv(pending, target)
        except Exception as error:  # each file system has errors of its own
            raise OutputError(f"Cannot write {self.address}/{name}: {error}; try again.") from error

    def remove(self, name: PurePosixPath) -> None:
        """Remove what is kept of the work on a result, which is complete."""
        with suppress(Exception):  # it does no harm
            self._file_system.rm(f"{self._root}/{name}", recursive=True)

    @contextmanager
    def _told(self, name: PurePosixPath) -> Iterator[None]:
        try:
            yield
        except UpreelError:
            raise
        except Exception as error:  # each file system has errors of its own
            raise DownloadError(f"{self.address}/{name} cannot be reached: {error}") from error


def checked_name(name: str) -> str:
    """A name that stays in its folder.

    Raises:
        UsageError: it would not.
    """
    if name in {"", ".", ".."} or any(character in name for character in "/\\\0"):
        raise UsageError(f"expected the name of a file, found {name!r}")
    return name


def _lives(pid: str) -> bool:
    if sys.platform == "win32":
        return True  # asking would be a signal there
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True
