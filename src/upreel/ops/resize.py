"""One separable resampler for everything that changes size: `imresize`, Lanczos, chroma siting.

A row (or column) of the output is a weighted sum of a few rows of the input. `taps` computes which
ones and with what weights; `resize` applies them along both axes. Every resize of the project goes
through here, so there is one definition of phase, border and antialiasing.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

Kernel = Literal["cubic", "lanczos3", "linear"]

_SUPPORT: dict[Kernel, float] = {"cubic": 4.0, "lanczos3": 6.0, "linear": 2.0}


def _kernel(name: Kernel, x: Tensor) -> Tensor:
    """Value of the interpolation kernel at distance `x` (any shape, float64)."""
    x = x.abs()
    if name == "cubic":  # Keys 1981 with a = -0.5, as MATLAB
        near = (1.5 * x - 2.5) * x * x + 1.0
        far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
        return torch.where(x <= 1, near, torch.where(x <= 2, far, torch.zeros_like(x)))
    if name == "lanczos3":
        return torch.where(x < 3, torch.sinc(x) * torch.sinc(x / 3), torch.zeros_like(x))
    return (1.0 - x).clamp_min(0.0)


@lru_cache(maxsize=256)
def taps(
    size: int,
    out_size: int,
    *,
    kernel: Kernel = "cubic",
    scale: float | None = None,
    shift: float = 0.0,
    antialias: bool = True,
) -> tuple[Tensor, Tensor]:
    """Input indices and weights of every output sample along one axis.

    Output sample `i` lies at input coordinate `(i + 0.5) / scale - 0.5 + shift`, where input
    samples lie at whole numbers.
    The border is mirrored with the edge sample repeated, as MATLAB does.

    Args:
        size: input length, samples.
        out_size: output length, samples.
        kernel: interpolation kernel; its support is widened by `1 / scale` when shrinking.
        scale: output samples per input sample; `out_size / size` if not given.  MATLAB's
            `imresize(image, 1/4)` of 61 rows gives 16 rows with `scale` exactly 0.25.
        shift: moves all sampling positions, in input samples (chroma siting, BD phases).
        antialias: widen the kernel when `scale < 1`.

    Returns:
        `(indices, weights)`: int64 and float64, both `(out_size, n)`; the weights of each
        output sample sum to 1.

    Source: MATLAB `imresize` (contributions), as in BasicSR `matlab_functions.py`.
    """
    if size < 1 or out_size < 1:
        raise ValueError(f"a resize needs sizes of at least 1, found {size} -> {out_size}")
    ratio = out_size / size if scale is None else scale
    stretch = min(ratio, 1.0) if antialias else 1.0
    width = _SUPPORT[kernel] / stretch
    center = (torch.arange(out_size, dtype=torch.float64) + 0.5) / ratio - 0.5 + shift
    first = torch.floor(center - width / 2).long()
    position = first[:, None] + torch.arange(math.ceil(width) + 2)
    weights = _kernel(kernel, (center[:, None] - position) * stretch)
    weights = weights / weights.sum(1, keepdim=True)
    used = (weights != 0).any(0).nonzero()
    span = slice(int(used.min()), int(used.max()) + 1)
    position, weights = position[:, span], weights[:, span]
    folded = position.remainder(2 * size)
    return torch.where(folded < size, folded, 2 * size - 1 - folded), weights


@lru_cache(maxsize=256)
def _matrix(
    size: int,
    out_size: int,
    kernel: Kernel,
    scale: float | None,
    shift: float,
    antialias: bool,
    dtype: torch.dtype,
) -> Tensor:
    indices, weights = taps(
        size, out_size, kernel=kernel, scale=scale, shift=shift, antialias=antialias
    )
    dense = torch.zeros(out_size, size, dtype=torch.float64)
    return dense.scatter_add_(1, indices, weights).to(dtype)


def _along_rows(image: Tensor, indices: Tensor, weights: Tensor) -> Tensor:
    """Resample dimension -2 by a short sum of gathered rows, cheap for long axes too."""
    out = image.index_select(-2, indices[:, 0]) * weights[:, :1]
    for k in range(1, indices.shape[1]):
        out.addcmul_(image.index_select(-2, indices[:, k]), weights[:, k : k + 1])
    return out


def resize(
    image: Tensor,
    size: tuple[int, int],
    *,
    kernel: Kernel = "cubic",
    scale: tuple[float, float] | float | None = None,
    shift: tuple[float, float] = (0.0, 0.0),
    antialias: bool = True,
) -> Tensor:
    """Resize the last two dimensions.

    Args:
        image: `(..., H, W)`, float; any range.
        size: output `(height, width)`.
        kernel: `cubic` (a = -0.5), `lanczos3` or `linear`.
        scale: output samples per input sample, one number or (vertical, horizontal); from the
            sizes if not given.
        shift: (vertical, horizontal) displacement of all sampling positions, in input samples.
        antialias: widen the kernel when shrinking.

    Returns:
        `(..., *size)`, same dtype; not clamped (cubic and Lanczos overshoot).
    """
    if image.ndim < 2 or not image.is_floating_point():
        raise TypeError(
            f"resize expects a float tensor (..., H, W), found {image.dtype} {tuple(image.shape)}"
        )
    vertical, horizontal = scale if isinstance(scale, tuple) else (scale, scale)
    height, width = image.shape[-2:]
    wide = _matrix(width, size[1], kernel, horizontal, shift[1], antialias, image.dtype).to(
        image.device
    )
    index, weight = taps(
        height, size[0], kernel=kernel, scale=vertical, shift=shift[0], antialias=antialias
    )
    index, weight = index.to(image.device), weight.to(image)
    if size[0] < height:  # fewer rows first
        return _along_rows(image, index, weight) @ wide.T
    return _along_rows(image @ wide.T, index, weight)


def imresize(image: Tensor, scale: float) -> Tensor:
    """MATLAB's `imresize(image, scale)`: antialiased bicubic, output size rounded up.

    Args:
        image: `(..., H, W)`, float.
        scale: output samples per input sample, for example `1 / 4`.

    Returns:
        `(..., ceil(H * scale), ceil(W * scale))`, not clamped and not rounded.
    """
    height, width = (math.ceil(n * scale - 1e-9) for n in image.shape[-2:])
    return resize(image, (height, width), scale=scale)
