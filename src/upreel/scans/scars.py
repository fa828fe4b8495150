"""Scars: short horizontal streaks where the feedback lost the surface for a few scan lines."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from upreel.scans.scan import Heights

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

HIGH, LOW = 0.666, 0.25
"""A scar begins where it stands out by `HIGH`, and goes on while by `LOW`, of the root mean square
of the differences between neighbouring rows (Gwyddion's defaults)."""
WIDEST = 4
"""Rows."""
SHORTEST = 16
"""Pixels along the scan line."""


def mark_scars(heights: Heights) -> Mask:
    """Which pixels are part of a scar, higher or lower than the rows on both sides of it.

    Args:
        heights: `(T, H, W)`.

    Returns:
        `(T, H, W)`; the first and the last row are never marked.
    """
    frames = heights.astype(np.float64)
    if frames.shape[1] < 3:
        return np.zeros(frames.shape, bool)
    rms = np.sqrt((np.diff(frames, axis=1) ** 2).mean((1, 2), keepdims=True))
    contrasts = (_contrast(sign * frames) / np.maximum(rms, 1e-300) for sign in (1, -1))
    masks = [_long(_grown(c > LOW, c > HIGH)) for c in contrasts]
    return masks[0] | masks[1]


def remove_scars(heights: Heights) -> Heights:
    """Replace scars by what lies between the good rows above and below, linearly."""
    mask = mark_scars(heights)
    rows = np.broadcast_to(np.arange(heights.shape[1])[:, None], heights.shape)
    above = np.maximum.accumulate(np.where(mask, 0, rows), axis=1)
    below = np.flip(
        np.minimum.accumulate(np.flip(np.where(mask, heights.shape[1] - 1, rows), 1), axis=1), 1
    )
    part = (rows - above) / np.maximum(below - above, 1)
    top, bottom = (np.take_along_axis(heights, index, axis=1) for index in (above, below))
    return np.where(mask, top + part * (bottom - top), heights).astype(np.float32)


def _contrast(frames: Array) -> Array:
    """By how much each pixel's band of rows lies above both rows that enclose it; 0 if it does not.

    Bands are one to `WIDEST` rows high; the largest difference counts.
    """
    height = frames.shape[1]
    best = np.zeros_like(frames)
    for wide in range(1, min(WIDEST, height - 2) + 1):
        bands = height - wide - 1
        outside = np.maximum(frames[:, :bands], frames[:, wide + 1 :])
        inside = np.min([frames[:, 1 + k : 1 + k + bands] for k in range(wide)], axis=0)
        for k in range(wide):
            part = best[:, 1 + k : 1 + k + bands]
            np.maximum(part, inside - outside, out=part)
    return best


def _grown(allowed: Mask, seeds: Mask) -> Mask:
    """The horizontal runs of `allowed` that have a seed in them."""
    runs = _runs(allowed)
    seeded = np.zeros(runs.max(initial=0) + 1, bool)
    seeded[runs[seeds & allowed]] = True
    return allowed & seeded[runs]


def _long(mask: Mask) -> Mask:
    """The horizontal runs of at least `SHORTEST` pixels."""
    runs = _runs(mask)
    return mask & (np.bincount(runs[mask], minlength=runs.max(initial=0) + 1) >= SHORTEST)[runs]


def _runs(mask: Mask) -> NDArray[np.int64]:
    """A number for each horizontal run; what is not marked has numbers of no meaning."""
    begins = mask & ~np.pad(mask, ((0, 0), (0, 0), (1, 0)))[..., :-1]
    return np.cumsum(begins.ravel(), dtype=np.int64).reshape(*mask.shape)
