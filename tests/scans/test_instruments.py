"""Files of instruments give heights in nm, the first row on top, their scale and their header."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.scans.instrument_files import (
    CODES,
    write_asd,
    write_h5_jpk,
    write_ibw,
    write_jpk,
    write_spm,
)
from upreel.errors import MediaError
from upreel.scans.readers import read_scan


def test_asd(tmp_path: Path) -> None:
    pytest.importorskip("AFMReader")
    write_asd(tmp_path / "movie.asd")
    scan = read_scan(tmp_path / "movie.asd")
    # 12 bits over -5..5 V, upside down; the piezo stretches 10 nm/V behind a gain of 2.
    wanted = (5 - 10 * (CODES + np.array([0, 100])[:, None, None]) / 4096) * 20
    assert scan.heights == pytest.approx(wanted, rel=1e-6)
    assert (scan.pixel_size, scan.unit) == ((2.0, 1.0), "nm")
    assert scan.frame_time == pytest.approx(0.08)
    assert (scan.channel, scan.metadata["year"], scan.metadata["user_name"]) == ("TP", 2020, "ann")
    with pytest.raises(MediaError, match=r"movie\.asd cannot be read as \.asd: 'er' not found"):
        read_scan(tmp_path / "movie.asd", "ER")


def test_a_movie_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("AFMReader")
    write_asd(tmp_path / "movie.asd")
    (tmp_path / "movie.asd").write_bytes((tmp_path / "movie.asd").read_bytes()[:-9])
    with pytest.raises(MediaError, match=r"movie\.asd cannot be read as \.asd"):
        read_scan(tmp_path / "movie.asd")


@pytest.mark.parametrize(("direction", "more"), [("trace", 0), ("retrace", 50)])
def test_jpk(tmp_path: Path, direction: str, more: int) -> None:
    pytest.importorskip("tifffile")
    write_jpk(tmp_path / "a.jpk")
    scan = read_scan(tmp_path / "a.jpk", f"height_{direction}")
    assert scan.heights[0] == pytest.approx(np.flipud(CODES + more) * 2.0 + 1, rel=1e-6)
    assert scan.pixel_size == pytest.approx((100, 50))
    assert (scan.unit, scan.channel, scan.direction) == ("nm", "height", direction)
    assert scan.metadata["tag 32838"] == 4
    with pytest.raises(MediaError, match="'phase_trace', found height_trace, height_retrace"):
        read_scan(tmp_path / "a.jpk", "phase_trace")


def test_h5_jpk(tmp_path: Path) -> None:
    pytest.importorskip("AFMReader")
    write_h5_jpk(tmp_path / "a.h5-jpk")
    scan = read_scan(tmp_path / "a.h5-jpk")
    wanted = np.arange(18).reshape(2, 3, 3)[:, ::-1] + 5
    assert scan.heights == pytest.approx(wanted, rel=1e-6)
    assert scan.pixel_size == pytest.approx((100, 100))
    assert (scan.unit, scan.direction) == ("nm", "trace")
    assert scan.frame_time == pytest.approx(0.1)
    assert scan.metadata["timing-settings.scanRate"] == 30


def test_spm(tmp_path: Path) -> None:
    pytest.importorskip("pySPM")
    write_spm(tmp_path / "a.spm")
    scan = read_scan(tmp_path / "a.spm")
    assert scan.heights[0] == pytest.approx(np.flipud(CODES) * 1e-4 * 10, rel=1e-5)
    assert scan.pixel_size == pytest.approx((500, 500))
    assert (scan.unit, scan.channel, scan.direction) == ("nm", "Height Sensor", "trace")
    assert scan.metadata["Scan Size"] == "2 2 ~m"
    with pytest.raises(MediaError, match="expected a channel 'Phase', found Height Sensor"):
        read_scan(tmp_path / "a.spm", "Phase")


def test_ibw(tmp_path: Path) -> None:
    pytest.importorskip("igor2")
    layers = np.stack([CODES * 1e-9, CODES + 90.0]).astype(np.float32)
    write_ibw(tmp_path / "a.ibw", layers)
    scan = read_scan(tmp_path / "a.ibw")
    assert scan.heights[0] == pytest.approx(CODES, rel=1e-6)
    assert scan.pixel_size == pytest.approx((500, 500))
    assert (scan.unit, scan.channel, scan.direction) == ("nm", "HeightRetrace", "retrace")
    assert scan.metadata["Imaging Mode"] == "AC Mode"
    phase = read_scan(tmp_path / "a.ibw", "PhaseRetrace")
    assert np.array_equal(phase.heights[0], CODES + 90)
    assert phase.unit == "deg"
    with pytest.raises(MediaError, match="'Height', found HeightRetrace, PhaseRetrace"):
        read_scan(tmp_path / "a.ibw", "Height")
