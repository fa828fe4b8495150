"""Videos and folders of images as sources of training sequences, and splits of clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from upreel.data.clips import Clip, luma_of
from upreel.data.procedural import draw_frames, draw_scene
from upreel.errors import MediaError
from upreel.ops.color import MATRICES, rgb_to_ycbcr, ycbcr_to_rgb
from upreel.ops.flow import to_8_bits
from upreel.ops.resize import imresize
from upreel.video.frame import Frame
from upreel.video.reader import DEFAULT_RATE, Reader


@dataclass(slots=True)
class FileSource:
    """Frames of a video or of a folder of images, read when they are asked for.

    Attributes:
        clip: which.
        color: `luma` in studio range, or `rgb`.
    """

    clip: Clip
    color: Literal["luma", "rgb"] = "luma"
    _size: tuple[int, int, int] | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        """That of the clip."""
        return self.clip.name

    def measure(self) -> tuple[int, int, int]:
        """How many frames there are, their height, their width.

        Raises:
            MediaError: the clip cannot be read.
        """
        if self._size is None:
            with Reader(self.clip.path) as reader:
                count = reader.frames or sum(1 for _ in reader)
                size = (reader.video.height, reader.video.width)
            halve = self.clip.halve
            self._size = (count, -(-size[0] // halve), -(-size[1] // halve))
        return self._size

    def read(self, times: Sequence[int]) -> NDArray[np.uint8]:
        """Frames at rising indices, `(T, C, H, W)`, 8 bits.

        Raises:
            MediaError: the clip cannot be read, or ends before.
        """
        wanted = set(times)
        with Reader(self.clip.path) as probe:
            rate = probe.video.frame_rate or DEFAULT_RATE
        # Half a frame early: rounded time bases must not lose the first one.
        start = (times[0] - Fraction(1, 2)) / rate if times[0] else None
        with Reader(self.clip.path, start=start) as reader:
            frames: Iterator[Frame] = islice(reader, times[-1] - times[0] + 1)
            read = [
                self._convert(frame, reader)
                for index, frame in enumerate(frames, times[0])
                if index in wanted
            ]
        if len(read) != len(times):
            raise MediaError(
                f"expected {times[-1] + 1} frames in {self.clip.path}, found fewer; "
                "it may be damaged: download or encode it again"
            )
        return np.stack(read)

    def _convert(self, frame: Frame, reader: Reader) -> NDArray[np.uint8]:
        colors = reader.video.colors
        if self.color == "luma":
            picture = luma_of(frame, full=colors.range == "pc")[None]
        else:
            picture = _rgb(frame, colors.matrix, full=colors.range == "pc")
        if self.clip.halve > 1:
            picture = imresize(picture, 1 / self.clip.halve)
        return np.stack([to_8_bits(plane) for plane in picture])


@dataclass(frozen=True, slots=True)
class ProceduralSource:
    """A clip of the set `procedural`, made when it is asked for.

    Attributes:
        index: of the clip; there is no last one.
        seed: of the set.
        color: `luma` in studio range, or `rgb`.
        size: height and width.
        frames: how many.
    """

    index: int
    seed: int = 0
    color: Literal["luma", "rgb"] = "luma"
    size: tuple[int, int] = (192, 192)
    frames: int = 16

    @property
    def name(self) -> str:
        """With its number."""
        return f"procedural {self.index}"

    def measure(self) -> tuple[int, int, int]:
        """How many frames there are, their height, their width."""
        return self.frames, *self.size

    def read(self, times: Sequence[int]) -> NDArray[np.uint8]:
        """Frames at rising indices, `(T, C, H, W)`, 8 bits."""
        scene = draw_scene(self.size, seed=self.seed, index=self.index)
        frames = np.stack(list(draw_frames(scene, self.size, times)))
        if self.color == "rgb":
            return frames
        unit = torch.from_numpy(frames).float() / 255
        luma = rgb_to_ycbcr(unit, "smpte170m", "tv", 8)[:, :1]
        codes: NDArray[np.uint8] = (luma * 255).round().byte().numpy()
        return codes


def _rgb(frame: Frame, matrix: str | None, *, full: bool) -> Tensor:
    """`(3, H, W)`, 0..1; chroma is interpolated."""
    top = 2**frame.layout.bits - 1
    planes = [torch.from_numpy(plane.astype(np.float32)) / top for plane in frame.planes]
    if frame.layout.family == "rgb":
        return torch.stack(planes[:3])
    luma = planes[0]
    if len(planes) < 3:
        middle = torch.full_like(luma, 2 ** (frame.layout.bits - 1) / top)
        chroma = [middle, middle]
    else:
        size = list(luma.shape)
        chroma = [
            F.interpolate(plane[None, None], size, mode="bilinear", align_corners=False)[0, 0]
            for plane in planes[1:3]
        ]
    guess = "bt709" if luma.shape[0] >= 720 else "smpte170m"
    used = matrix if matrix in MATRICES else guess
    rgb = ycbcr_to_rgb(
        torch.stack([luma, *chroma]), used, "pc" if full else "tv", frame.layout.bits
    )
    return rgb.clamp(0, 1)
