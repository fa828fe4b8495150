"""Videos, folders of images, photographs, and clips without files as sources of sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray

from upreel.data.camera import FRAMES, SIZE, pan
from upreel.data.clips import Clip, luma_of
from upreel.data.degradations import Codes
from upreel.data.drawings import Drawing, Drawn
from upreel.data.loader import Color
from upreel.errors import MediaError
from upreel.ops.color import rgb_to_ycbcr
from upreel.ops.flow import to_8_bits
from upreel.ops.resize import imresize
from upreel.video.coding import rgb_by_tags
from upreel.video.frame import Frame
from upreel.video.reader import Reader

_FIRST = 1 << 20
"""Number of the first scene that is made to learn from."""


@dataclass(slots=True)
class FileSource:
    """Frames of a video, a folder of images or a photograph, read when they are asked for.

    Attributes:
        clip: which. Over a photograph a camera moves, as in a pack.
        color: `luma` in studio range, or `rgb`.
    """

    clip: Clip
    color: Color = "luma"
    _looks: _Looks | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        """That of the clip."""
        return self.clip.name

    def measure(self) -> tuple[int, int, int]:
        """How many frames there are, their height, their width.

        The first time, a video is decoded as a whole: what files say of their frames is not to be
        relied on.

        Raises:
            MediaError: the clip cannot be read.
        """
        looks = self._look()
        return len(looks.instants), looks.height, looks.width

    def read(self, times: Sequence[int]) -> NDArray[np.uint8]:
        """Frames at rising indices, `(T, C, H, W)`, 8 bits.

        Raises:
            MediaError: the clip cannot be read, or is not what it was.
        """
        if self.clip.still:
            (picture,) = self._read([Fraction(0)], start=None)
            moved = np.stack([list(pan(plane, key=self.clip.name)) for plane in picture], 1)
            return moved[list(times)]
        looks = self._look()
        wanted = [looks.instants[time] for time in times]
        found = self._read(wanted, start=wanted[0])
        if len(found) < len(wanted):  # in some files, seeking leads elsewhere
            found = self._read(wanted, start=None)
        if len(found) < len(wanted):
            raise MediaError(
                f"expected frame {times[-1]} in {self.clip.path}, found none; it has changed, or "
                "is damaged: encode it again"
            )
        return np.stack(found)

    def _look(self) -> _Looks:
        if self._looks is None:
            with Reader(self.clip.path, trust=self.clip.trust) as reader:
                count = FRAMES if self.clip.still else reader.video.frames or 0
                video, halve = reader.video, self.clip.halve
                height, width = (-(-side // halve) for side in (video.height, video.width))
                if reader.kind == "video":
                    instants = tuple(_instant(frame, reader) for frame in reader)
                else:
                    instants = tuple(index * video.time_base for index in range(count))
            if self.clip.still:
                height, width = min(height, SIZE[0]), min(width, SIZE[1])
            self._looks = _Looks(height, width, instants)
        return self._looks

    def _read(self, wanted: Sequence[Fraction], *, start: Fraction | None) -> list[Codes]:
        """Those of the frames that are met from an instant on."""
        found = []
        with Reader(self.clip.path, start=start, trust=self.clip.trust) as reader:
            for frame in reader:
                instant = _instant(frame, reader)
                if instant in wanted:
                    found.append(self._convert(frame, reader))
                if instant >= wanted[-1]:
                    break
        return found

    def _convert(self, frame: Frame, reader: Reader) -> Codes:
        if self.color == "luma":
            picture = luma_of(frame, full=reader.video.colors.range == "pc")[None]
        else:
            picture = rgb_by_tags(frame, reader.video)
        if self.clip.halve > 1:
            picture = imresize(picture, 1 / self.clip.halve)
        return to_8_bits(picture)


@dataclass(frozen=True, slots=True)
class _Looks:
    """What a file turned out to be: the size of its frames, and when each is to be seen."""

    height: int
    width: int
    instants: tuple[Fraction, ...]


def _instant(frame: Frame, reader: Reader) -> Fraction:
    """Seconds from the beginning of the input, from which on readers count."""
    zero = reader.media.start if reader.media is not None else Fraction(0)
    return frame.pts * frame.time_base - zero


@dataclass(frozen=True, slots=True)
class DrawnSource:
    """A clip that needs no file, made when it is asked for.

    Attributes:
        drawing: which.
        color: `luma` in studio range, or `rgb`.
    """

    drawing: Drawing
    color: Color = "luma"

    @property
    def name(self) -> str:
        """With its number."""
        return f"{self.drawing.kind} {self.drawing.index}"

    def measure(self) -> tuple[int, int, int]:
        """How many frames there are, their height, their width."""
        return self.drawing.frames, *self.drawing.size

    def read(self, times: Sequence[int]) -> NDArray[np.uint8]:
        """Frames at rising indices, `(T, C, H, W)`, 8 bits."""
        frames = np.stack(list(self.drawing.draw(times)))
        if self.color == "rgb":
            return frames
        unit = torch.from_numpy(frames).float() / 255
        return to_8_bits(rgb_to_ycbcr(unit, "smpte170m", "tv", 8)[:, :1])


@dataclass(frozen=True, slots=True)
class Scenes(Sequence[DrawnSource]):
    """Clips of a set without an end: hardly one is ever drawn twice.

    Attributes:
        kind: the set.
        color: `luma` in studio range, or `rgb`.
        size: height and width.
        frames: how many.
    """

    kind: Drawn
    color: Color
    size: tuple[int, int]
    frames: int

    def __len__(self) -> int:
        return 1 << 40

    @overload
    def __getitem__(self, place: int) -> DrawnSource: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[DrawnSource]: ...
    def __getitem__(self, place: int | slice) -> DrawnSource | Sequence[DrawnSource]:
        """The first numbers belong to clips that are scored."""
        if isinstance(place, slice):
            return [self[index] for index in range(*place.indices(len(self)))]
        return DrawnSource(Drawing(self.kind, _FIRST + place, self.size, self.frames), self.color)
