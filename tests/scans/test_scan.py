"""What a scan accepts."""

from __future__ import annotations

import numpy as np
import pytest

from upreel.errors import MediaError
from upreel.scans.scan import Scan


def test_a_scan_knows_its_size() -> None:
    assert Scan(np.zeros((2, 3, 5), np.float32)).size == (5, 3)


@pytest.mark.parametrize(
    ("dtype", "shape"), [("float64", (1, 2, 2)), ("float32", (2, 2)), ("float32", (0, 2, 2))]
)
def test_anything_but_single_precision_frames_is_refused(
    dtype: str, shape: tuple[int, ...]
) -> None:
    with pytest.raises(MediaError, match=r"a\.spm: expected heights as float32 .* found float"):
        Scan(np.zeros(shape, dtype), source="a.spm")


def test_heights_that_are_not_finite_are_counted() -> None:
    heights = np.zeros((1, 2, 2), np.float32)
    heights[0, 1] = np.nan
    with pytest.raises(MediaError, match="found 2 values that are not"):
        Scan(heights)
