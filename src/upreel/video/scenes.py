"""Scene cuts, found from thumbnails of the decoded luma.

A frame begins a new scene when no shift of the frame before explains it, compared with how much
there is to see in both; when the change is far above what the scene's own motion does; and when
the frames around are not alike, which tells a flash from a cut. Fades and pans are no cuts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from upreel.video.frame import Frame

Thumbnail: TypeAlias = NDArray[np.float32]

_SIZE = (24, 40)  # rows and columns of a thumbnail
_SAMPLES = 4  # of a cell in each direction, at least
_SHIFTS = (3, 8)  # how far motion is looked for, in rows and columns of it
_LEAST_CHANGE = 5.0  # mean difference of code values, of 255, below which nothing is a cut
_UNEXPLAINED = 0.75  # of unrelated photographs 99 in 100 are above, fast motion is below 0.7
_ABOVE_RECENT = 2.5  # a cut changes so many times more than the motion before it,
_ABOVE_NEXT = 1.5  # and so many times more than the motion after it
_MEMORY = 0.8  # of the mean of recent changes


def mark_cuts(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Set `cut` on every frame that begins a new scene, but not on the first of the stream.

    One frame is held back.
    """
    finder = _Finder()
    held: Frame | None = None
    for frame in frames:
        cut = finder.add(_thumbnail(frame))
        if held is not None:
            yield replace(held, cut=cut)
        held = frame
    if held is not None:
        yield replace(held, cut=finder.add(None))


class _Finder:
    """Judges each thumbnail when the one after it is known."""

    def __init__(self) -> None:
        self._seen: list[Thumbnail] = []  # two before the judged one, and the judged one
        self._recent: float | None = None

    def add(self, following: Thumbnail | None) -> bool:
        """Whether a scene begins with the thumbnail added last, now that the next is known."""
        cut = len(self._seen) > 1 and self._judge(following)
        if following is not None:
            self._seen = [*self._seen[-2:], following]
        return cut

    def _judge(self, following: Thumbnail | None) -> bool:
        before, judged = self._seen[-2], self._seen[-1]
        change = _difference(before, judged)
        recent = change if self._recent is None else self._recent
        first_of_stream = self._recent is None
        self._recent = _MEMORY * recent + (1 - _MEMORY) * change
        if change < _LEAST_CHANGE or (not first_of_stream and change < _ABOVE_RECENT * recent):
            return False
        if following is not None and change < _ABOVE_NEXT * _difference(judged, following):
            return False
        if _unexplained(before, judged) < _UNEXPLAINED:
            return False
        flash_begins = following is not None and _unexplained(before, following) < _UNEXPLAINED
        flash_ends = len(self._seen) > 2 and _unexplained(self._seen[-3], judged) < _UNEXPLAINED
        if flash_begins or flash_ends:
            self._recent = recent
            return False
        self._recent = None
        return True


def _thumbnail(frame: Frame) -> Thumbnail:
    """Means over the cells of a grid, in steps of 8 bits: of luma, or of green."""
    plane = frame.planes[1 if frame.layout.family == "rgb" else 0]
    rows, columns = (min(cells, size) for cells, size in zip(_SIZE, plane.shape, strict=True))
    height, width = plane.shape[0] // rows, plane.shape[1] // columns  # of a cell
    plane = plane[: rows * height, : columns * width]
    # Some samples of a cell tell as much as all. No matrix product: its threads would cost more.
    down, across = (range(0, size, max(1, size // _SAMPLES)) for size in (height, width))
    total = np.zeros((rows, columns), np.float32)
    for y, x in product(down, across):
        total += plane[y::height, x::width]
    return total * np.float32(2.0 ** (8 - frame.layout.bits) / (len(down) * len(across)))


def _difference(one: Thumbnail, other: Thumbnail) -> float:
    return float(np.abs(one - other).mean())


def _unexplained(one: Thumbnail, other: Thumbnail) -> float:
    """What remains of the difference after the best shift and a change of brightness.

    Relative to the contrast of both: 0 for one picture moved, about 1 and more for two pictures.
    """
    rows, columns = one.shape
    best = np.inf
    up, left = min(_SHIFTS[0], rows // 4), min(_SHIFTS[1], columns // 4)
    for y in range(-up, up + 1):
        for x in range(-left, left + 1):
            here = one[max(0, y) : rows + min(0, y), max(0, x) : columns + min(0, x)]
            there = other[max(0, -y) : rows + min(0, -y), max(0, -x) : columns + min(0, -x)]
            here, there = here - here.mean(), there - there.mean()
            contrast = 1 + (np.abs(here).mean() + np.abs(there).mean()) / 2
            best = min(best, float(np.abs(here - there).mean() / contrast))
    return best
