"""Bursts against what they are made of: rows, outliers, drift, borders that drift brought in."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from upreel.data.scan_simulator import Settings, draw_surface, simulate_scan
from upreel.scans.bursts import fit_rows, join

Heights = NDArray[np.float32]
NEVER = (1e-9, 1e-9)


def surface() -> Heights:
    fine = draw_surface("particles", (48, 64), np.random.default_rng(3))
    return fine[::2, ::2].copy()


def test_rows_are_fitted_whatever_a_few_pixels_say() -> None:
    random = np.random.default_rng(0)
    offset, slope = random.normal(0, 1, (2, 40, 1))
    line = (offset + slope * np.linspace(-1, 1, 80)).astype(np.float32)
    seen = line + random.normal(0, 0.01, line.shape).astype(np.float32)
    seen[:, 30:42] += 5  # a scar in every row
    seen[5, :50] = np.nan
    assert np.abs(fit_rows(seen) - line).max() < 0.02
    empty = np.full((3, 20), np.nan, np.float32)
    empty[1] = 2
    assert fit_rows(empty)[1] == pytest.approx(2, abs=1e-3)
    assert np.isfinite(fit_rows(empty)).all()


def test_rows_of_all_scans_come_to_agree_and_the_mean_keeps_the_surface() -> None:
    random = np.random.default_rng(1)
    truth = surface()
    offsets = random.normal(0, 2, (10, 48, 1)).astype(np.float32)
    burst = join(truth + offsets, 4)
    error = burst.mean + burst.plane - truth
    assert np.ptp(error, axis=1).max() < 0.15  # all that is wrong is wrong for whole rows
    # The offsets of nine scans average out; no more can be known.
    assert error.mean(1).std() == pytest.approx(2 / 3, rel=0.35)
    assert np.abs(burst.shown - burst.mean).mean() < 0.02
    assert burst.base + burst.plane == pytest.approx((truth + offsets)[4], abs=1e-4)


def test_outliers_do_not_count_and_noise_is_what_it_is() -> None:
    random = np.random.default_rng(2)
    truth = surface()
    heights = (truth + random.normal(0, 0.1, (10, 48, 64))).astype(np.float32)
    heights[2, 20, 10:36] += 3
    heights[7, 30, 30] -= 9
    burst = join(heights, 5)
    assert burst.noise == pytest.approx(0.1, rel=0.1)
    assert np.abs(burst.mean + burst.plane - truth)[20, 10:36].mean() < 0.06
    assert (burst.count[20, 10:36] == 8).mean() > 0.7
    assert burst.count[30, 30] <= 8
    assert burst.spread[20, 10:36].mean() > 0.5
    assert np.median(burst.spread) == pytest.approx(0.1, rel=0.2)


def test_the_base_has_no_say_in_the_mean() -> None:
    heights = np.repeat(surface()[None], 5, axis=0)
    other = heights.copy()
    other[2, 24, 20:40] += 4
    one, two = join(heights, 2), join(other, 2)
    plane = one.plane - two.plane  # a scar tilts its own scan a little
    # The scar of 4 shifts the registration a little; it is not in the mean.
    assert np.abs(one.mean - two.mean).mean() < 0.02
    assert np.abs(one.mean - two.mean).max() < 0.2
    assert np.abs(plane).max() < 0.2
    assert (two.shown - two.mean)[24, 22:38].min() > 3.5


def test_scans_are_moved_to_where_the_base_lies() -> None:
    quiet = Settings(
        white=(0.02, 0.02), pink=NEVER, row_offset=NEVER, row_tilt=NEVER, mains=NEVER,
        scars=NEVER, spikes=NEVER, plane=NEVER, drift=(1.5, 1.5), tip=(5, 5), roughness=(1, 1),
    )  # fmt: skip
    scan = simulate_scan((64, 64), 8, index=4, settings=quiet)
    burst = join(scan.heights, 0)
    error = burst.mean + burst.plane - scan.truth[0]
    seen = burst.count >= 4
    assert error[seen].std() < 0.06
    assert (burst.count == 0).any()  # drift has moved the place out of all others
    assert np.isfinite(burst.mean).all()
    assert burst.before == pytest.approx(burst.mean)  # there is none before the first
    assert np.abs(burst.after - burst.mean)[seen].mean() < 0.05


def test_two_scans_are_a_burst() -> None:
    truth = surface()
    burst = join(np.stack([truth, truth + 1]), 1)
    assert burst.mean + burst.plane == pytest.approx(truth + 1, abs=0.05)
