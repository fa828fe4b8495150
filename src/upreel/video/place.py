"""A frame by which reading can begin, without reading all that comes before it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from upreel.video.frame import Frame


@dataclass(frozen=True, slots=True)
class Read:
    """What has been read of a file when a frame is there.

    Attributes:
        position: of the latest packet, in bytes. The same pts may come again behind it.
        corrupt: packets that are.
        repaired: frames before this one that were decoded with errors.
        transparent: whether one of them was not opaque everywhere.
    """

    position: int = 0
    corrupt: int = 0
    repaired: int = 0
    transparent: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a frame is, and how to tell that it was found: by the one before it, and by itself.

    Attributes:
        frame: its number in the source, from 0.
        pts: of the frame before it, and its own.
        checksum: of the planes of both.
        read: what had been read by then.
    """

    frame: int
    pts: tuple[int, int]
    checksum: int
    read: Read

    @classmethod
    def of(cls, number: int, before: Frame, frame: Frame, read: Read = Read()) -> Place:
        """The place of a frame with a number, which comes right behind another."""
        return cls(number, (before.pts, frame.pts), _checksum(before, frame), read)

    def is_between(self, before: Frame, frame: Frame) -> bool:
        """Whether this is the frame, and that the one before it."""
        return (before.pts, frame.pts) == self.pts and _checksum(before, frame) == self.checksum


class Source(Protocol):
    """Frames that can be read from the first one on, and from a later one."""

    def __iter__(self) -> Iterator[Frame]:
        """All frames; each iteration begins anew."""
        ...

    def since(self, place: Place) -> Iterator[Frame]:
        """Frames from a place on, the same as when all are read."""
        ...

    def place_of(self, number: int, before: Frame, frame: Frame) -> Place | None:
        """The place of a frame that was read; `None` where it can only be read after all others.

        Args:
            number: of the frame, from 0.
            before: the frame that came right before it.
            frame: the frame.
        """
        ...


def _checksum(*frames: Frame) -> int:
    found = 0
    for frame in frames:
        for plane in frame.planes:
            found = zlib.crc32(np.ascontiguousarray(plane).data, found)
    return found
