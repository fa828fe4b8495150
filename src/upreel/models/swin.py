"""Swin-V2 for restoration: attention in windows that shift, beside convolutions.

Source: Conde et al. 2022, "Swin2SR: SwinV2 transformer for compressed image super-resolution and
restoration", after Liu et al. 2022, "Swin transformer V2". Layers, names of tensors and the first
weights as in the trunk of MSITF.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WINDOW = 8
"""Side of a window; frames are multiples of it."""

_SHIFT = WINDOW // 2
_KEPT = 32
"""Side of the frames whose mask the published weights hold."""
_HIDDEN = 512
_STEEPEST = math.log(100)
_APART = -100.0
"""Added between pixels that only the shift brought together."""
_DROPPED = 0.1
"""How often the last branch of all is left out while training; earlier ones are less often."""


class Attention(nn.Module):
    """Attention in a window: likeness is the cosine; what place adds is learned from distances."""

    relative_coords_table: Tensor
    relative_position_index: Tensor

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.logit_scale = nn.Parameter(torch.full((heads, 1, 1), math.log(10)))
        self.q_bias = nn.Parameter(torch.zeros(channels))
        self.v_bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("relative_coords_table", _distances())
        self.register_buffer("relative_position_index", _pairs())
        self.cpb_mlp = nn.Sequential(
            nn.Linear(2, _HIDDEN), nn.ReLU(inplace=True), nn.Linear(_HIDDEN, heads, bias=False)
        )
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.proj = nn.Linear(channels, channels)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """`(B, N, P, C)`, `N` windows of `P` pixels, to the same; `mask` is `(N, P, P)`."""
        bias = torch.cat((self.q_bias, torch.zeros_like(self.q_bias), self.v_bias))
        mixed = F.linear(x, self.qkv.weight, bias).view(*x.shape[:-1], 3, self.heads, -1)
        query, key, value = mixed.permute(3, 0, 1, 4, 2, 5)
        # Cosines are multiplied by up to 100: bf16 would round them too coarsely.
        like = F.normalize(query.float(), dim=-1) @ F.normalize(key.float(), dim=-1).mT
        like = like * self.logit_scale.float().clamp(max=_STEEPEST).exp() + self._places()
        if mask is not None:
            like = like + mask[:, None]
        made = like.softmax(-1).to(value.dtype) @ value
        out: Tensor = self.proj(made.transpose(2, 3).flatten(-2))
        return out

    def _places(self) -> Tensor:
        """What the places of two pixels add to their likeness, `(heads, P, P)`."""
        table = self.cpb_mlp(self.relative_coords_table).flatten(0, -2).float()
        added: Tensor = 16 * table[self.relative_position_index].permute(2, 0, 1).sigmoid()
        return added


class Perceptron(nn.Module):
    """Two layers on each pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, 2 * channels)
        self.fc2 = nn.Linear(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """`(..., C)` to the same."""
        y: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return y


class Block(nn.Module):
    """Attention and a perceptron, each normalised and then added."""

    attn_mask: Tensor

    def __init__(self, channels: int, heads: int, *, shifted: bool, dropped: float) -> None:
        super().__init__()
        self.shifted, self.dropped = shifted, dropped
        if shifted:
            self.register_buffer("attn_mask", _borders(_KEPT, _KEPT))
        self.norm1 = nn.LayerNorm(channels)
        self.attn = Attention(channels, heads)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = Perceptron(channels)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, H, W, C)`, sides multiples of the window, to the same."""
        x = x + self._branch(self.norm1(self._attend(x)))
        return x + self._branch(self.norm2(self.mlp(x)))

    def _attend(self, x: Tensor) -> Tensor:
        batch, height, width, channels = x.shape
        mask = None
        if self.shifted:
            x = x.roll((-_SHIFT, -_SHIFT), (1, 2))
            kept = (height, width) == (_KEPT, _KEPT)
            mask = self.attn_mask if kept else _borders(height, width).to(x)
        grid = (batch, height // WINDOW, WINDOW, width // WINDOW, WINDOW, channels)
        windows = x.view(grid).transpose(2, 3)
        made = self.attn(windows.flatten(3, 4).flatten(1, 2), mask)
        x = made.reshape(windows.shape).transpose(2, 3).reshape(x.shape)
        return x.roll((_SHIFT, _SHIFT), (1, 2)) if self.shifted else x

    def _branch(self, x: Tensor) -> Tensor:
        """While training, left out at times (Huang et al. 2016, stochastic depth)."""
        if not (self.training and self.dropped):
            return x
        kept = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.dropped
        return x * (kept / (1 - self.dropped)).to(x.dtype)


class Embedding(nn.Module):
    """A convolution that makes tokens of a frame, and may normalise them."""

    def __init__(self, channels: int, *, normalised: bool = False) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, channels, 1)
        self.norm = nn.LayerNorm(channels) if normalised else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to `(B, H, W, C)`."""
        tokens: Tensor = self.norm(self.proj(x).permute(0, 2, 3, 1))
        return tokens


class Blocks(nn.Module):
    """Blocks one after the other; the windows of every second one are shifted."""

    def __init__(self, channels: int, heads: int, dropped: list[float]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(
                Block(channels, heads, shifted=place % 2 == 1, dropped=share)
                for place, share in enumerate(dropped)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """`(B, H, W, C)` to the same."""
        y: Tensor = self.blocks(x)
        return y


class Group(nn.Module):
    """Blocks and a convolution beside a shortcut."""

    def __init__(self, channels: int, heads: int, dropped: list[float]) -> None:
        super().__init__()
        self.residual_group = Blocks(channels, heads, dropped)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.patch_embed = Embedding(channels)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, H, W, C)` to the same."""
        y: Tensor = self.patch_embed(self.conv(self.residual_group(x).permute(0, 3, 1, 2)))
        return x + y


class SwinTrunk(nn.Module):
    """Groups of two blocks each between convolutions, beside a shortcut."""

    def __init__(self, channels: int, groups: int, heads: int) -> None:
        super().__init__()
        self.conv_first = nn.Conv2d(channels, channels, 3, padding=1)
        self.patch_embed = Embedding(channels, normalised=True)
        shares = torch.linspace(0, _DROPPED, 2 * groups).tolist()
        self.layers = nn.Sequential(
            *(Group(channels, heads, shares[2 * place : 2 * place + 2]) for place in range(groups))
        )
        self.norm = nn.LayerNorm(channels)
        self.conv_after_body = nn.Conv2d(channels, channels, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)`, sides multiples of the window, to the same."""
        shallow = self.conv_first(x)
        deep = self.norm(self.layers(self.patch_embed(shallow)))
        y: Tensor = shallow + self.conv_after_body(deep.permute(0, 3, 1, 2))
        return y


