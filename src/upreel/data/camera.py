"""Motion for photographs: a camera that moves over one by whole pixels."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

FRAMES = 16
SIZE = (320, 384)
_FASTEST = 7.0  # pixels per frame
_SHAKE = 0.35


def pan(photograph: NDArray[np.uint8], *, key: str) -> Iterator[NDArray[np.uint8]]:
    """Crops of a photograph along a smooth path. Nothing is resampled, so nothing gets blurred.

    Args:
        photograph: `(H, W)`, 8 bits.
        key: what the path depends on.

    Yields:
        `FRAMES` crops of `SIZE`, smaller where the photograph is.
    """
    random = np.random.default_rng(zlib.crc32(key.encode()))
    size = np.minimum(SIZE, photograph.shape)
    room = photograph.shape - size
    velocity = random.uniform(-_FASTEST, _FASTEST, 2)
    velocity = velocity + random.normal(0, _SHAKE, (FRAMES, 2)).cumsum(0)
    path = velocity.cumsum(0)
    path = np.clip(np.round(path - path.mean(0) + room / 2), 0, room).astype(int)
    for top, left in path:
        yield photograph[top : top + size[0], left : left + size[1]]
