"""Gaussian blur, and the two blurs-with-decimation that the field calls BD."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def gaussian_kernel(sigma: float, size: int, *, device: torch.device | None = None) -> Tensor:
    """Samples of a Gaussian at whole (odd size) or half (even size) offsets, with sum 1.

    Returns:
        `(size,)`, float64.
    """
    offset = torch.arange(size, dtype=torch.float64, device=device) - (size - 1) / 2
    weight = torch.exp(-offset * offset / (2 * sigma * sigma))
    return weight / weight.sum()


def gaussian_blur(image: Tensor, sigma: float) -> Tensor:
    """Blur the last two axes with a Gaussian cut at four sigma; mirrored border.

    Args:
        image: `(..., H, W)`, float.
        sigma: in pixels; zero or less returns the image itself.
    """
    if sigma <= 0:
        return image
    reach = max(1, round(4 * sigma))
    kernel = gaussian_kernel(sigma, 2 * reach + 1, device=image.device).to(image.dtype)
    return _separable(image, kernel, pad=(reach, reach), stride=1, border="symmetric")


def slanted_blur(image: Tensor, sigmas: tuple[float, float], angle: float) -> Tensor:
    """Blur the last two axes with an elliptic Gaussian, cut at four sigma; mirrored border.

    Args:
        image: `(C, H, W)`, float.
        sigmas: along the first and the second axis of the ellipse, in pixels, above zero.
        angle: of the first axis, radians from the rows, downwards (y points down).
    """
    reach = max(1, round(4 * max(sigmas)))
    offset = torch.arange(-reach, reach + 1, dtype=torch.float64, device=image.device)
    y, x = offset[:, None], offset[None]
    along = x * math.cos(angle) + y * math.sin(angle)
    across = y * math.cos(angle) - x * math.sin(angle)
    kernel = torch.exp(-0.5 * ((along / sigmas[0]) ** 2 + (across / sigmas[1]) ** 2))
    kernel = (kernel / kernel.sum()).to(image.dtype)
    for axis in (-2, -1):
        size = image.shape[axis]
        at = torch.arange(-reach, size + reach, device=image.device)
        image = image.index_select(axis, _inside(at, size, "symmetric"))
    return F.conv2d(image[:, None], kernel[None, None])[:, 0]


def bd_duf(image: Tensor, scale: int = 4) -> Tensor:
    """BD degradation of DUF: sigma `0.4 * scale`, 13x13, reflected border, first of each `scale`.

    Args:
        image: `(..., H, W)`, float.
        scale: every `scale`-th sample is kept, from index 0.

    Returns:
        `(..., H // scale, W // scale)`.

    Source: Jo et al. 2018, "Deep video super-resolution network using dynamic upsampling filters";
    BasicSR `duf_downsample`.
    """
    kernel = gaussian_kernel(0.4 * scale, 13, device=image.device).to(image.dtype)
    return _separable(image, kernel, pad=(6, 6), stride=scale, border="reflect")


def bd_basicvsr(image: Tensor, scale: int = 4) -> Tensor:
    """BD degradation of BasicVSR: sigma 1.6, 12x12, replicated border, sampled at block centres.

    Args:
        image: `(..., H, W)`, float; sizes are multiples of `scale`.
        scale: 4 is the only one in use.

    Returns:
        `(..., H / scale, W / scale)`.

    Source: MATLAB `imfilter` with an even kernel, then `[2:4:end]` (counted from 1), as published
    with BasicVSR (Chan et al. 2021).
    """
    kernel = gaussian_kernel(1.6, 12, device=image.device).to(image.dtype)
    first = scale // 2 - 1
    return _separable(image, kernel, pad=(5 - first, 6), stride=scale, border="replicate")


def _separable(
    image: Tensor, kernel: Tensor, *, pad: tuple[int, int], stride: int, border: str
) -> Tensor:
    for axis in (-2, -1):
        image = _along(image, kernel, axis=axis, pad=pad, stride=stride, border=border)
    return image


def _along(
    image: Tensor, kernel: Tensor, *, axis: int, pad: tuple[int, int], stride: int, border: str
) -> Tensor:
    """Correlate one axis with a kernel and keep `size // stride` results."""
    size = image.shape[axis]
    at = torch.arange(-pad[0], size + pad[1], device=image.device)
    wide = image.index_select(axis, _inside(at, size, border)).transpose(axis, -1)
    flat = wide.reshape(-1, 1, wide.shape[-1])
    result = F.conv1d(flat, kernel.view(1, 1, -1), stride=stride)[..., : size // stride]
    return result.view(*wide.shape[:-1], -1).transpose(axis, -1)


def _inside(at: Tensor, size: int, border: str) -> Tensor:
    """Map positions beyond the border to those inside."""
    if border == "replicate" or size == 1:
        return at.clamp(0, size - 1)
    if border == "symmetric":
        at = at.remainder(2 * size)
        return torch.minimum(at, 2 * size - 1 - at)
    at = at.remainder(2 * size - 2)
    return torch.minimum(at, 2 * size - 2 - at)
