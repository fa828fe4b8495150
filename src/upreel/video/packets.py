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
_BASE = struct.Struct("<qq")  # the time base
_ENTRY = struct.Struct("<qqqI?")  # pts, dts, duration, bytes, key
_END = struct.Struct("<qI")  # how many packets, checksum of all before
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
        self._count = 0
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
            self._count += 1

    def finish(self) -> int:
        """Write the end, and return the checksum of the file."""
        self._put(_ENTRY.pack(_UNKNOWN, _UNKNOWN, _UNKNOWN, 0, False))
        self._file.write(_END.pack(self._count, self._checksum))
        self._file.close()
        return self._checksum


def read_packets(path: Path) -> Iterator[Packet]:
    """The packets of a file, in their order.

    Raises:
        MediaError: the file is not whole; raised before its last packet is handed out.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        checksum = 0

        def take(count: int) -> bytes:
            nonlocal checksum
            data = file.read(count) if count <= size else b""
            if len(data) != count:
                raise damaged(path)
            checksum = zlib.crc32(data, checksum)
            return data

        if take(len(_MAGIC)) != _MAGIC:
            raise damaged(path)
        above, below = _BASE.unpack(take(_BASE.size))
        if above < 1 or below < 1:
            raise damaged(path)
        held: Packet | None = None
        count = 0
        while True:
            pts, dts, duration, length, key = _ENTRY.unpack(take(_ENTRY.size))
            if not length:
                break
            packet = av.Packet(take(length))
            packet.time_base = Fraction(above, below)
            packet.pts = None if pts == _UNKNOWN else pts
            packet.dts = None if dts == _UNKNOWN else dts
            packet.duration = None if duration == _UNKNOWN else duration
            packet.is_keyframe = key
            if held is not None:
                yield held
            held = packet
            count += 1
        expected = count, checksum
        end = file.read()
        if len(end) != _END.size or _END.unpack(end) != expected:
            raise damaged(path)
        if held is not None:
            yield held


def checksum_of(path: Path) -> int:
    """The checksum that `PacketWriter.finish` returned for a file, if it is whole.

    Raises:
        MediaError: it is not.
    """
    checksum = 0
    try:
        with path.open("rb") as file:
            left = path.stat().st_size - _END.size
            while left > 0 and (data := file.read(min(left, 1 << 20))):
                checksum = zlib.crc32(data, checksum)
                left -= len(data)
            end = file.read()
    except OSError as error:
        raise damaged(path) from error
    if left or len(end) != _END.size or _END.unpack(end)[1] != checksum:
        raise damaged(path)
    return checksum


def damaged(path: Path) -> MediaError:
    """The error for a file of packets that is not as it was written."""
    return MediaError(f"{path} is not as it was written; remove it and run the command again")
