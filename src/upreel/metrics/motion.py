"""The motion that metrics measure by: Farneback flow, and what both frames show."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from upreel.metrics.colors import to_luma
from upreel.ops.flow import farneback_flow
from upreel.ops.warp import warp


def farneback(previous: Tensor, frame: Tensor) -> Tensor:
    """Optical flow from `previous` to `frame` with the solver and settings that tOF is defined by.

    OpenCV's Farneback flow: pyramid 0.5, 3 levels, window 15, 3 iterations, neighbourhood 5,
    sigma 1.2, no flags.

    Args:
        previous: luma `(1, H, W)` or `(H, W)`, 0..1; rounded to 8 bits for the solver.
        frame: same shape.

    Returns:
        `(2, H, W)`, float32, x then y, in pixels.
    """
    flow = farneback_flow(_to_8_bits(previous), _to_8_bits(frame))
    return torch.from_numpy(flow).permute(2, 0, 1)


def _to_8_bits(frame: Tensor) -> NDArray[np.uint8]:
    image: NDArray[np.uint8] = (frame.squeeze(0) * 255).round().clamp(0, 255).byte().cpu().numpy()
    return image


class Motion:
    """How a truth moves from the frame before: found when it is first asked for, then kept.

    All metrics and all upscalers that are compared with a pair of frames share one.
    """

    def __init__(self, before: Tensor, frame: Tensor) -> None:
        """Take two frames, `(C, H, W)`, 0..1: RGB, or luma in studio range."""
        self._before, self._frame = before, frame
        self._forth: Tensor | None = None
        self._back: Tensor | None = None

    @property
    def forth(self) -> Tensor:
        """Flow from the frame before to this one, `(2, H, W)`."""
        if self._forth is None:
            self._forth = farneback(to_luma(self._before), to_luma(self._frame))
        return self._forth

    @property
    def back(self) -> Tensor:
        """Flow from this frame to the one before, `(2, H, W)`."""
        if self._back is None:
            self._back = farneback(to_luma(self._frame), to_luma(self._before))
        return self._back


def visible(back: Tensor, forth: Tensor) -> Tensor:
    """Where a pixel is shown in the other frame too.

    There and back again has to end where it began: not further than 0.01 of both squared lengths
    plus 0.5 (Ruder et al. 2016, "Artistic style transfer for videos", equation 5).

    Args:
        back: `(2, H, W)`, flow from this frame to the other, x then y, in pixels.
        forth: same shape, from the other frame to this.

    Returns:
        `(H, W)`, bool.
    """
    height, width = back.shape[-2:]
    returned = warp(forth[None], back[None])[0]
    lengths = (back**2).sum(0) + (returned**2).sum(0)
    consistent = ((back + returned) ** 2).sum(0) <= 0.01 * lengths + 0.5
    x = torch.arange(width) + back[0]
    y = torch.arange(height)[:, None] + back[1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return consistent & inside
