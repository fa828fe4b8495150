"""Fetch a file: what breaks off is resumed, and only what has the right checksum gets its name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from upreel.core.files import failed
from upreel.errors import DownloadError

Progress = Callable[[int, int | None], None]
"""Is told bytes done and bytes in all (None where the server does not say)."""

_PIECE = 1 << 20
_PATIENCE = 60.0
_RANGE_NOT_SATISFIABLE = 416


def download(address: str, target: Path, *, sha256: str, progress: Progress | None = None) -> Path:
    """Fetch a file, unless it is there with the right checksum.

    What has come so far lies in `.NAME.part` beside the target, and the next call goes on from
    there.

    Args:
        address: an `https` or `http` address.
        target: where to; its folder is made.
        sha256: its SHA-256, or the first digits of it.
        progress: is told bytes done and in all, first before anything is fetched.

    Returns:
        The target.

    Raises:
        DownloadError: the server cannot be reached or refuses, the connection breaks off, or the
            checksum is another.
        OutputError: the file cannot be written.
    """
    if not address.startswith(("https://", "http://")):
        raise DownloadError(f"expected an address that begins with https://, found {address}")
    if target.is_file() and checksum(target).startswith(sha256.lower()):
        return target
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _fetch(address, part, progress or (lambda done, total: None))
        found = checksum(part)
        if not found.startswith(sha256.lower()):
            part.unlink()  # going on from a wrong beginning would never end well
            raise DownloadError(
                f"expected a file with the SHA-256 {sha256} at {address}, found {found[:16]}: "
                "try again, or fetch it yourself and name it"
            )
        part.replace(target)
    except DownloadError:
        raise
    except OSError as error:
        raise failed(target, error) from error
    return target


def checksum(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(address: str, part: Path, progress: Progress) -> None:
    """Append what is missing to `part`."""
    done = part.stat().st_size if part.exists() else 0
    request = Request(address, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        with urlopen(request, timeout=_PATIENCE) as answer:
            if answer.status != 206:  # the server begins anew
                done = 0
            elif not (given := answer.headers["Content-Range"] or "").startswith(f"bytes {done}-"):
                raise DownloadError(
                    f"expected bytes from {done} on of {address}, found {given or 'others'}; "
                    f"remove {part} to begin anew"
                )
            length = answer.headers["Content-Length"] or ""
            total = done + int(length) if length.isdecimal() else None
            progress(done, total)
            with part.open("ab" if done else "wb") as file:
                done = _copy(answer, file, done, total, progress)
    except HTTPError as error:
        with error:
            if error.code == _RANGE_NOT_SATISFIABLE and done:
                return  # all of it is here: the checksum tells
            raise DownloadError(f"{address} answers {error.code} {error.reason}") from error
    except (URLError, HTTPException, _ReadError, ValueError) as error:
        raise _broken(address, str(getattr(error, "reason", error))) from error
    if total is not None and done < total:
        raise _broken(address, f"{done} of {total} bytes came")


def _copy(
    source: BinaryIO, file: BinaryIO, done: int, total: int | None, progress: Progress
) -> int:
    while piece := _read(source):
        file.write(piece)
        done += len(piece)
        progress(done, total)
    return done


class _ReadError(Exception):
    """The connection failed: not the disk, of which an `OSError` tells as well."""


def _read(source: BinaryIO) -> bytes:
    try:
        return source.read(_PIECE)
    except OSError as error:
        raise _ReadError(error) from error


def _broken(address: str, why: str) -> DownloadError:
    return DownloadError(
        f"cannot fetch {address}: {why}. The same command goes on where it stopped"
    )
