"""The fork's choice of a truth: scans whose scores are known, and what its mistake would choose."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from upreel.data.pseudo_truth import augment, choose_scans, draw_patch, scale_burst
from upreel.metrics.scans import blur_score, stripe_score

Images = NDArray[np.float32]


def grain(deviation: float = 0.03, *, seed: int = 0, size: int = 64) -> Images:
    """White noise: no stripes; its Laplacian varies by 20 times its variance."""
    noise = np.random.default_rng(seed).normal(0.5, deviation, (size, size))
    return noise.astype(np.float32)


def striped(deviation: float, *, seed: int = 0) -> Images:
    rows = np.random.default_rng((seed, 1)).normal(0, deviation, (64, 1))
    return grain(seed=seed) + rows.astype(np.float32)


def choose(*images: Images) -> tuple[int, int, tuple[int, ...]]:
    choice = choose_scans(np.stack(images), np.random.default_rng(0))
    return choice.target, choice.base, choice.good


def test_the_least_striped_scan_is_the_truth_and_the_next_one_the_base() -> None:
    scans = [striped(0.05), grain(seed=1), striped(0.1, seed=2), striped(0.005, seed=3)]
    assert 250 < blur_score(grain()) < 1500
    assert choose(*scans)[0] == min((1, 3), key=lambda n: abs(stripe_score(scans[n])))
    assert set(choose(*scans)[:2]) == {1, 3}
    assert sorted(choose(*scans)[2]) == [1, 3]


def test_stripes_the_other_way_are_no_merit() -> None:
    upright = striped(0.1, seed=5).T.copy()
    assert stripe_score(upright) < -0.1
    assert choose(upright, striped(0.05), grain(seed=1))[0] == 2


def test_blurred_and_noisy_scans_are_not_good() -> None:
    flat, loud = grain(0.001), grain(0.1)
    assert blur_score(flat) < 250
    assert blur_score(loud) > 1500
    assert choose(flat, loud, striped(0.01, seed=4))[0] == 2
    target, _, good = choose(flat, loud)
    assert not good  # then the one with the least stripes
    assert target == 0


def test_all_scans_play_one_part_each() -> None:
    images = np.stack([grain(seed=n) for n in range(10)])
    one = choose_scans(images, np.random.default_rng(1))
    two = choose_scans(images, np.random.default_rng(2))
    assert sorted((one.target, one.base, *one.others)) == list(range(10))
    assert (one.target, one.base) == (two.target, two.base)
    assert one.others != two.others
    assert sorted(one.good) == sorted(two.good)
    assert one.good[0] != two.good[0]


def test_a_patch_is_drawn_until_a_scan_is_good_there() -> None:
    half = np.full((2, 64, 128), 0.5, np.float32)
    half[:, :, 64:] = grain()
    patch, choice = draw_patch(half, 32, np.random.default_rng(3))
    assert patch.shape == (2, 32, 32)
    assert choice.good
    nothing, choice = draw_patch(np.full((2, 40, 40), 0.5, np.float32), 32, np.random.default_rng())
    assert nothing.shape == (2, 32, 32)
    assert not choice.good


def test_a_burst_becomes_images_and_heights_again() -> None:
    y, x = np.mgrid[:40, :50].astype(np.float32)
    heights = np.stack([grain(size=64)[:40, :50] * 20 + slope * x - 3 * y for slope in (1, 5)])
    burst = scale_burst(heights)
    assert burst.images.min() == 0
    assert burst.images.max() == 1
    back = burst.images * burst.span + burst.low
    inside = (burst.images > 0) & (burst.images < 1)
    assert np.abs(back[0] - back[1])[inside.all(0)].max() < 1e-2  # the planes are gone
    assert inside.mean() == pytest.approx(0.99, abs=0.003)


def test_flips_and_gammas() -> None:
    patch = np.linspace(0.1, 0.9, 12, dtype=np.float32).reshape(1, 3, 4)
    seen = {augment(patch, np.random.default_rng(n)).argmin().item() for n in range(20)}
    assert seen == {0, 3, 8, 11}
    gammas = [
        np.log(augment(patch, np.random.default_rng(n)).min()) / np.log(0.1) for n in range(40)
    ]
    assert min(gammas) >= 0.8 - 1e-5
    assert max(gammas) <= 1.1 + 1e-5
    assert max(gammas) - min(gammas) > 0.2
