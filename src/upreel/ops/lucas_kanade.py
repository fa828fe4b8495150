"""Optical flow through which a gradient passes to the frame that it starts from."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from upreel.ops.warp import warp

_WINDOW = 7
_DAMPING = 1e-4


def refine_flow(frames: Tensor, neighbours: Tensor, flow: Tensor) -> Tensor:
    """Bring flow nearer to what moves `neighbours` onto `frames`, in one step.

    The least squares of the linearised difference over windows of 7x7 pixels, damped where there is
    nothing to hold on to. The result is linear in `frames`, so that who made them can learn from
    it; a solver's flow alone has no gradient.

    Args:
        frames: `(N, C, H, W)`, 0..1.
        neighbours: same shape; no gradient flows to them.
        flow: `(N, 2, H, W)`, x then y, in pixels: nearly right; no gradient flows to it.

    Returns:
        `(N, 2, H, W)`.

    Source: Lucas and Kanade 1981, "An iterative image registration technique with an application to
    stereo vision", section 4; Levenberg's damping.
    """
    with torch.no_grad():
        moved = warp(neighbours, flow)
        padded = F.pad(moved, (1, 1, 1, 1), mode="replicate")
        x = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
        y = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
        xx, xy, yy = (_gather(a * b) for a, b in ((x, x), (x, y), (y, y)))
        xx, yy = xx + _DAMPING, yy + _DAMPING
        determinant = xx * yy - xy * xy
    difference = frames - moved
    right, down = _gather(x * difference), _gather(y * difference)
    step = torch.cat((yy * right - xy * down, xx * down - xy * right), 1) / determinant
    return flow + step


def _gather(products: Tensor) -> Tensor:
    """The mean over channels and over the window around each pixel, `(N, 1, H, W)`."""
    mean = products.mean(1, keepdim=True)
    return F.avg_pool2d(mean, _WINDOW, 1, _WINDOW // 2, count_include_pad=False)
