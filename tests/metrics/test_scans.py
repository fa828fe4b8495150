"""Metrics of scans against closed forms, scikit-image, and the values that are known of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from upreel.metrics.scans import (
    blur_score,
    roughness,
    row_offset_variance,
    scan_psnr,
    scan_ssim,
    stripe_score,
)

Heights = NDArray[np.float32]


def random_rows(deviation: float, size: tuple[int, int] = (2000, 8)) -> Heights:
    offsets = np.random.default_rng(0).normal(0, deviation, (size[0], 1))
    rows: Heights = np.broadcast_to(0.5 + offsets, size).astype(np.float32)
    return rows


def blobs() -> Heights:
    y, x = np.mgrid[:128, :128]
    image = np.zeros((128, 128))
    for at_y, at_x in np.random.default_rng(1).uniform(20, 108, (30, 2)):
        image += np.exp(-((y - at_y) ** 2 + (x - at_x) ** 2) / 50)
    unit: Heights = (image / image.max()).astype(np.float32)
    return unit


def tilted(heights: Heights) -> Heights:
    """The same surface as a microscope sees it: on a tilted sample, at any height."""
    y, x = np.mgrid[: heights.shape[0], : heights.shape[1]]
    shown: Heights = (heights + 0.02 * x - 0.01 * y + 7).astype(np.float32)
    return shown


@pytest.mark.parametrize(("deviation", "known"), [(0.01, 0.041), (0.05, 0.205)])
def test_stripe_score_of_row_offsets(deviation: float, known: float) -> None:
    score = stripe_score(random_rows(deviation))
    assert score == pytest.approx(8 * deviation / math.sqrt(math.pi), rel=0.03)
    assert score == pytest.approx(known, rel=0.15)  # one draw of 64 rows, clipped


def test_stripe_score_of_what_has_no_stripes_and_of_upright_ones() -> None:
    random = np.random.default_rng(2)
    noise = random.normal(0.5, 0.05, (256, 256)).astype(np.float32)
    assert abs(stripe_score(noise)) < 0.003
    assert abs(stripe_score(blobs() + blobs().T)) < 1e-6
    assert abs(stripe_score(blobs())) < 0.15 * stripe_score(random_rows(0.01))
    stripes = random_rows(0.05)
    assert stripe_score(stripes.T) == pytest.approx(-stripe_score(stripes))
    ramp = np.broadcast_to(np.arange(16.0)[:, None] * 0.01, (16, 16)).astype(np.float32)
    assert stripe_score(ramp) == pytest.approx(0.08)  # 1 + 2 + 1 times two rows


def test_blur_score_of_a_checkerboard_and_of_its_blurred_self() -> None:
    board = (np.indices((32, 32)).sum(0) % 2).astype(np.float32)
    assert blur_score(board) == pytest.approx((4 * 255) ** 2, rel=0.01)
    assert blur_score(np.full((8, 8), 0.3, np.float32)) == 0
    assert blur_score(board * 0.5) < blur_score(board)


def test_row_offset_variance_is_that_of_the_offsets() -> None:
    assert row_offset_variance(random_rows(0.3)) == pytest.approx(0.09, rel=0.1)
    assert row_offset_variance(tilted(np.zeros((64, 64), np.float32))) == pytest.approx(0, abs=1e-9)
    surface = np.pad(blobs(), 16)
    with_offsets = surface + random_rows(0.3, (160, 160))
    assert row_offset_variance(surface) < 0.01 * row_offset_variance(with_offsets)


def test_roughness_of_a_sine_on_a_tilted_sample() -> None:
    x = np.arange(256)
    wave = np.broadcast_to(3 * np.cos(2 * np.pi * x / 16), (256, 256)).astype(np.float32)
    assert roughness(wave) == pytest.approx(3 / math.sqrt(2), rel=1e-3)
    assert roughness(tilted(wave)) == pytest.approx(3 / math.sqrt(2), rel=1e-3)


def test_psnr_and_ssim_are_those_of_levelled_heights() -> None:
    truth = blobs()
    y, x = np.mgrid[:128, :128]
    planes = np.stack([np.ones(truth.size), x.ravel(), y.ravel()], 1)
    fit = np.linalg.lstsq(planes, truth.ravel().astype(float), rcond=None)[0]
    flat = truth - (planes @ fit).reshape(truth.shape)
    noise = np.random.default_rng(3).normal(0, 0.05, truth.shape)
    noise -= (planes @ np.linalg.lstsq(planes, noise.ravel(), rcond=None)[0]).reshape(truth.shape)
    output = tilted((truth + noise).astype(np.float32))
    scale = float(np.ptp(flat))
    expected = peak_signal_noise_ratio(  # type: ignore[no-untyped-call]
        flat, flat + noise, data_range=scale
    )
    assert scan_psnr(output, truth) == pytest.approx(expected, abs=1e-3)
    expected = structural_similarity(  # type: ignore[no-untyped-call]
        flat - flat.min(), flat + noise - flat.min(), data_range=scale,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False, win_size=11, full=True,
    )[1][5:-5, 5:-5].mean()  # fmt: skip
    assert scan_ssim(output, truth) == pytest.approx(expected, abs=1e-4)
    assert scan_psnr(tilted(truth), truth) > 100


def test_scans_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match="scans of one size"):
        scan_psnr(blobs()[:100], blobs())
    with pytest.raises(ValueError, match="not flat"):
        scan_ssim(blobs(), np.zeros((128, 128), np.float32))
