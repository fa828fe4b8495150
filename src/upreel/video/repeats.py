"""Frames that show the one before them once more, as animation on twos and telecined film have.

Coding makes a repeated picture differ, here and there by as much as slow motion does. So frames are
taken for one picture when they differ hardly at all, or far less than those just before them did. A
repeat that is overlooked does no harm: there is no motion in it to be followed.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from upreel.video.frame import Frame

_BLOCK = 16  # side of the blocks that are compared, in samples
_NOISE = 1.5  # mean difference of a block, of 255, that nobody sees
# Of repeats in real clips, coded by x264 at a CRF of 18 to 32, all are below both:
_OF_BLOCKS = 0.2  # largest mean of a block in relation to that of recent motion
_OF_FRAMES = 0.1  # mean of the frame in relation to that of recent motion
_MEMORY = 0.5  # of recent motion, from one frame to the next


class Change(NamedTuple):
    """By how much two frames differ, in code values of 255: the worst block, and the mean."""

    worst: float
    mean: float


class RepeatFinder:
    """Judges each frame against the one before it."""

    def __init__(self) -> None:
        """Begin without any recent motion."""
        self._recent = Change(0.0, 0.0)

    def is_repeat(self, before: Frame, after: Frame) -> bool:
        """Whether two neighbouring frames show one picture, but for what coding makes of it.

        Args:
            before: a frame; the `after` of the last call.
            after: the next one, of the same layout.
        """
        change, recent = _change(before, after), self._recent
        if after.cut:
            self._recent = Change(0.0, 0.0)
            return False
        self._recent = Change(
            *(max(new, _MEMORY * old) for new, old in zip(change, recent, strict=True))
        )
        return change.worst <= _NOISE or (
            change.worst <= _OF_BLOCKS * recent.worst and change.mean <= _OF_FRAMES * recent.mean
        )


def _change(before: Frame, after: Frame) -> Change:
    worst, means = 0.0, []
    for one, other in zip(before.planes, after.planes, strict=True):
        apart = cv2.absdiff(np.ascontiguousarray(one), np.ascontiguousarray(other))
        height, width = apart.shape
        blocks = max(1, width // _BLOCK), max(1, height // _BLOCK)
        averages = cv2.resize(apart.astype(np.float32), blocks, interpolation=cv2.INTER_AREA)
        worst = max(worst, float(averages.max()))
        means.append(float(averages.mean()))
    unit = 2.0 ** (8 - before.layout.bits)
    return Change(worst * unit, max(means) * unit)
