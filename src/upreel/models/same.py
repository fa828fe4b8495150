"""Frames as they are, for a pipeline that changes only time."""

from __future__ import annotations

from torch import Tensor

from upreel.models.upscaler import Spec, State, Window


class Same:
    """Hands on the luma of each frame."""

    @property
    def spec(self) -> Spec:
        """Single frames, single pixels."""
        return Spec(scale=1, color="luma", halo=0)

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Hand on the middle frames: see `Upscaler.step`."""
        return window.middle, state
