"""Losses that compare pixel by pixel."""

from __future__ import annotations

from torch import Tensor

_EPSILON = 1e-3
_SMALLEST = 1e-8


def charbonnier(output: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """The absolute error, rounded off around zero: mean of `sqrt(error**2 + 1e-6)`.

    Args:
        output: `(B, T, C, H, W)`, 0..1.
        truth: the same shape and range.
        weight: what each frame counts, `(T,)`, with a sum of 1.

    Returns:
        A single number.

    Source: Charbonnier et al. 1994, "Two deterministic half-quadratic regularization algorithms for
    computed imaging"; for super-resolution Lai et al. 2017, "Deep Laplacian pyramid networks".
    """
    error = output - truth
    frames = (error * error + _EPSILON**2).sqrt().mean((-3, -2, -1))
    return (frames @ weight).mean()


def rmse(output: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """The root of the mean squared error of each sequence.

    Every sequence pulls equally hard. With the squared error those that are far off would pull
    hardest, with PSNR those that are nearly right.

    Args:
        output: `(B, T, C, H, W)`, 0..1.
        truth: the same shape and range.
        weight: what each frame counts, `(T,)`, with a sum of 1.

    Returns:
        A single number: the mean over sequences.
    """
    error = output - truth
    frames = (error * error).mean((-3, -2, -1))
    return (frames @ weight + _SMALLEST).sqrt().mean()


def steady_rmse(output: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """`rmse`, and as much again for what the error changes from frame to frame.

    An error that stays is softness; one that changes is flicker, which the eye follows.

    Args:
        output: `(B, T, C, H, W)`, 0..1.
        truth: the same shape and range.
        weight: what each frame counts, `(T,)`, with a sum of 1; for changes all count the same.

    Returns:
        A single number: the mean over sequences.
    """
    still = rmse(output, truth, weight)
    if output.shape[1] == 1:
        return still
    change = (output - truth).diff(dim=1)
    return still + ((change * change).mean((1, 2, 3, 4)) + _SMALLEST).sqrt().mean()
