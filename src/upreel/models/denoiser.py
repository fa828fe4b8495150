"""Denoiser of scans: from what a burst says of a scan to the scan without noise.

Ours. A small U-net whose blocks also see the mean and the slope of their features along each whole
row, because that is how the noise of a scanning microscope lies; it never sees the part of the base
that it is asked for (`visible`), so that it can be trained without clean scans: Noise2Noise
(Lehtinen et al. 2018) between the scans of a burst, with masks along the scan line as in StructN2V
(Broaddus et al. 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_CHANNELS = 7
_LIMIT = 3.0  # of what differs from the mean, in parts of the roughness: outliers say no more


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the network is told; heights are levelled and divided by the roughness of the mean.

    Attributes:
        mean: `(B, 1, H, W)`, of the other scans of the burst.
        noise: `(B, 1, H, W)`, standard deviation of the noise in the mean.
        spread: `(B, 1, H, W)`, what the others differ from the mean.
        shown: `(B, 1, H, W)`, the base, rows fitted to the mean.
        before: `(B, 1, H, W)`, the scan before it likewise.
        after: `(B, 1, H, W)`, the scan after it likewise.
    """

    mean: Tensor
    noise: Tensor
    spread: Tensor
    shown: Tensor
    before: Tensor
    after: Tensor


class ScanDenoiser(nn.Module):
    """A U-net of three levels that adds to the mean of the burst what it lacks."""

    def __init__(self, *, channels: int = 16) -> None:
        """Build it with random weights.

        Args:
            channels: of the finest level; the other two have two and three times as many.
        """
        super().__init__()
        fine, half, quarter = channels, 2 * channels, 3 * channels
        self.first = nn.Conv2d(_CHANNELS, fine, 3, padding=1)
        self.before = nn.Sequential(RowBlock(fine), RowBlock(fine))
        self.down = nn.Conv2d(fine, half, 2, stride=2)
        self.middle = nn.Sequential(RowBlock(half), RowBlock(half))
        self.deep_down = nn.Conv2d(half, quarter, 2, stride=2)
        self.deep = nn.Sequential(RowBlock(quarter), RowBlock(quarter))
        self.deep_up = nn.ConvTranspose2d(quarter, half, 2, stride=2)
        self.middle_after = RowBlock(half)
        self.up = nn.ConvTranspose2d(half, fine, 2, stride=2)
        self.after = nn.Sequential(RowBlock(fine), RowBlock(fine))
        self.last = nn.Conv2d(fine, 1, 3, padding=1)
        with torch.no_grad():  # so that training begins with the mean of the burst
            for parameter in self.last.parameters():
                parameter.zero_()

    def forward(self, evidence: Evidence, visible: Tensor) -> Tensor:
        """Estimate the base without noise.

        Args:
            evidence: what the burst says.
            visible: `(B, 1, H, 1)` or `(B, 1, H, W)`, 1 where the base may be looked at, 0 where
                it is hidden.

        Returns:
            `(B, 1, H, W)`, as the heights of the evidence.
        """
        mean = evidence.mean
        seen = visible.expand_as(mean)
        news = [
            (scan - mean).clamp(-_LIMIT, _LIMIT)
            for scan in (evidence.shown * seen + mean * (1 - seen), evidence.before, evidence.after)
        ]
        spread = evidence.spread.clamp(max=_LIMIT)
        features = torch.cat([mean, evidence.noise, spread, seen, *news], dim=1)
        height, width = mean.shape[-2:]
        features = F.pad(features, (0, -width % 4, 0, -height % 4), mode="replicate")
        added = self._added(features)[..., :height, :width]
        result: Tensor = mean + added
        return result

    def _added(self, features: Tensor) -> Tensor:
        fine = self.before(self.first(features))
        half = self.middle(self.down(fine))
        quarter = self.deep(self.deep_down(half))
        half = self.middle_after(half + self.deep_up(quarter))
        added: Tensor = self.last(self.after(fine + self.up(half)))
        return added


class RowBlock(nn.Module):
    """Two convolutions, and between them what whole rows have in common."""

    def __init__(self, channels: int) -> None:
        """Build it with random weights."""
        super().__init__()
        self.inner = nn.Conv2d(channels, channels, 3, padding=1)
        self.rows = nn.Conv1d(2 * channels, 2 * channels, 5, padding=2)
        self.act = nn.PReLU(channels)
        self.outer = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same."""
        inner = self.inner(features)
        x = torch.linspace(-1, 1, features.shape[-1], device=features.device)
        level, slope = inner.mean(-1), (inner * x).mean(-1) * 3
        offset, tilt = self.rows(torch.cat([level, slope], dim=1)).chunk(2, dim=1)
        inner = inner + offset[..., None] + tilt[..., None] * x
        result: Tensor = features + self.outer(self.act(inner))
        return result
