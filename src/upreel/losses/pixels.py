"""Losses that compare pixel by pixel."""

from __future__ import annotations

from torch import Tensor

_EPSILON = 1e-3


def charbonnier(output: Tensor, truth: Tensor) -> Tensor:
    """The absolute error, rounded off around zero: `sqrt(error**2 + 1e-6)`.

    Args:
        output: `(B, T, C, H, W)`, 0..1.
        truth: the same shape and range.

    Returns:
        `(B, T)`, the mean over each frame.

    Source: Charbonnier et al. 1994, "Two deterministic half-quadratic regularization algorithms for
    computed imaging"; for super-resolution Lai et al. 2017, "Deep Laplacian pyramid networks".
    """
    error = output - truth
    return (error * error + _EPSILON**2).sqrt().mean((-3, -2, -1))
