"""Modulated deformable convolution, in plain torch operations.

Source: Zhu et al. 2019, "Deformable ConvNets v2", equation 1; offsets and masks are laid out as in
torchvision's `deform_conv2d` and the compiled operators that published networks were trained with.

One tap of the kernel at a time is sampled with `grid_sample` and summed up: on a CPU that is faster
than all taps at once, and it holds one sampled copy of the input instead of nine. On a GPU
torchvision's kernel is used where it can be imported.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

_Kernel = Callable[..., Tensor]


def deform_conv2d(
    x: Tensor, offset: Tensor, *, mask: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Tensor:
    """Convolve where each tap of the kernel looks somewhere else at every pixel.

    Stride 1, no dilation, and the padding that keeps the size. Outside `x` there are zeros. Places
    are computed and values are mixed in float32.

    Args:
        x: `(B, C, H, W)`.
        offset: `(B, 2 * groups * taps, H, W)`: for each of the groups that the channels of `x` are
            divided into, for each tap in the order of the kernel's rows: y, then x, in pixels.
        mask: `(B, groups * taps, H, W)`: what each tap counts.
        weight: `(D, C, K, K)`, `K` odd.
        bias: `(D,)`.

    Returns:
        `(B, D, H, W)`, in the type of `weight` (or of autocast).
    """
    kernel = _compiled() if x.is_cuda else None
    if kernel is not None:
        half = weight.shape[-1] // 2
        with torch.autocast(x.device.type, enabled=False):
            high = kernel(
                x.float(), offset.float(), weight.float(),
                None if bias is None else bias.float(), padding=half, mask=mask.float(),
            )  # fmt: skip
        return high.to(weight.dtype)
    return _sample_and_sum(x, offset, mask, weight, bias)


@lru_cache(maxsize=1)
def _compiled() -> _Kernel | None:
    """The one of torchvision, if it is here and fits the torch that is here."""
    try:
        return cast("_Kernel", import_module("torchvision.ops").deform_conv2d)
    except (ImportError, RuntimeError, OSError, AttributeError):
        return None


def _sample_and_sum(
    x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor | None
) -> Tensor:
    batch, channels, height, width = x.shape
    side = weight.shape[-1]
    taps = side * side
    groups = mask.shape[1] // taps
    image = x.float().reshape(batch * groups, channels // groups, height, width)
    moved = offset.float().reshape(batch * groups, taps, 2, height, width)
    counts = mask.float().reshape(batch * groups, taps, 1, height, width)
    rows = torch.arange(height, device=x.device, dtype=torch.float32)[:, None]
    columns = torch.arange(width, device=x.device, dtype=torch.float32)
    total = x.new_zeros(()) if bias is None else bias.view(1, -1, 1)
    for tap in range(taps):
        down, right = tap // side - side // 2, tap % side - side // 2
        places = torch.stack(
            (
                (2 * (moved[:, tap, 1] + columns + right) + 1) / width - 1,
                (2 * (moved[:, tap, 0] + rows + down) + 1) / height - 1,
            ),
            -1,
        )
        seen = F.grid_sample(image, places, align_corners=False) * counts[:, tap]
        part = weight[:, :, tap // side, tap % side].expand(batch, -1, -1)
        total = total + torch.bmm(part, seen.view(batch, channels, -1).to(weight.dtype))
    return total.view(batch, -1, height, width)
