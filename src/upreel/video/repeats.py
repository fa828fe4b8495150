"""Frames that show the one before them once more, as animation on twos and telecined film have."""

from __future__ import annotations

import cv2
import numpy as np

from upreel.video.frame import Frame

_BLOCK = 16  # side of the blocks that are compared, in samples
_NOISE = 1.5  # mean difference of a block, of 255, that coding alone makes


def is_repeat(before: Frame, after: Frame) -> bool:
    """Whether two frames of one layout are the same picture, but for what coding makes of it."""
    limit = _NOISE * 2 ** (before.layout.bits - 8)
    for one, other in zip(before.planes, after.planes, strict=True):
        apart = cv2.absdiff(np.ascontiguousarray(one), np.ascontiguousarray(other))
        height, width = apart.shape
        blocks = max(1, width // _BLOCK), max(1, height // _BLOCK)
        means = cv2.resize(apart.astype(np.float32), blocks, interpolation=cv2.INTER_AREA)
        if means.max() > limit:
            return False
    return True
