"""Clips that need no file: which sets of them there are, and their frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from upreel.data.leaves import draw_heap
from upreel.data.procedural import draw_frames, draw_scene

Drawn = Literal["procedural", "dead-leaves"]
"""A set: see `data.procedural` and `data.leaves`."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A clip that is drawn when it is asked for.

    Attributes:
        kind: the set.
        index: of the clip in it; there is no last one.
        size: height and width.
        frames: how many.
    """

    kind: Drawn
    index: int
    size: tuple[int, int] = (192, 192)
    frames: int = 16

    def draw(self, times: Sequence[int] | None = None) -> Iterator[NDArray[np.uint8]]:
        """Draw all frames, or some: RGB `(3, H, W)`, 8 bits."""
        wanted = range(self.frames) if times is None else times
        if self.kind == "procedural":
            scene = draw_scene(self.size, seed=0, index=self.index)
            return draw_frames(scene, self.size, wanted)
        heap = draw_heap(self.size, self.frames, seed=0, index=self.index)
        return heap.draw_frames(wanted)
