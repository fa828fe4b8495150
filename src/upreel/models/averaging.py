"""New frames without motion: the frame before is held, or both neighbours are mixed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from upreel.models.upscaler import Spec, State, Window


class Average(nn.Module):
    """Each new frame is the mean of both neighbours: what moves is seen twice."""

    @property
    def spec(self) -> Spec:
        """The frame after; single pixels."""
        return Spec(scale=1, color="luma", rate=2, future=1, halo=0)

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Add what lies half-way to the next frame: see `Upscaler.step`."""
        frame = window.middle
        after = window.clip[:, -1:] if window.future else frame
        return torch.cat((frame, torch.lerp(frame, after, 0.5)), 1), {}


class Repeat(nn.Module):
    """Each new frame is the one before it: what moves does so in jerks."""

    @property
    def spec(self) -> Spec:
        """No context; single pixels."""
        return Spec(scale=1, color="luma", rate=2, halo=0)

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Show the frame twice: see `Upscaler.step`."""
        return window.middle.repeat_interleave(2, 1), {}
