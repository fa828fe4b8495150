"""The optical flow that windows come with, each found once."""

from __future__ import annotations

import torch
from torch import Tensor

from upreel.models.upscaler import Input, Spec
from upreel.ops.flow import find_flow


class MotionFinder:
    """Finds the flow of one window after the other.

    Neighbouring windows share frames, and interpolators ask for flow in both directions: what leads
    back from the next frame in one window leads to the frame before in the next.
    """

    def __init__(self, spec: Spec) -> None:
        """For an upscaler with this spec."""
        self._spec = spec
        self._known: dict[tuple[int, int], Tensor] = {}

    def inputs(self, clip: Tensor, first: int, past: int, future: int) -> dict[Input, Tensor]:
        """Flow as `Window.inputs` has it.

        Args:
            clip: frames of a window, `(1, T, C, H, W)`, 0..1.
            first: the number of the first of them in the stream; windows come in their order.
            past: how many of them lie before the middle.
            future: how many lie after it.
        """
        if not self._spec.inputs:
            return {}
        offsets = [*range(-self._spec.past, 0), *range(1, self._spec.future + 1)]
        count = clip.shape[1]
        ways = [(at, at + offset) for at in range(past, count - future) for offset in offsets]
        there = {way for way in ways if 0 <= way[1] < count}
        both = there if "flow" in self._spec.inputs else set()
        if "flow_back" in self._spec.inputs:
            both = both | {(end, start) for start, end in there}
        known = self._find(clip[0], first, sorted(both))
        nothing = clip.new_zeros(2, *clip.shape[-2:], dtype=torch.float32)
        found: dict[Input, Tensor] = {}
        for name in self._spec.inputs:
            turned = [way[::-1] if name == "flow_back" else way for way in ways]
            flow = torch.stack([known.get(way, nothing) for way in turned])
            found[name] = flow.view(1, -1, len(offsets), *nothing.shape)
        return found

    def _find(
        self, frames: Tensor, first: int, ways: list[tuple[int, int]]
    ) -> dict[tuple[int, int], Tensor]:
        """Flow from frames to others, by their places in the window; what is missing is found."""
        kept = {}
        for start, end in ways:
            if (start + first, end + first) in self._known:
                kept[start, end] = self._known[start + first, end + first]
        missing = [way for way in ways if way not in kept]
        if missing:
            starts, ends = map(list, zip(*missing, strict=True))
            flow = find_flow(frames[starts], frames[ends], provider=self._spec.flow)
            kept.update(zip(missing, flow, strict=True))
        self._known = {(start + first, end + first): flow for (start, end), flow in kept.items()}
        return kept
