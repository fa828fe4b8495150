"""What a burst of scans of one place says about one of them: rows aligned over the whole burst.

A single scan cannot tell an offset of a row from the surface. A burst can, but for what all its
scans have in common: each row of each scan is fitted (offset and slope, outliers left out) to the
mean of the burst, which stays what it was on average. So the mean keeps every feature, however
long it lies along the scan line, and errors of rows fall with the root of the number of scans.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from upreel.scans.corrections import remove_plane
from upreel.scans.registration import find_shift, move
from upreel.scans.scan import Heights

_ROUNDS = 2
_OUTLIER = 3.0  # standard deviations
_MAD = 1.4826  # the standard deviation of normal noise with a median absolute deviation of 1
_TINY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Burst:
    """One scan, the base, and what the others say of the same place; in the heights' unit.

    Attributes:
        base: `(H, W)`, the scan itself without its plane.
        plane: `(H, W)`, that plane.
        mean: `(H, W)`, the mean of the others, where outliers do not count; the base is not in it.
        count: `(H, W)`, how many of the others are in it; where none is, the mean is a guess.
        spread: `(H, W)`, root mean square of what the others differ from the mean, with outliers.
        noise: standard deviation of the noise of a pixel.
        shown: `(H, W)`, the base with its rows fitted to the mean.
        before: the same of the scan before, moved to where the base is; the mean if there is none.
        after: the same of the scan after.
    """

    base: Heights
    plane: Heights
    mean: Heights
    count: NDArray[np.int64]
    spread: Heights
    noise: float
    shown: Heights
    before: Heights
    after: Heights


def join(heights: Heights, base: int) -> Burst:
    """Bring the scans of a burst together where one of them lies.

    Args:
        heights: `(T, H, W)`, at least two scans.
        base: number of the one in question.
    """
    flat = remove_plane(heights)
    shifts = [
        (0.0, 0.0) if number == base else find_shift(frame, flat[base])
        for number, frame in enumerate(flat)
    ]
    moved = np.stack([_move_back(frame, shift) for frame, shift in zip(flat, shifts, strict=True)])
    others = np.arange(len(flat)) != base
    mean = _fill(_median(moved[others]))
    for _ in range(_ROUNDS):
        for number, shift in enumerate(shifts):
            there = mean if number == base else move(mean, *shift)
            rows = flat[number] - fit_rows(flat[number] - there)
            moved[number] = _move_back(rows, shift)
        mean, count, noise = _mean(moved[others])
    off = np.where(np.isnan(moved[others]), 0, moved[others] - mean)
    seen = np.maximum((~np.isnan(moved[others])).sum(0), 1)
    return Burst(
        base=flat[base],
        plane=heights[base] - flat[base],
        mean=mean,
        count=count,
        spread=np.sqrt((off**2).sum(0) / seen).astype(np.float32),
        noise=noise,
        shown=moved[base],
        before=_seen(moved, base - 1, mean),
        after=_seen(moved, base + 1, mean),
    )


def average(burst: Burst) -> Heights:
    """The mean of all scans of a burst, the base too, without outliers; `(H, W)`, level."""
    return np.asarray((burst.mean * burst.count + burst.shown) / (burst.count + 1), np.float32)


def fit_rows(difference: Heights) -> Heights:
    """Offset and slope of each row of `(H, W)`, NaN left out, outliers without a say."""
    x = np.linspace(-1, 1, difference.shape[1], dtype=np.float32)
    known = ~np.isnan(difference)
    values = np.where(known, difference, 0)
    fit = np.broadcast_to(_median(difference.T)[:, None], values.shape)
    for _ in range(2):
        off = np.abs(values - fit)
        # No less than what keeps half of each row.
        usual = np.maximum(np.median(off[known]), _median(np.where(known, off, np.nan).T))
        kept = known & (off <= (_OUTLIER * _MAD * np.nan_to_num(usual))[:, None] + _TINY)
        sums = [(kept * x**power).sum(1) for power in range(3)]
        along = [(kept * values * x**power).sum(1) for power in range(2)]
        # Nearly no pixel in a row: the ridge makes its fit zero.
        determinant = sums[0] * sums[2] - sums[1] ** 2 + 1e-3
        offset = (sums[2] * along[0] - sums[1] * along[1]) / determinant
        slope = (sums[0] * along[1] - sums[1] * along[0]) / determinant
        fit = offset[:, None] + slope[:, None] * x
    return fit.astype(np.float32)


def _move_back(frame: Heights, shift: tuple[float, float]) -> Heights:
    return frame if shift == (0.0, 0.0) else move(frame, -shift[0], -shift[1])


def _mean(moved: Heights) -> tuple[Heights, NDArray[np.int64], float]:
    """The mean without outliers, how many scans are in it, and the noise of one scan."""
    middle = _fill(_median(moved))
    off = np.abs(moved - middle)
    # The median is drawn to what it is compared with: with few scans noise looks smaller.
    noise = float(_MAD * np.nanmedian(off)) * (1 + 0.5 / max(len(moved) - 1, 1))
    kept = off <= _OUTLIER * noise + _TINY  # False where NaN
    count = kept.sum(0)
    total = np.where(kept, moved, 0).sum(0)
    mean = np.where(count > 0, total / np.maximum(count, 1), middle).astype(np.float32)
    return mean, count, noise


def _median(stack: Heights) -> Heights:
    """The median along the first axis without NaN; NaN where there is nothing else."""
    # NaN sort to the end; numpy's own nanmedian takes twenty times as long.
    ordered = np.sort(stack, axis=0)
    count = (~np.isnan(stack)).sum(0)
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(stack) - 1)
    below, above = (np.take_along_axis(ordered, at[None], 0)[0] for at in (low, high))
    return np.where(count > 0, (below + above) / 2, np.float32(np.nan)).astype(np.float32)


def _fill(image: Heights) -> Heights:
    """Put the nearest known height of the same row, else of the nearest row, where it is NaN."""
    known = ~np.isnan(image)
    if known.all():
        return image
    columns = np.arange(image.shape[1])
    filled = image.copy()
    good_rows = np.flatnonzero(known.any(1))
    for row in good_rows:
        good = np.flatnonzero(known[row])
        nearest = np.abs(columns[:, None] - good).argmin(1)
        filled[row] = image[row, good[nearest]]
    rows = np.arange(len(image))
    nearest = np.abs(rows[:, None] - good_rows).argmin(1)
    whole: Heights = filled[good_rows[nearest]]
    return whole


def _seen(moved: Heights, number: int, mean: Heights) -> Heights:
    """A scan of the burst where the base is; the mean where it saw nothing, or is none."""
    if not 0 <= number < len(moved):
        return mean
    return np.where(np.isnan(moved[number]), mean, moved[number]).astype(np.float32)
