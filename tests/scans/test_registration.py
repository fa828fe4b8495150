"""Shifts that were made are found again, under the errors that scan lines have."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from upreel.scans.registration import align, burst_around, combine, combine_each, find_shift, move
from upreel.scans.scan import Heights


def surface(across: float = 0, down: float = 0, size: tuple[int, int] = (64, 72)) -> Heights:
    """Blobs at fixed places: a formula, so that it can be moved by any part of a pixel."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[: size[0], : size[1]]
    heights = np.zeros(size)
    for cx, cy, s in random.uniform((-8, -8, 2), (80, 72, 5), (40, 3)):
        heights += np.exp(-((x - cx - across) ** 2 + (y - cy - down) ** 2) / (2 * s * s))
    return heights.astype(np.float32)


def rows_off(sigma: float, seed: int, shape: tuple[int, int] = (64, 72)) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    return random.normal(0, sigma, (shape[0], 1)) + random.normal(0, 0.05, shape)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.0, -2.0), (1.4, 2.7), (-6.3, 0.5)])
def test_a_shift_is_found(shift: tuple[float, float]) -> None:
    assert find_shift(surface(*shift), surface()) == pytest.approx(shift, abs=0.1)


@pytest.mark.parametrize("shift", [(2.5, -1.5), (-4.2, 3.3)])
def test_offsets_of_the_rows_do_not_mislead(shift: tuple[float, float]) -> None:
    frame = (surface(*shift) + rows_off(0.5, 1)).astype(np.float32)
    base = (surface() + rows_off(0.5, 2)).astype(np.float32)
    assert find_shift(frame, base) == pytest.approx(shift, abs=0.3)


def test_frames_without_content_stay() -> None:
    flat = np.ones((16, 16), np.float32)
    assert find_shift(flat, flat) == (0, 0)


def test_moving_is_the_formula_moved() -> None:
    moved = move(surface(), 2.3, -1.6)
    inside = (slice(2, -4), slice(5, -2))
    assert np.abs(moved - surface(2.3, -1.6))[inside].max() < 0.01
    assert np.isnan(moved[:, :2]).all()
    assert np.isnan(moved[-1:]).all()


def test_aligned_frames_are_alike() -> None:
    burst = np.stack([surface(0.8 * i, -0.6 * i) for i in range(4)])
    aligned = align(burst, 1)
    assert np.array_equal(aligned[1], burst[1])
    assert np.nanmax(np.abs(aligned - burst[1])[:, 4:-4, 4:-4]) < 0.06


def test_the_mean_of_a_burst_halves_white_noise_and_the_median_drops_a_spike() -> None:
    random = np.random.default_rng(3)
    burst = (surface() + random.normal(0, 0.05, (9, 64, 72))).astype(np.float32)
    burst[4, 20, 20] += 50
    left = combine(burst, 0, "mean") - surface()
    assert np.std(left[:, 40:]) == pytest.approx(0.05 / 3, rel=0.25)
    assert abs(left[20, 20]) > 2
    assert abs(combine(burst, 0, "median")[20, 20] - surface()[20, 20]) < 0.1


def test_each_frame_is_combined_with_its_neighbours() -> None:
    levels = np.array([0, 1, 2, 3, 10], np.float32)
    movie = surface() + levels[:, None, None]
    means = [(frame - surface()).mean() for frame in combine_each(movie, "mean", burst=3)]
    assert means == pytest.approx([1, 1, 2, 5, 5], abs=1e-3)


@pytest.mark.parametrize(
    ("number", "frames", "burst", "wanted"),
    [(0, 9, 4, "0123"), (4, 9, 4, "2345"), (8, 9, 4, "5678"), (1, 2, 10, "01"), (0, 1, 3, "0")],
)
def test_a_burst_lies_around_its_frame(number: int, frames: int, burst: int, wanted: str) -> None:
    assert "".join(map(str, range(frames)[burst_around(number, frames, burst)])) == wanted


def test_on_a_lattice_the_nearest_of_all_fitting_shifts_is_taken() -> None:
    y, x = np.mgrid[:96, :96]
    random = np.random.default_rng(5)
    lattice = [np.cos((x + y - s) / 2) + np.cos((x - y - s) / 2) for s in (0, 2)]
    base, frame = (
        np.asarray(image + random.normal(0, 0.5, x.shape), np.float32) for image in lattice
    )
    assert find_shift(frame, base) == pytest.approx((2, 0), abs=0.2)
