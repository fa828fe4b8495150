"""A convolutional LSTM whose memory is aligned with each frame, and attention over time.

Source: the temporal part of MSITF (carpenterChina/MSITF), after Xiang et al. 2020, "Zooming
Slow-Mo"; layers and names of tensors as in the authors' code.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.models.pyramid import AlignSource, PyramidFeatures

_HEAD = 8
"""Channels of a head of the attention."""


class MemoryAlignment(PyramidFeatures):
    """Make of a frame's features and a memory what the frame remembers."""

    def forward(self, now: Tensor, memory: Tensor) -> Tensor:
        """Both `(B, C, H, W)`, to the same."""
        return self.fuse(self.build(now), self.build(memory))


class Cell(nn.Module):
    """The gates of an LSTM."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2 * channels, 4 * channels, 3, padding=1)

    def forward(self, now: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """The next hidden values and those of the cell, all `(B, C, H, W)`."""
        gates = self.conv(torch.cat((now, hidden), 1)).chunk(4, 1)
        add, keep, show = (gate.sigmoid() for gate in gates[:3])
        cell = keep * cell + add * gates[3].tanh()
        return show * cell.tanh(), cell


class DeformableLstm(nn.Module):
    """One layer that goes along a sequence."""

    def __init__(self, channels: int, source: AlignSource) -> None:
        super().__init__()
        self.cell_list = nn.ModuleList([Cell(channels)])
        self.pcd_h = MemoryAlignment(channels, source)
        self.pcd_c = MemoryAlignment(channels, source)

    def forward(self, sequence: Tensor) -> Tensor:
        """`(B, T, C, H, W)` to the same, from an empty memory."""
        hidden = cell = torch.zeros_like(sequence[:, 0])
        states = []
        for now in sequence.unbind(1):
            hidden, cell = self.cell_list[0](now, self.pcd_h(now, hidden), self.pcd_c(now, cell))
            states.append(hidden)
        return torch.stack(states, 1)


class BothWays(nn.Module):
    """The same layer from the beginning and from the end."""

    def __init__(self, channels: int, source: AlignSource) -> None:
        super().__init__()
        self.forward_net = DeformableLstm(channels, source)
        self.conv_1x1 = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, sequence: Tensor) -> Tensor:
        """`(B, T, C, H, W)` to the same."""
        ahead, back = self.forward_net(torch.cat((sequence, sequence.flip(1)))).chunk(2)
        both = torch.cat((ahead, back.flip(1)), 2)
        fused: Tensor = self.conv_1x1(both.flatten(0, 1))
        return fused.view_as(sequence)


class TemporalAttention(nn.Module):
    """Attention between the values of all instants at the same place, beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = channels // _HEAD
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)

    def forward(self, sequence: Tensor) -> Tensor:
        """`(B, T, C, H, W)` to the same."""
        tokens = sequence.permute(0, 3, 4, 1, 2)
        mixed = self.qkv(tokens).unflatten(-1, (3, self.heads, _HEAD))
        query, key, value = mixed.permute(4, 0, 1, 2, 5, 3, 6)
        seen = F.scaled_dot_product_attention(query, key, value)
        made = self.proj(seen.transpose(-2, -3).flatten(-2))
        attended: Tensor = sequence + made.permute(0, 3, 4, 1, 2)
        return attended
