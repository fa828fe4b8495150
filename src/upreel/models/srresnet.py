"""SRResNet, which is SRGAN's generator: single images, residual blocks with batch normalisation.

Source: Ledig et al. 2017, "Photo-realistic single image super-resolution using a generative
adversarial network"; layers and names of tensors as in leftthomas/SRGAN, which iSeeBetter carries
along: 5 blocks, one slope for each PReLU, no normalisation after the blocks, and a hyperbolic
tangent brought to 0..1 at the end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import count
from typing import cast

import torch
from torch import Tensor, nn

from upreel.models.pixels import PLANES, exactly, tile_of, type_of
from upreel.models.upscaler import Color, Spec, State, Window


class ResidualBlock(nn.Module):
    """Two convolutions with batch normalisation beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.prelu = nn.PReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same."""
        added: Tensor = self.bn2(self.conv2(self.prelu(self.bn1(self.conv1(x)))))
        return x + added


class UpsampleBlock(nn.Module):
    """A convolution to several pixels in place of one."""

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels * factor**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(factor)
        self.prelu = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to `(B, C, H * factor, W * factor)`."""
        y: Tensor = self.prelu(self.shuffle(self.conv(x)))
        return y


class SRResNet(nn.Module):
    """See the head of this file."""

    def __init__(
        self, scale: int = 4, *, color: Color = "rgb", blocks: int = 5, channels: int = 64
    ) -> None:
        """Build it with random weights.

        Args:
            scale: 2, 3, 4 or 8.
            color: what its frames are.
            blocks: residual blocks: 5 in that code, 16 in the paper.
            channels: of every layer.

        Raises:
            ValueError: the scale is none of these.
        """
        super().__init__()
        if scale not in {2, 3, 4, 8}:
            raise ValueError(f"expected a scale out of 2, 3, 4, 8, found {scale}")
        self.scale, self.color, self.blocks = scale, color, blocks
        self.channels = channels
        planes = PLANES[color]
        factors = [3] if scale == 3 else [2] * int(math.log2(scale))
        parts: list[nn.Module] = [
            nn.Sequential(nn.Conv2d(planes, channels, 9, padding=4), nn.PReLU()),
            *(ResidualBlock(channels) for _ in range(blocks)),
            nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.PReLU()),
            nn.Sequential(
                *(UpsampleBlock(channels, factor) for factor in factors),
                nn.Conv2d(channels, planes, 9, padding=4),
            ),
        ]
        for number, part in enumerate(parts, 1):
            self.add_module(f"block{number}", part)

    @staticmethod
    def arguments_of(tensors: Mapping[str, Tensor]) -> dict[str, int | str | bool] | None:
        """What the constructor has to be called with for published weights, if these are such."""
        if not {"block1.0.weight", "block2.bn1.weight"} <= tensors.keys():
            return None
        first = tensors["block1.0.weight"]
        blocks = next(n for n in count(1) if f"block{n + 2}.bn1.weight" not in tensors)
        tail = f"block{blocks + 3}"
        factors = [
            math.isqrt(len(tensors[key]) // len(first))
            for key in tensors
            if key.startswith(tail) and key.endswith(".conv.weight")
        ]
        return {
            "scale": math.prod(factors),
            "color": "luma" if first.shape[1] == 1 else "rgb",
            "blocks": blocks,
            "channels": len(first),
        }

    @property
    def spec(self) -> Spec:
        """A single frame, and a few pixels more for each block."""
        return Spec(
            scale=self.scale,
            color=self.color,
            halo=2 * self.blocks + 8,
            tile=tile_of(self.channels, self.scale),
        )

    def forward(self, clip: Tensor) -> Tensor:
        """Enlarge `(B, T, C, H, W)` to `(B, T, C, H * scale, W * scale)`, float32."""
        frame, (first, *parts, tail) = clip.flatten(0, 1), self.children()
        (entry, act), (*ups, last) = cast(nn.Sequential, first), cast(nn.Sequential, tail)
        entry, last = cast(nn.Conv2d, entry), cast(nn.Conv2d, last)
        begin: Tensor = act(exactly(entry, frame).to(type_of(entry, frame.device)))
        features = begin
        for part in parts:
            features = part(features)
        features = begin + features
        for part in ups:
            features = part(features)
        image = (torch.tanh(exactly(last, features)) + 1) / 2
        return image.view(*clip.shape[:2], *image.shape[1:])

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge the middle of a window: see `Upscaler.step`."""
        return self(window.middle), {}