def _distances() -> Tensor:
    """Of two pixels of a window, rows then columns, on a logarithmic scale: `(1, 15, 15, 2)`."""
    steps = torch.arange(1 - WINDOW, WINDOW, dtype=torch.float32) * 8 / (WINDOW - 1)
    scaled = steps.sign() * torch.log2(steps.abs() + 1) / math.log2(8)
    return torch.stack(torch.meshgrid(scaled, scaled, indexing="ij"), -1)[None]


def _pairs() -> Tensor:
    """Where the distance of each two pixels stands in the table, `(P, P)`."""
    row, column = torch.arange(WINDOW**2) // WINDOW, torch.arange(WINDOW**2) % WINDOW
    down, right = (at[:, None] - at[None] + WINDOW - 1 for at in (row, column))
    return down * (2 * WINDOW - 1) + right


def _borders(height: int, width: int) -> Tensor:
    """What keeps apart, in windows of a shifted frame, pixels of opposite sides: `(N, P, P)`."""
    sides = []
    for size in (height, width):
        at = torch.arange(size)
        sides.append((at >= size - WINDOW).int() + (at >= size - _SHIFT).int())
    parts = 3 * sides[0][:, None] + sides[1]
    grid = parts.view(height // WINDOW, WINDOW, width // WINDOW, WINDOW).transpose(1, 2)
    windows = grid.reshape(-1, WINDOW**2)
    apart = windows[:, None] != windows[:, :, None]
    return torch.where(apart, _APART, 0.0)
