"""The planes of a new frame: luma from an interpolator, colour and alpha moved along its flow."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from upreel.inference.planes import to_codes
from upreel.models.interpolator import Between
from upreel.ops.color import rgb_to_ycbcr, ycbcr_to_rgb
from upreel.ops.warp import warp
from upreel.video.coding import Coding, resample_chroma, to_float
from upreel.video.frame import Frame, PixelLayout, Plane

_BLOCK = 8
"""Doubt is judged by its mean over three by three blocks of so many pixels: what is narrower, such
as the borders of motion, is left to the interpolator."""

_REGION = 0.5
"""Mean doubt from which a region shows the nearest frame instead."""

_FRAME = 0.5
"""Share of such regions from which the whole frame does."""


class Blender:
    """Makes frames between two of a source, in its own planes.

    R'G'B' goes through Y'CbCr of full range in float; planes of colour are moved at their own size,
    along flow sampled where their samples lie.
    """

    def __init__(self, coding: Coding) -> None:
        """Take the coding of the source; the matrix of R'G'B' is BT.709 inside."""
        self._coding = coding
        self._inside = coding
        if coding.layout.family == "rgb":
            layout = PixelLayout("yuv", coding.layout.bits, alpha=coding.layout.alpha)
            self._inside = Coding(layout, "bt709", "pc", "center")

    def luma(self, frame: Frame) -> Tensor:
        """What the interpolator sees of a frame: `(1, H, W)`, float32, in 0..1."""
        if self._coding.layout.family == "rgb":
            return self._planes(frame)[0][None]
        return to_float(frame.planes[0], self._coding.top)[None]

    def blend(
        self, before: Frame, after: Frame, between: Between, kept: Tensor, nearest: Frame
    ) -> Frame:
        """Make a frame.

        Args:
            before: the frame before it.
            after: the frame after it.
            between: of a batch of one, what the interpolator found, on the CPU.
            kept: `(H, W)`, true where `nearest` is repeated: see `unreachable`.
            nearest: one of both frames; the result has its instant.
        """
        luma = between.frame[0, 0]
        if kept.any():
            luma = torch.where(kept, self.luma(nearest)[0], luma)
        made = [luma]
        sides = zip(self._planes(before), self._planes(after), self._planes(nearest), strict=True)
        for index, (first, second, near) in enumerate(sides):
            chroma = 1 <= index < 3 and self._inside.layout.family == "yuv"
            if index:
                made.append(self._moved(first, second, near, between, kept, chroma=chroma))
        if self._coding.layout.family == "rgb":
            inside = self._inside
            rgb = ycbcr_to_rgb(
                torch.stack(made[:3]), inside.matrix, inside.range, inside.layout.bits
            )
            made[:3] = list(rgb)
        bits = self._coding.layout.bits
        planes: list[Plane] = [to_codes(plane, bits) for plane in made]
        return nearest.with_planes(tuple(planes), nearest.layout)

    def _planes(self, frame: Frame) -> list[Tensor]:
        """Y, Cb, Cr and alpha, as far as there are such, in float."""
        planes = [to_float(plane, self._coding.top) for plane in frame.planes]
        if self._coding.layout.family == "rgb":
            inside = self._inside
            ycbcr = rgb_to_ycbcr(
                torch.stack(planes[:3]), inside.matrix, inside.range, inside.layout.bits
            )
            planes[:3] = list(ycbcr)
        return planes

    def _moved(
        self,
        before: Tensor,
        after: Tensor,
        nearest: Tensor,
        between: Between,
        kept: Tensor,
        *,
        chroma: bool,
    ) -> Tensor:
        """A plane of the new frame, from those of its neighbours."""
        flow, weight = between.flow[0].flatten(0, 1), between.weight[0, 0]
        held = kept.float()
        if chroma:
            across, down = self._inside.layout.subsample
            fields = [self._at_chroma(field) for field in (*flow, weight, held)]
            flow, weight, held = torch.stack(fields[:4]), fields[4].clamp(0, 1), fields[5]
            flow = flow / torch.tensor([across, down] * 2)[:, None, None]
        first = warp(before[None, None], flow[None, :2])[0, 0]
        second = warp(after[None, None], flow[None, 2:])[0, 0]
        moved = torch.lerp(second, first, weight)
        return torch.where(held > 0.5, nearest, moved)

    def _at_chroma(self, field: Tensor) -> Tensor:
        """A field of values at samples of luma, `(H, W)`, at those of chroma instead."""
        size = (field.shape[1], field.shape[0])
        whole = Coding(PixelLayout("yuv"), "bt709", "pc", "center")
        return resample_chroma(field, whole, size, self._inside, size)


def unreachable(between: Between) -> Tensor:
    """Where a new frame is to show the nearest given one, `(H, W)` of bool; all, if most is."""
    height, width = between.doubt.shape[-2:]
    blocks = F.avg_pool2d(between.doubt[:1], _BLOCK, ceil_mode=True)
    blocks = F.avg_pool2d(blocks, 3, stride=1, padding=1, count_include_pad=False)
    around = F.interpolate(blocks, scale_factor=_BLOCK, mode="bilinear")
    kept = around[0, 0, :height, :width] > _REGION
    return torch.ones_like(kept) if kept.float().mean() > _FRAME else kept
