"""Packets of an encoder in a file of their own, until they go into a container.

Containers change what they are given: Matroska rounds times and forgets when B-frames are to be
decoded, mp4 does not take every codec. Here packets stay as the encoder made them, so that what is
joined out of several files is what one encoder after the other would have written.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Self

import av

from upreel.errors import MediaError
from upreel.video.routes import Packet

_MAGIC = b"upreel packets 1\n"
_BASE = struct.Struct("<ii")  # the time base
_ENTRY = struct.Struct("<qqqI?")  # pts, dts, duration, bytes, key; after the last one all unknown
_CHECKSUM = struct.Struct("<I")  # of all before
_UNKNOWN = -(2**63)


class PacketWriter:
    """Writes packets one by one; `finish` completes the file."""

    def __init__(self, path: Path, time_base: Fraction) -> None:
        """Make the file.

        Args:
            path: of the file.
            time_base: of the packets, seconds.
        """
        self._file: BinaryIO = path.open("wb")
        self._checksum = 0
        self._put(_MAGIC + _BASE.pack(*time_base.as_integer_ratio()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self._file.close()

    def _put(self, data: bytes) -> None:
        self._checksum = zlib.crc32(data, self._checksum)
        self._file.write(data)

    def write(self, packets: Sequence[Packet]) -> None:
        """Append packets."""
        for packet in packets:
            data = bytes(packet)
            times = (
                _UNKNOWN if value is None else value
                for value in (packet.pts, packet.dts, packet.duration)
            )
            self._put(_ENTRY.pack(*times, len(data), packet.is_keyframe))
            self._put(data)

    def finish(self) -> int:
        """Write the end, and return the checksum of the file."""
        self._put(_ENTRY.pack(_UNKNOWN, _UNKNOWN, _UNKNOWN, 0, False))
        self._file.write(_CHECKSUM.pack(self._checksum))
        self._file.close()
        return self._checksum


def read_packets(path: Path, checksum: int | None = None) -> Iterator[Packet]:
    """The packets of a file, in their order.

    Args:
        path: of the file.
        checksum: what it has to be, where that is known.

    Raises:
        MediaError: the file is not as it was written; nothing was handed out then.
    """
    if checksum_of(path) != checksum and checksum is not None:
        raise damaged(path)
    with path.open("rb") as file:
        magic, base = file.read(len(_MAGIC)), file.read(_BASE.size)
        if magic != _MAGIC or len(base) < _BASE.size or min(_BASE.unpack(base)) < 1:
            raise damaged(path)
        time_base = Fraction(*_BASE.unpack(base))
        while len(entry := file.read(_ENTRY.size)) == _ENTRY.size:
            pts, dts, duration, length, key = _ENTRY.unpack(entry)
            if not length:
                return
            packet = av.Packet(file.read(length))
            packet.time_base = time_base
            packet.pts = None if pts == _UNKNOWN else pts
            packet.dts = None if dts == _UNKNOWN else dts
            packet.duration = None if duration == _UNKNOWN else duration
            packet.is_keyframe = key
            yield packet
        raise damaged(path)


def checksum_of(path: Path) -> int:
    """The checksum that `PacketWriter.finish` returned for a file, if it is whole.

    Raises:
        MediaError: it is not.
    """
    checksum = 0
    try:
        with path.open("rb") as file:
            left = path.stat().st_size - _CHECKSUM.size
            while left > 0 and (data := file.read(min(left, 1 << 20))):
                checksum = zlib.crc32(data, checksum)
                left -= len(data)
            end = file.read()
    except OSError as error:
        raise damaged(path) from error
    if left or len(end) != _CHECKSUM.size or _CHECKSUM.unpack(end)[0] != checksum:
        raise damaged(path)
    return checksum


def damaged(path: Path) -> MediaError:
    """The error for a file of packets that is not as it was written."""
    return MediaError(f"{path} is not as it was written; remove it and run the command again")
