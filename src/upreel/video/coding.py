"""How the numbers of a file stand for colours, and frames as R'G'B' in float."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from upreel.errors import MediaError
from upreel.ops.color import MATRICES, Range, ycbcr_to_rgb
from upreel.ops.resize import resize
from upreel.video.frame import ColorTags, Frame, PixelLayout, Plane, Siting
from upreel.video.output_colors import output_colors
from upreel.video.probe import VideoInfo


@dataclass(frozen=True, slots=True)
class Coding:
    """How numbers stand for colours: what is needed to compute with planes.

    Attributes:
        layout: the planes.
        matrix: as `ColorTags` has it; luma and chroma can be enlarged without knowing it.
        range: of the code values.
        siting: where a sample of chroma lies.
    """

    layout: PixelLayout
    matrix: str
    range: Range
    siting: Siting

    @classmethod
    def of(cls, layout: PixelLayout, colors: ColorTags) -> Coding:
        """Read tags in which nothing is missing that counts: see `output_colors`."""
        matrix = colors.matrix or "bt709"
        range_: Range = "pc" if layout.family == "rgb" else colors.range or "tv"
        return cls(layout, matrix, range_, colors.siting or "left")

    @property
    def top(self) -> int:
        """The largest code value."""
        return (1 << self.layout.bits) - 1

    @property
    def middle(self) -> float:
        """Chroma of grey, in units of the largest code value."""
        return (1 << self.layout.bits - 1) / self.top

    def offset(self) -> tuple[float, float]:
        """Where the first sample of chroma lies, in luma samples, (vertically, horizontally)."""
        across, down = self.layout.subsample
        horizontal = 0.0 if self.siting in {"left", "topleft", "bottomleft"} else (across - 1) / 2
        vertical = (down - 1) / 2
        if self.siting.startswith("top"):
            vertical = 0.0
        elif self.siting.startswith("bottom"):
            vertical = float(down - 1)
        return vertical, horizontal

    def plane_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the chroma planes of a frame of `size` (width, height)."""
        across, down = self.layout.subsample
        return -(-size[1] // down), -(-size[0] // across)


def require_matrix(coding: Coding) -> None:
    """Make sure that colours can be turned into R'G'B'.

    Raises:
        MediaError: the matrix is not known.
    """
    if coding.layout.family != "rgb" and coding.matrix not in MATRICES:
        raise MediaError(
            f"colours coded as {coding.matrix} cannot be turned into RGB; write a video of such "
            "colours too, without --preview and with a model for luma"
        )


def rgb_of(frame: Frame, coding: Coding) -> Tensor:
    """R'G'B' of a frame: `(3, H, W)`, about 0..1 (not clipped); chroma is interpolated.

    Args:
        frame: of any family; gray gives three equal planes.
        coding: of its planes, with a matrix that is known: see `require_matrix`.
    """
    planes = [to_float(plane, coding.top) for plane in frame.planes[:3]]
    if coding.layout.family == "rgb":
        return torch.stack(planes)
    height, width = planes[0].shape
    if coding.layout.family == "gray":
        chroma = [torch.full((height, width), coding.middle)] * 2
    else:
        whole = Coding(PixelLayout("yuv"), coding.matrix, coding.range, "center")
        size = (width, height)
        chroma = [resample_chroma(plane, coding, size, whole, size) for plane in planes[1:]]
    return ycbcr_to_rgb(
        torch.stack([planes[0], *chroma]), coding.matrix, coding.range, coding.layout.bits
    )


def rgb_by_tags(frame: Frame, video: VideoInfo) -> Tensor:
    """R'G'B' of a frame by the file's own tags, `(3, H, W)`, clipped to 0..1.

    Raises:
        MediaError: the tags name a matrix that is not known.
    """
    coding = Coding.of(frame.layout, output_colors(video, frame.layout))
    require_matrix(coding)
    return rgb_of(frame, coding).clamp(0, 1)


def to_float(plane: Plane, top: int) -> Tensor:
    """Code values over the largest one, float32."""
    if (
        not plane.flags.writeable
    ):  # torch warns of memory that must not change, though it only reads
        plane = plane.copy()
    return torch.from_numpy(np.ascontiguousarray(plane)).to(torch.float32) / top


def resample_chroma(
    plane: Tensor,
    source: Coding,
    source_size: tuple[int, int],
    target: Coding,
    target_size: tuple[int, int],
) -> Tensor:
    """Bring a plane of chroma from the grid of one coding and size to that of another.

    Sample `i` of a plane lies at luma position `i * subsample + offset`; luma sample `x` of the
    source lies at `(x + 0.5) * factor - 0.5` of the target.
    """
    scales, shifts = [], []
    for axis, side in ((0, 1), (1, 0)):  # vertical, horizontal; sizes are (width, height)
        step, new_step = source.layout.subsample[side], target.layout.subsample[side]
        factor = target_size[side] / source_size[side]
        first = ((target.offset()[axis] + 0.5) / factor - 0.5 - source.offset()[axis]) / step
        scales.append(factor * step / new_step)
        shifts.append(first - 0.5 / scales[-1] + 0.5)
    size = target.plane_size(target_size)
    if size == plane.shape and scales == [1.0, 1.0] and shifts == [0.0, 0.0]:
        return plane
    return resize(plane, size, scale=(scales[0], scales[1]), shift=(shifts[0], shifts[1]))
