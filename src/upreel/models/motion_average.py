"""The mean of both neighbours, moved along optical flow: what interpolators are compared with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from upreel.models.interpolator import Between, double, flow_at
from upreel.models.upscaler import Spec, State, Window
from upreel.ops.warp import warp

# Sundaram et al. 2010, "Dense point trajectories by GPU-accelerated large displacement optical
# flow", equation 5: flow there and back may miss by a hundredth of its squared length and half a
# square pixel.
_RELATIVE, _ABSOLUTE = 0.01, 0.5
_APART = 0.1  # of the range, between two neighbours of which one is wrong


class MotionAverage:
    """Both neighbours are warped to the instant; the nearer one counts more.

    A pixel that one of them hides, because flow there and back does not return to it, is taken from
    the other alone; one that both hide, from both.
    """

    def __init__(self, scale: int = 1, *, masks: bool = True) -> None:
        """Choose how.

        Args:
            scale: 1; frames keep their size.
            masks: whether pixels that a neighbour hides are left out of the mean.
        """
        if scale != 1:
            raise ValueError(f"expected a scale of 1, found {scale}")
        self.masks = masks

    @property
    def spec(self) -> Spec:
        """Two frames with flow there and back."""
        return Spec(
            scale=1, color="luma", rate=2, future=1, inputs=frozenset({"flow", "flow_back"})
        )

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Make the frame half-way to the next: see `Upscaler.step`."""
        return double(self, window), state

    def between(self, window: Window, instants: Sequence[float]) -> list[Between]:
        """Make frames at instants: see `Interpolator.between`."""
        before, after = window.clip[:, -2], window.clip[:, -1]
        there, back = window.inputs["flow"][:, 0, 0], window.inputs["flow_back"][:, 0, 0]
        seen = [_returns(there, back), _returns(back, there)]
        made = []
        for instant in instants:
            flow = flow_at(there, back, instant)
            first, second = warp(before, flow[:, 0]), warp(after, flow[:, 1])
            near, far = (warp(seen[side], flow[:, side]) for side in (0, 1))
            hidden = (1 - near) * (1 - far)
            # Where both are hidden that alone counts, and shares fall back to the instant.
            near, far = (near + hidden, far + hidden) if self.masks else (1 + 0 * near, 1 + 0 * far)
            near, far = near * (1 - instant), far * instant
            weight = near / (near + far)
            frame = weight * first + (1 - weight) * second
            # In a clear sky flow goes anywhere, and both neighbours fit all the same.
            doubt = hidden * ((first - second).abs() / _APART).clamp(max=1)
            made.append(Between(frame, flow, weight, doubt))
        return made


def _returns(flow: Tensor, back: Tensor) -> Tensor:
    """Where flow leads to a pixel whose own flow leads back: `(B, 1, H, W)`, 0 or 1."""
    met = warp(back, flow)
    miss = (flow + met).square().sum(1, keepdim=True)
    length = flow.square().sum(1, keepdim=True) + met.square().sum(1, keepdim=True)
    return torch.where(miss <= _RELATIVE * length + _ABSOLUTE, 1.0, 0.0)
