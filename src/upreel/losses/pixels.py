"""Losses that compare pixel by pixel, and two that look at a frame's neighbours and frequencies.

Each takes `output` and `truth`, `(B, T, C, H, W)` in 0..1, and `weight`, what each frame counts:
`(T,)` with a sum of 1. Each returns a single number.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""An option that is divided by, or keeps a root away from 0: recipes are held to it."""

_SMALLEST = 1e-8


def over_frames(error: Tensor, weight: Tensor) -> Tensor:
    """The mean over the pixels of each frame, weighted over frames, averaged over sequences."""
    return (error.mean((-3, -2, -1)) @ weight.to(error)).mean()


def l1(output: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """The mean absolute error."""
    return over_frames((output - truth).abs(), weight)


def mse(output: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """The mean squared error."""
    return over_frames((output - truth).square(), weight)


def charbonnier(
    output: Tensor,
    truth: Tensor,
    weight: Tensor,
    *,
    eps: Positive = 1e-3,
    reduction: Literal["mean", "sum"] = "mean",
) -> Tensor:
    """The absolute error, rounded off around zero: `sqrt(error**2 + eps**2)`.

    Args:
        output: `(B, T, C, H, W)`, 0..1.
        truth: the same shape and range.
        weight: what each frame counts, `(T,)`, with a sum of 1.
        eps: where it turns from square to absolute.
        reduction: `mean` over all pixels, or `sum` over the pixels and frames of the batch (frames
            that all count alike then count 1 each), as EDVR was trained.

    Source: Charbonnier et al. 1994, "Two deterministic half-quadratic regularization algorithms for
    computed imaging"; for super-resolution Lai et al. 2017, "Deep Laplacian pyramid networks".
    """
    error = output - truth
    rounded = (error * error + eps**2).sqrt()
    mean = over_frames(rounded, weight)
    return mean * rounded.numel() if reduction == "sum" else mean


def huber(output: Tensor, truth: Tensor, weight: Tensor, *, delta: Positive = 0.01) -> Tensor:
    """Half the squared error below `delta`, `delta * (|error| - delta / 2)` above (Huber 1964)."""
    return over_frames(F.huber_loss(output, truth, reduction="none", delta=delta), weight)


def rmse(output: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """The root of the mean squared error of each sequence, averaged over sequences.

    Every sequence pulls equally hard. With the squared error those that are far off would pull
    hardest, with PSNR those that are nearly right.
    """
    error = output - truth
    frames = (error * error).mean((-3, -2, -1))
    return (frames @ weight.to(frames) + _SMALLEST).sqrt().mean()


def frequency(output: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """The mean absolute error of real and imaginary part of the (orthonormal) Fourier transform.

    Source: Cho et al. 2021, "Rethinking coarse-to-fine approach in single image deblurring".
    """
    spectrum = torch.fft.fft2(output - truth, norm="ortho")
    return over_frames(torch.view_as_real(spectrum).abs().mean(-1), weight)


def total_variation(output: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Twice the mean squared difference of neighbours, over rows and over columns.

    The truth is not looked at. Source: iSeeBetter (Chadha et al. 2020), as in its authors' code.
    """
    rows = (output[..., 1:, :] - output[..., :-1, :]).square()
    columns = (output[..., 1:] - output[..., :-1]).square()
    return 2 * (over_frames(rows, weight) + over_frames(columns, weight))


def temporal_difference(output: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Root of the mean squared change of the error from frame to frame, for each clip.

    An error that stays is softness; one that changes is flicker, which the eye follows.

    Args:
        output: `(B, T, C, H, W)`, 0..1.
        truth: the same shape and range.
        weight: `(T,)`; all changes count the same.

    Returns:
        A single number: the mean over clips; 0 for single frames.
    """
    change = (output - truth).diff(dim=1)
    if not change.numel():
        return output.sum() * 0
    return ((change * change).mean((1, 2, 3, 4)) + _SMALLEST).sqrt().mean()
