"""What the project's own luma networks have in common: they add detail to bicubic interpolation.

Convolutions see and make detail, not brightness: what a pixel has over its blurred surroundings,
what an earlier output has over the interpolation. Detail is small, and is made about 1 for them.
The interpolation and the sum are computed in float32 whatever the convolutions run in, so that flat
areas keep their code values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.models.bicubic import interpolation_kernel
from upreel.models.linear import mirror
from upreel.ops.warp import gather_blocks

GAIN = 8.0
"""What makes detail, in 0..1, about 1."""


class Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same."""
        added: Tensor = self.second(F.relu(self.first(x), inplace=True))
        return added.add_(x)


class DetailNetwork(nn.Module):
    """See the head of this file. Whoever derives from it adds layers, the last one named `out`."""

    skip: Tensor
    out: nn.Conv2d

    def __init__(self, scale: int, phase: float) -> None:
        """Take the interpolation.

        Args:
            scale: how many times larger.
            phase: of the interpolation, see `Bicubic`; -1.5 for BD-DUF at a scale of 4.
        """
        super().__init__()
        self.scale = scale
        self.register_buffer("skip", _filters(scale, phase), persistent=False)

    def start(self) -> None:
        """Give all layers random weights that add almost nothing to the interpolation."""
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias if module.bias is not None else module.weight)
                gain = 0.3 if name.endswith("second") else 0.1 if name == "out" else 1.0
                module.weight.data.mul_(gain)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move or convert everything, but keep the interpolation in float32."""
        exact = self.skip
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.skip = exact.to(self.skip.device)
        return self

    @property
    def reach(self) -> int:
        """How far the interpolation looks around a pixel."""
        return self.skip.shape[-1] // 2

    def kind(self, device: torch.device) -> torch.dtype:
        """The type that convolutions run in."""
        if torch.is_autocast_enabled(device.type):
            return torch.get_autocast_dtype(device.type)
        return self.out.weight.dtype

    def interpolate(self, frame: Tensor) -> tuple[Tensor, Tensor]:
        """Filter a frame: one row for each input pixel, float32.

        Args:
            frame: `(B, 1, H, W)`.

        Returns:
            The pixel's output block by bicubic interpolation, `(B * H * W, scale**2)`, and what the
            pixel has over the mean of its 5x5 neighbours, `(B * H * W, 1)`.
        """
        with torch.autocast(frame.device.type, enabled=False):
            wide = mirror(frame.float(), self.reach)
            phases = F.conv2d(wide.contiguous(memory_format=torch.channels_last), self.skip)
        filtered = rows(phases)
        return filtered[:, :-1], filtered[:, -1:]

    def seen_of_last(self, output: Tensor, flow: Tensor, smooth: Tensor) -> Tensor:
        """What the last output, moved along the flow, has over the interpolation: as `smooth`."""
        return rows(gather_blocks(output, flow, self.scale)) - smooth

    def add(self, smooth: Tensor, detail: Tensor, shape: torch.Size) -> Tensor:
        """Add what `out` made, `(B, scale**2, H, W)`, and lay the blocks side by side.

        Returns:
            `(B, 1, H * scale, W * scale)`, float32, for frames of this shape.
        """
        batch, _, height, width = shape
        sums = torch.add(smooth, rows(detail), alpha=1 / GAIN)
        blocks = sums.view(batch, height, width, self.scale, self.scale).transpose(2, 3)
        return blocks.reshape(batch, 1, height * self.scale, width * self.scale)


def rows(image: Tensor) -> Tensor:
    """`(B, C, H, W)` as a table with one row for each pixel; free for channels-last memory."""
    return image.permute(0, 2, 3, 1).reshape(-1, image.shape[1])


def image_of(table: Tensor, shape: torch.Size) -> Tensor:
    """The reverse of `rows`, for frames `(B, ?, H, W)` of this shape."""
    return table.view(shape[0], *shape[2:], -1).permute(0, 3, 1, 2)


def _filters(scale: int, phase: float) -> Tensor:
    """Bicubic interpolation for each output phase, and a high pass: `(scale**2 + 1, 1, K, K)`."""
    cubic = interpolation_kernel(scale, phase=phase)
    size = cubic.shape[-1]
    high_pass = torch.zeros(1, 1, size, size)
    middle = slice(size // 2 - 2, size // 2 + 3)
    high_pass[..., middle, middle] = -1 / 25
    high_pass[..., size // 2, size // 2] += 1
    return torch.cat((cubic, high_pass)).contiguous(memory_format=torch.channels_last)
