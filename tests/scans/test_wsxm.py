"""WSxM's images: integers span the range that is stated, floating numbers are heights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.scans.instrument_files import CODES, write_wsxm
from upreel.errors import MediaError
from upreel.scans.readers import read_scan


@pytest.mark.parametrize(("kind", "dtype"), [("double", "<f8"), ("float", "<f4")])
def test_floating_numbers_are_heights(tmp_path: Path, kind: str, dtype: str) -> None:
    write_wsxm(tmp_path / "a.stp", kind, (CODES / 4).astype(dtype))
    scan = read_scan(tmp_path / "a.stp")
    assert np.array_equal(scan.heights[0], CODES / 4)
    assert scan.pixel_size == pytest.approx((100, 50))
    assert (scan.unit, scan.channel) == ("nm", "Topography")
    assert scan.metadata["Z Amplitude"] == "5.5 nm"


def test_integers_span_the_stated_range(tmp_path: Path) -> None:
    write_wsxm(tmp_path / "a.top", "short", (CODES * 100 - 700).astype("<i2"))
    assert read_scan(tmp_path / "a.top").heights[0] == pytest.approx(CODES / 2, rel=1e-6)


def test_a_header_that_lacks_something_and_data_that_are_cut_off_are_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.stp"
    write_wsxm(path, "double", CODES.astype("<f8"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(MediaError, match=r"a\.stp cannot be read as \.stp: buffer is smaller"):
        read_scan(path)
    path.write_bytes(whole.replace(b"Number of rows", b"Number of mice"))
    with pytest.raises(MediaError, match="expected 'Number of rows' in its header"):
        read_scan(path)
