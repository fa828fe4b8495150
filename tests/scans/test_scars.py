"""Scars are found where they were put, and filled from the rows around them."""

from __future__ import annotations

import numpy as np
import pytest

from upreel.scans.scan import Heights
from upreel.scans.scars import mark_scars, remove_scars


def slope() -> Heights:
    y, x = np.mgrid[:32, :64]
    return np.asarray(0.02 * y + 0.01 * x, np.float32)[None]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("wide", [1, 2, 4])
def test_a_scar_goes_without_a_trace(sign: int, wide: int) -> None:
    scarred = slope()
    scarred[0, 10 : 10 + wide, 20:45] += 3 * sign
    marked = np.zeros(scarred.shape, bool)
    marked[0, 10 : 10 + wide, 20:45] = True
    assert np.array_equal(mark_scars(scarred), marked)
    assert remove_scars(scarred) == pytest.approx(slope(), abs=1e-5)


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        (slice(10, 11), slice(20, 30)),  # shorter than 16 pixels
        (slice(10, 15), slice(20, 50)),  # higher than 4 rows
        (slice(0, 1), slice(20, 50)),  # nothing above to compare with
        (slice(31, 32), slice(20, 50)),
    ],
)
def test_what_is_no_scar_stays(rows: slice, columns: slice) -> None:
    heights = slope()
    heights[0, rows, columns] += 3
    assert np.array_equal(remove_scars(heights), heights)


def test_a_scar_goes_on_where_it_fades_and_its_frame_alone_counts() -> None:
    heights = np.concatenate([slope(), slope()])
    heights[0, 12, 8:20] += 3
    heights[0, 12, 20:40] += 0.15  # below the high threshold, above the low one
    rms = float(np.sqrt((np.diff(heights[0], axis=0) ** 2).mean()))
    assert 0.25 < 0.13 / rms < 0.666
    marked = mark_scars(heights)
    assert marked[0, 12, 8:40].all()
    assert marked.sum() == 32


@pytest.mark.parametrize("shape", [(1, 1, 20), (1, 2, 20), (1, 3, 20), (2, 4, 17)])
def test_few_rows_are_enough(shape: tuple[int, int, int]) -> None:
    assert not mark_scars(np.ones(shape, np.float32)).any()
