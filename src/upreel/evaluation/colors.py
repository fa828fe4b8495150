"""Between the colours that a protocol reads, those that an upscaler sees, and those scored."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from upreel.evaluation.protocols import Protocol
from upreel.metrics.colors import to_luma, to_rgb
from upreel.models.interpolator import HALF, Interpolator
from upreel.models.upscaler import Color, Spec, State, Window
from upreel.ops.color import rgb_to_ycbcr, ycbcr_to_rgb
from upreel.ops.resize import resize
from upreel.ops.warp import warp

_MATRIX = "smpte170m"


def to_seen(frame: Tensor, color: Color) -> Tensor:
    """What an upscaler sees of a frame that a protocol read.

    Args:
        frame: `(C, H, W)`, 0..1: one channel of luma in studio range, or RGB.
        color: what the upscaler wants. Where it wants RGB and there is only luma, it sees grey.
    """
    return to_luma(frame) if color == "luma" else to_rgb(frame)


def from_seen(enlarged: Tensor, low: Tensor, *, phase: float) -> Tensor:
    """An upscaler's result in the colours that the protocol read; the inverse of `to_seen`.

    Args:
        enlarged: `(C, H * scale, W * scale)`, as the upscaler returned it.
        low: the frame that it came from, as the protocol read it: where the upscaler saw luma
            alone, chroma is enlarged by bicubic interpolation.
        phase: see `Protocol.phase`.
    """
    if len(enlarged) == len(low):
        return enlarged
    if len(low) == 1:
        return to_luma(enlarged)
    scale = enlarged.shape[-1] / low.shape[-1]
    chroma = rgb_to_ycbcr(low, _MATRIX, "tv", 8)[1:]
    height, width = enlarged.shape[-2:]
    shift = (-phase / scale, -phase / scale)
    wide = resize(chroma, (height, width), shift=shift)
    return ycbcr_to_rgb(torch.cat((enlarged, wide)), _MATRIX, "tv", 8)


class Colored:
    """An interpolator of luma for RGB: chroma of new frames follows the motion of luma."""

    def __init__(self, inner: Interpolator) -> None:
        """Wrap `inner`."""
        self._inner = inner

    @property
    def spec(self) -> Spec:
        """That of the interpolator inside, but for the colours."""
        return replace(self._inner.spec, color="rgb")

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Add what lies half-way to the next frame: see `Upscaler.step`."""
        frame = window.middle
        if not window.future:
            return frame.repeat_interleave(2, 1), {}
        planes = rgb_to_ycbcr(window.clip, _MATRIX, "tv", 8)
        made = self._inner.between(replace(window, clip=planes[:, :, :1]), HALF)[0]
        before, after = (
            warp(planes[:, window.past + side, 1:], made.flow[:, side]) for side in (0, 1)
        )
        chroma = torch.lerp(after, before, made.weight)
        new = ycbcr_to_rgb(torch.cat((made.frame, chroma), 1), _MATRIX, "tv", 8)
        return torch.cat((frame, new[:, None]), 1), {}


def to_scored(frame: Tensor, protocol: Protocol, *, output: bool = True) -> Tensor:
    """What of a frame is scored.

    Args:
        frame: in the colours that the protocol read.
        protocol: how.
        output: whether it comes from an upscaler; a truth has 8 bits already.
    """
    if output and protocol.levels != "unrounded":
        frame = (frame * 255).round().clamp(0, 255) / 255
    if protocol.colors == "y":
        frame = to_luma(frame)
    if protocol.levels == "truncated":
        # Whole levels come out of float32 a little below themselves.
        frame = (frame.double() * 255 + 1e-4).floor() / 255
    return frame
