"""Between pixels and features, in float32 whatever else runs in half precision.

Half precision would round the code values of 8 bits: see `ARCHITECTURE.md`.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.models.bicubic import Bicubic
from upreel.models.upscaler import Color

PLANES: dict[Color, int] = {"luma": 1, "rgb": 3}
"""Channels of a frame."""

_EVERY = slice(None)


def exactly(conv: nn.Conv2d, x: Tensor, *, channels: slice = _EVERY, biased: bool = True) -> Tensor:
    """Compute a convolution in float32.

    Args:
        conv: the layer.
        x: `(B, C, H, W)`.
        channels: those of the layer's input that `x` has: the whole layer is the sum of its parts.
        biased: whether its bias is added.
    """
    bias = conv.bias.float() if biased and conv.bias is not None else None
    with torch.autocast(x.device.type, enabled=False):
        return F.conv2d(
            x.float(), conv.weight[:, channels].float(), bias, conv.stride, conv.padding
        )


def type_of(layer: nn.Conv2d, device: torch.device) -> torch.dtype:
    """What a layer computes in."""
    if torch.is_autocast_enabled(device.type):
        return torch.get_autocast_dtype(device.type)
    return layer.weight.dtype


def interpolate(frame: Tensor, scale: int) -> Tensor:
    """Enlarge `(B, C, H, W)` by bicubic interpolation, in float32."""
    with torch.autocast(frame.device.type, enabled=False):
        high: Tensor = _bicubic(scale)(frame.float()[:, None])
    return high[:, 0]


@cache
def _bicubic(scale: int) -> Bicubic:
    return Bicubic(scale)


def tile_of(channels: int, scale: int) -> int:
    """The side of tiles whose features at high resolution take about a quarter of a gigabyte."""
    return max(32768 // (channels * scale) // 16 * 16, 32)
