"""The optical flow that windows come with, each found once."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from upreel.models.upscaler import Input, Spec
from upreel.ops.flow import find_flow

Way = tuple[int, int]
"""From one frame to another, by their places in the window."""


class MotionFinder:
    """Finds the flow of one window after the other.

    Neighbouring windows share frames, and interpolators ask for flow in both directions: what leads
    back from the next frame in one window leads to the frame before in the next.
    """

    def __init__(self, spec: Spec) -> None:
        """For an upscaler with this spec."""
        self._spec = spec
        self._known: dict[Way, Tensor] = {}

    def inputs(self, clip: Tensor, first: int, past: int, future: int) -> dict[Input, Tensor]:
        """Flow as `Window.inputs` has it.

        Args:
            clip: frames of a window, `(1, T, C, H, W)`, 0..1.
            first: the number of the first of them in the stream; windows come in their order.
            past: how many of them lie before the middle.
            future: how many lie after it.
        """
        tables = {name: self._ways(name, clip.shape[1], past, future) for name in self._spec.inputs}
        ways = {way for table in tables.values() for row in table for way in row}
        inside = [way for way in sorted(ways) if min(way) >= 0 and max(way) < clip.shape[1]]
        known = self._find(clip[0], first, inside)
        nothing = clip.new_zeros(2, *clip.shape[-2:], dtype=torch.float32)
        return {
            name: _stack([[known.get(way, nothing) for way in row] for row in table], nothing)
            for name, table in tables.items()
        }

    def _ways(self, name: Input, count: int, past: int, future: int) -> list[list[Way]]:
        """What an input has: a row for each frame of the middle, or for each two frames."""
        if name == "flow_along":
            return [[(one, two), (two, one)] for one, two in pairwise(range(count))]
        offsets = [*range(-self._spec.past, 0), *range(1, self._spec.future + 1)]
        rows = [[(at, at + offset) for offset in offsets] for at in range(past, count - future)]
        return rows if name == "flow" else [[way[::-1] for way in row] for row in rows]

    def _find(self, frames: Tensor, first: int, ways: list[Way]) -> dict[Way, Tensor]:
        """Flow of a window; what the window before did not have is found."""
        found = {}
        for start, end in ways:
            if (start + first, end + first) in self._known:
                found[start, end] = self._known[start + first, end + first]
        missing = [way for way in ways if way not in found]
        if missing:
            starts, ends = map(list, zip(*missing, strict=True))
            flow = find_flow(frames[starts], frames[ends], provider=self._spec.flow)
            found.update(zip(missing, flow, strict=True))
        self._known = {(start + first, end + first): flow for (start, end), flow in found.items()}
        return found


def _stack(rows: list[list[Tensor]], like: Tensor) -> Tensor:
    """`(1, rows, columns, ...)`."""
    if not rows:
        return like.new_zeros(1, 0, 2, *like.shape)
    return torch.stack([torch.stack(row) for row in rows])[None]
