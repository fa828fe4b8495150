"""How far an input is trusted: what it may cost, and where it may lead."""

from __future__ import annotations

import ctypes
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import av

from upreel.errors import MediaError

MAX_PIXELS = 8192 * 8192
"""Of a frame that is read: twofold, it is as large as the largest frame that is made."""
PLAYLISTS = frozenset({"hls", "concat"})
"""FFmpeg's formats of files that name others, as far as where these lie can be checked here."""

_PLAYLIST_HEADS = (b"#EXTM3U", b"ffconcat")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)[:,]")
_REMOTE = re.compile(r"((?:https?|s?ftps?|rt[ms]p\w*|srt|tcp|tls|udp):)/(?=[^/])", re.IGNORECASE)
_ENTRY = re.compile(
    r"""^\s*(?:file\s+)?'?([^#'\s][^'\n]*?)'?\s*$|URI="([^"]*)\"""", re.MULTILINE
)  # fmt: skip
_PNG = b"\x89PNG\r\n\x1a\n"
_TEXTS = (b"zTXt", b"iTXt", b"iCCP")
_INT_MAX = 2**31 - 1  # what FFmpeg sets itself
_BYTES_PER_PIXEL = 4
_USUAL_ALLOCATION = 256 << 20  # where less is refused, PyAV and FFmpeg crash


@dataclass(frozen=True, slots=True)
class Trust:
    """What a user lets an input do.

    Attributes:
        max_pixels: width times height of a frame; what else a small file can claim (an index, a
            text) grows with it.
        protocols: of FFmpeg, such as `http` and `tcp`, by which an input may be reached. With any,
            `file` for instance, a playlist may name other files in its own folder.
    """

    max_pixels: int = MAX_PIXELS
    protocols: tuple[str, ...] = ()

    def refuse(self, name: str, width: int, height: int) -> None:
        """Refuse frames of this size if they are too large.

        Raises:
            MediaError: they are.
        """
        if width * height > self.max_pixels:
            raise MediaError(
                f"{name} is {width}x{height}; at most {self.max_pixels} pixels are read, because a "
                f"small file can claim a huge frame: --max-pixels {width * height} if you trust it"
            )


TRUST = Trust()
"""What an input may do of which nobody says more."""


def check_png(head: bytes, path: Path, trust: Trust) -> None:
    """Refuse a PNG whose compressed texts and colour profile are enormous: FFmpeg would keep them.

    Args:
        head: the beginning of the file.
        path: of the file.
        trust: as many bytes are taken as pixels.

    Raises:
        MediaError: they are.
    """
    if not head.startswith(_PNG):
        return
    found = 0
    for kind, content in _chunks(path):
        if kind in _TEXTS:
            _, _, rest = content.partition(b"\0")
            start = rest.find(b"\x78")  # before zlib's stream are flags, a language, a translation
            found += _inflated(rest[max(start, 0) :], trust.max_pixels - found)
        if found > trust.max_pixels:
            raise MediaError(
                f"{path} has more than {trust.max_pixels} bytes of compressed texts, which no "
                "picture needs; --max-pixels raises this limit"
            )


def _chunks(path: Path) -> Iterator[tuple[bytes, bytes]]:
    with path.open("rb") as file:
        file.seek(len(_PNG))
        while len(start := file.read(8)) == 8:
            size, kind = int.from_bytes(start[:4], "big"), start[4:]
            if kind in _TEXTS:
                yield kind, file.read(size)
            else:
                file.seek(size, 1)
            file.seek(4, 1)


def _inflated(data: bytes, most: int) -> int:
    """How many bytes a stream of zlib holds, if not more than `most`."""
    stream, count = zlib.decompressobj(), 0
    try:
        while data and count <= most:
            count += len(stream.decompress(data, 1 << 20))
            data = stream.unconsumed_tail
    except zlib.error:
        return count
    return count


@contextmanager
def small_allocations(trust: Trust) -> Iterator[None]:
    """Let FFmpeg refuse what takes much memory at once: an index of what a file cannot hold.

    It has one limit for the whole process, so that this is only for opening files. Where its
    library cannot be reached (on Windows), there is none.
    """
    most = max(_USUAL_ALLOCATION, _BYTES_PER_PIXEL * trust.max_pixels)
    with _allocating:
        _openings.append(most)
        _limit_allocations(max(_openings))
    try:
        yield
    finally:
        with _allocating:
            _openings.remove(most)
            _limit_allocations(max(_openings, default=_INT_MAX))


_allocating = Lock()
_openings: list[int] = []


def _limit_allocations(size: int) -> None:
    library = ctypes.CDLL(av._core.__file__)  # what it is linked to is found in it too
    if hasattr(library, "av_max_alloc"):
        library.av_max_alloc.argtypes, library.av_max_alloc.restype = [ctypes.c_size_t], None
        library.av_max_alloc(size)


def address_of(path: Path, trust: Trust) -> tuple[str, tuple[str, ...]] | None:
    """How FFmpeg is to open what is no file, if it is an address: that, and by which protocols.

    Raises:
        MediaError: its protocol is not allowed.
    """
    match = _SCHEME.match(str(path))
    if match is None or path.exists():
        return None
    protocol = match[1].lower()
    if protocol not in trust.protocols:
        raise MediaError(
            f"{path} is no file but an address for FFmpeg's protocol {protocol!r}; download it, or "
            f"allow that: --protocols {'http,tcp' if protocol == 'http' else protocol}"
        )
    if _REMOTE.match(str(path)) is None:
        return str(path), trust.protocols
    # Paths have no double slash; and what lies elsewhere names no file of this machine.
    address = _REMOTE.sub(r"\1//", str(path), count=1)
    return address, tuple(name for name in trust.protocols if name != "file")


def check_playlist(head: bytes, path: Path, trust: Trust) -> None:
    """Refuse a list of other files, unless it is allowed, and then if it leads out of its folder.

    Args:
        head: the beginning of the file.
        path: of the file.
        trust: whether any protocol is allowed.

    Raises:
        MediaError: it is such a list.
    """
    if not is_playlist(head):
        return
    if not trust.protocols:
        raise MediaError(
            f"{path} is a playlist of other files; give one of the videos it names, or allow them: "
            "--protocols file"
        )
    _check_entries(path, path.resolve().parent, {path.resolve()})


def is_playlist(head: bytes) -> bool:
    """Whether a file that begins like this names others."""
    return head.lstrip(b"\xef\xbb\xbf").startswith(_PLAYLIST_HEADS)


def _check_entries(path: Path, home: Path, seen: set[Path]) -> None:
    for match in _ENTRY.finditer(path.read_text(encoding="utf-8", errors="replace")):
        entry = match[1] or match[2] or ""
        scheme = _SCHEME.match(entry)
        if scheme is not None and scheme[1].lower() != "file":
            continue  # FFmpeg's own list of protocols decides
        target = (path.parent / entry).resolve()
        if scheme is not None or not target.is_relative_to(home):
            raise MediaError(
                f"{path} names {entry!r}, which is not in its folder; expected names inside "
                f"{home}, take no playlist from there"
            )
        if target in seen or not target.is_file():
            continue
        seen.add(target)
        with target.open("rb") as file:
            nested = is_playlist(file.read(16))
        if nested:
            _check_entries(target, home, seen)
