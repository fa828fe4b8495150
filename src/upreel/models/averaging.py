"""New frames without motion: both neighbours are mixed, or the frame before is held."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from upreel.models.interpolator import Between, double
from upreel.models.upscaler import Spec, State, Window


class Average(nn.Module):
    """Each new frame is the mean of both neighbours: what moves is seen twice."""

    @property
    def spec(self) -> Spec:
        """The frame after; single pixels."""
        return Spec(scale=1, color="luma", rate=2, future=1, halo=0)

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Add what lies half-way to the next frame: see `Upscaler.step`."""
        return double(self, window), {}

    def between(self, window: Window, instants: Sequence[float]) -> list[Between]:
        """Mix the neighbours by how near they are: see `Interpolator.between`."""
        return [_mix(window, 1 - instant) for instant in instants]


class Repeat(Average):
    """Each new frame is the one before it: what moves does so in jerks."""

    def between(self, window: Window, instants: Sequence[float]) -> list[Between]:
        """Show the frame before, at every instant: see `Interpolator.between`."""
        return [_mix(window, 1.0) for _ in instants]


def _mix(window: Window, share: float) -> Between:
    """Both neighbours in place, `share` of the frame before."""
    before, after = window.middle[:, 0], window.clip[:, window.past + 1]
    size = (len(before), 1, *before.shape[-2:])
    return Between(
        torch.lerp(after, before, share),
        before.new_zeros(len(before), 2, 2, *before.shape[-2:]),
        before.new_full(size, share),
        before.new_zeros(size),
    )
