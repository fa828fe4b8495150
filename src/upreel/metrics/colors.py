"""Luma and RGB of the frames that metrics see."""

from __future__ import annotations

from torch import Tensor

from upreel.ops.color import code_range, rgb_to_ycbcr


def to_luma(frame: Tensor) -> Tensor:
    """Luma of BT.601 in studio range, `(1, H, W)`, of RGB; luma stays as it is."""
    return frame if len(frame) == 1 else rgb_to_ycbcr(frame, "smpte170m", "tv", 8)[:1]


def to_rgb(frame: Tensor) -> Tensor:
    """RGB, `(3, H, W)`; luma in studio range becomes grey."""
    if len(frame) == 3:
        return frame
    black, span, _ = code_range("tv", 8)
    return ((frame - black) / span).expand(3, -1, -1)
