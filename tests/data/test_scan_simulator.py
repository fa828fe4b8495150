"""The simulator against closed forms, SciPy's dilation, and what its settings promise."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import grey_dilation, shift

from upreel.data.scan_simulator import (
    Range,
    Settings,
    SimulatedScan,
    Surface,
    dilate,
    draw_surface,
    simulate_scan,
)

SIZE = (48, 64)
NEVER = (1e-9, 1e-9)
"""A range that leaves nothing of a disturbance."""
QUIET = Settings(
    white=NEVER,
    pink=NEVER,
    row_offset=NEVER,
    row_tilt=NEVER,
    mains=NEVER,
    scars=NEVER,
    spikes=NEVER,
    plane=NEVER,
    drift=NEVER,
)


def only(settings: Settings, frames: int = 10) -> NDArray[np.float64]:
    """What these settings add, in parts of the roughness (which they set to 1 nm)."""
    scan = simulate_scan(SIZE, frames, seed=3, settings=replace(settings, roughness=(1, 1)))
    return (scan.heights - scan.truth).astype(np.float64)


def same(value: float) -> Range:
    return (value, value)


def test_without_disturbances_heights_are_the_truth() -> None:
    scan = simulate_scan(SIZE, 3, settings=QUIET)
    assert scan.heights.shape == scan.truth.shape == (3, *SIZE)
    assert scan.heights.dtype == scan.truth.dtype == np.float32
    assert np.abs(scan.heights - scan.truth).max() < 1e-6
    assert np.abs(np.diff(scan.truth, axis=0)).max() < 1e-6


def test_a_number_makes_the_same_movie_again_and_another_one_does_not() -> None:
    one, again, other = (simulate_scan(SIZE, 2, seed=1, index=index) for index in (5, 5, 10))
    assert np.array_equal(one.heights, again.heights)
    assert one.surface == other.surface
    assert not np.array_equal(one.truth, other.truth)


@pytest.mark.parametrize("kind", get_args(Surface))
def test_every_kind_of_surface_is_drawn(kind: Surface) -> None:
    surface = draw_surface(kind, SIZE, np.random.default_rng(0))
    assert surface.shape == (2 * SIZE[0], 2 * SIZE[1])
    assert surface.dtype == np.float32
    assert np.isfinite(surface).all()
    assert surface.std() > 0.1


def test_dilation_equals_that_of_scipy() -> None:
    surface = np.random.default_rng(0).uniform(0, 3, (30, 40)).astype(np.float32)
    y, x = np.mgrid[-15:16, -15:16] * 0.7
    expected = grey_dilation(surface, structure=-(x**2 + y**2) / (2 * 4.0), mode="nearest")
    found = dilate(surface, 4.0, 0.7)
    assert np.abs(found - expected).max() < 1e-5
    assert (found >= surface).all()


def test_a_spike_is_recorded_as_the_tip() -> None:
    surface = np.zeros((41, 41), np.float32)
    surface[20, 20] = 5
    y, x = np.mgrid[-20:21, -20:21].astype(float)
    tip = np.maximum(5 - (x**2 + y**2) / (2 * 8.0), 0)
    assert np.abs(dilate(surface, 8.0, 1.0) - tip).max() < 1e-5


def test_drift_moves_the_truth_as_it_says() -> None:
    still = replace(QUIET, drift=same(0.8), creep=NEVER, tip=same(2))
    scan = simulate_scan((64, 64), 4, index=4, settings=still)
    velocity = scan.drift[1, 0] - scan.drift[0, 0]
    assert np.hypot(*velocity) == pytest.approx(0.8, abs=1e-4)
    assert np.allclose(np.diff(scan.drift.reshape(-1, 2), axis=0), velocity / 64, atol=1e-5)
    moved = shift(scan.truth[0].astype(float), tuple(-velocity[::-1]), order=3)
    inner = (slice(4, -4), slice(4, -4))
    error = np.abs(moved - scan.truth[1])[inner].mean()
    assert error < 0.1 * np.abs(scan.truth[0] - scan.truth[1])[inner].mean()


def test_rows_are_offset_and_tilted_by_what_was_asked() -> None:
    offset = only(replace(QUIET, row_offset=same(0.5)), 40)
    assert np.ptp(offset, axis=2).max() < 1e-4
    assert offset.mean(2).std() == pytest.approx(0.5, rel=0.05)
    tilted = only(replace(QUIET, row_tilt=same(0.5)), 40)
    assert np.abs(tilted.mean(2)).max() < 1e-4
    assert (tilted[..., -1] - tilted[..., 0]).std() == pytest.approx(0.5, rel=0.05)


def test_white_noise_is_white_and_pink_noise_is_one_over_f() -> None:
    white = only(replace(QUIET, white=same(0.2)))
    assert white.std() == pytest.approx(0.2, rel=0.02)
    pink = only(replace(QUIET, pink=same(0.2)))
    assert pink.std() == pytest.approx(0.2, rel=1e-3)
    for noise, slope in ((white, 0.0), (pink, -1.0)):
        power = np.abs(np.fft.rfft(noise.ravel()))[1:] ** 2
        frequency = np.arange(1, len(power) + 1)
        bins = np.geomspace(8, len(power), 12).astype(int)
        means = [power[a:b].mean() for a, b in pairwise(bins)]
        middles = [frequency[a:b].mean() for a, b in pairwise(bins)]
        assert np.polyfit(np.log(middles), np.log(means), 1)[0] == pytest.approx(slope, abs=0.1)


def test_the_mains_hum_at_their_frequency_through_rows_and_frames() -> None:
    hum = only(replace(QUIET, mains=same(0.1), mains_period=same(16)))
    power = np.abs(np.fft.rfft(hum.ravel()))
    assert power.argmax() == hum.size // 16
    assert 2 * power.max() / hum.size == pytest.approx(0.1, rel=0.01)


def test_the_sample_is_tilted_alike_in_all_frames() -> None:
    plane = only(replace(QUIET, plane=same(2)))
    assert np.abs(plane - plane[:1]).max() < 1e-4
    assert abs(plane[0, 0, -1] - plane[0, 0, 0]) == pytest.approx(2, abs=1e-3)
    assert abs(plane[0, -1, 0] - plane[0, 0, 0]) == pytest.approx(2, abs=1e-3)


def test_scars_are_flat_streaks_and_spikes_hit_the_part_that_was_asked() -> None:
    scars = only(replace(QUIET, scars=same(10), scar_height=same(1)))
    hit = np.abs(scars) > 0.5
    assert 0.005 < hit.mean() < 0.2
    assert hit[:, :, 1:][hit[:, :, :-1]].mean() > 0.9  # goes on along x
    spikes = only(replace(QUIET, spikes=same(0.002), spike_height=same(4)))
    assert (np.abs(spikes) > 3.9).mean() == pytest.approx(0.002, rel=0.3)


def test_molecules_move_and_the_rest_does_not() -> None:
    scan = simulate_scan(SIZE, 6, seed=2, index=1, settings=replace(QUIET, moving=1.0))
    changes = np.abs(np.diff(scan.truth, axis=0)).max(0) > 1e-4
    assert isinstance(scan, SimulatedScan)
    assert 0.01 < changes.mean() < 0.8
