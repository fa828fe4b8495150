"""Classical corrections of scan lines and of the background, under Gwyddion's names.

Each takes and returns `(T, H, W)`, float32, computes in float64, and treats every frame by itself.
Aligning rows keeps the mean of a frame; what removes a background makes it zero.

Own code, because no kept library has them all: spym aligns rows by mean, median and polynomial;
pySPM by the median of differences, with a scar filter that needs a threshold in metres; TopoStats
by the median, inside a pipeline; SPIEPy has planes; Gwyddion itself is a C program.
Source of the definitions: the chapters "Levelling" and "Scan Line Artefacts" of Gwyddion's manual.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from upreel.errors import UsageError
from upreel.scans.scan import Heights
from upreel.scans.scars import remove_scars

Array = NDArray[np.float64]
Correction = Callable[[Heights], Heights]

_FACET = 1 / 200
"""Gwyddion's: squared slopes count as flat up to about this part of their mean."""


def align_rows_by_median(heights: Heights) -> Heights:
    """Shift each row so that its median is that of the others."""
    return _shifted(heights, np.median(heights, axis=-1))


def align_rows_by_modus(heights: Heights) -> Heights:
    """Shift each row so that its most frequent height is that of the others.

    The modus of n heights is the mean of the sqrt(n) that lie closest together.
    """
    ordered = np.sort(heights.astype(np.float64), axis=-1)
    count = max(1, round(ordered.shape[-1] ** 0.5))
    windows = np.lib.stride_tricks.sliding_window_view(ordered, count, axis=-1)
    densest = (windows[..., -1] - windows[..., 0]).argmin(-1)
    return _shifted(
        heights, np.take_along_axis(windows.mean(-1), densest[..., None], axis=-1)[..., 0]
    )


def align_rows_by_polynomial(heights: Heights, degree: int) -> Heights:
    """Subtract from each row its own polynomial of this degree, 0 to 2, by least squares."""
    rows = heights.astype(np.float64)
    powers = np.linspace(-1, 1, rows.shape[-1])[:, None] ** np.arange(degree + 1)
    basis = np.linalg.qr(powers)[0]
    fit = (rows @ basis) @ basis.T
    return np.asarray(rows - fit + rows.mean((-2, -1), keepdims=True), np.float32)


def align_rows_by_median_of_differences(heights: Heights) -> Heights:
    """Shift each row so that the median of its differences to the row above is zero.

    Large features survive better than with the median of heights; a bogus row does more harm.
    """
    steps = np.median(np.diff(heights.astype(np.float64), axis=-2), axis=-1)
    return _shifted(heights, np.cumsum(np.pad(steps, ((0, 0), (1, 0))), axis=-1))


def align_rows_by_facet_tilt(heights: Heights) -> Heights:
    """Tilt each row so that its flat parts, the facets, become level; offsets stay.

    The prevalent slope is a mean of the slopes that weighs those near it most, found by iteration.
    """
    if heights.shape[-1] < 2:
        return heights
    slopes = np.diff(heights.astype(np.float64), axis=-1)
    slope = np.median(slopes, axis=-1, keepdims=True)
    for _ in range(20):
        off = (slopes - slope) ** 2
        weights = np.exp(-off / (_FACET * off.mean(-1, keepdims=True) + 1e-300))
        slope = (slopes * weights).sum(-1, keepdims=True) / weights.sum(-1, keepdims=True)
    columns = np.arange(heights.shape[-1])
    return np.asarray(heights - slope * (columns - columns.mean()), np.float32)


def remove_plane(heights: Heights) -> Heights:
    """Subtract the plane of least squares."""
    return remove_polynomial(heights, 1)


def remove_polynomial(heights: Heights, degree: int) -> Heights:
    """Subtract the polynomial in x and y of this total degree, by least squares."""
    frames, rows, columns = heights.shape
    y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    terms = [(x**i * y**j).ravel() for i in range(degree + 1) for j in range(degree + 1 - i)]
    basis = np.linalg.qr(np.stack(terms, axis=1))[0]
    flat = heights.reshape(frames, -1).astype(np.float64)
    return np.asarray(flat - (flat @ basis) @ basis.T, np.float32).reshape(heights.shape)


def _shifted(heights: Heights, shifts: Array) -> Heights:
    """Subtract a shift from each row, `(T, H)`, and give the frame its mean back."""
    level = shifts - shifts.mean(-1, keepdims=True)
    return np.asarray(heights - level[..., None], np.float32)


CORRECTIONS: Mapping[str, Correction] = {
    "rows-median": align_rows_by_median,
    "rows-modus": align_rows_by_modus,
    "rows-polynomial-0": partial(align_rows_by_polynomial, degree=0),
    "rows-polynomial-1": partial(align_rows_by_polynomial, degree=1),
    "rows-polynomial-2": partial(align_rows_by_polynomial, degree=2),
    "rows-median-of-differences": align_rows_by_median_of_differences,
    "rows-facet": align_rows_by_facet_tilt,
    "scars": remove_scars,
    "plane": remove_plane,
    "background-2": partial(remove_polynomial, degree=2),
    "background-3": partial(remove_polynomial, degree=3),
}
"""By the names that `--method` takes."""


def correct(heights: Heights, chain: str) -> Heights:
    """Apply corrections one after the other.

    Args:
        heights: `(T, H, W)`.
        chain: names with `+` between them, such as `rows-median+scars+plane`.

    Raises:
        UsageError: there is no such correction.
    """
    for name in chain.split("+"):
        if name not in CORRECTIONS:
            known = ", ".join(CORRECTIONS)
            raise UsageError(f"expected corrections with + between them ({known}), found {name!r}")
        heights = CORRECTIONS[name](heights)
    return heights
