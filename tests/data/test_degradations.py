from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from upreel.data.codec import CodecSettings, through_codec
from upreel.data.degradations import Degradation, degrade

GOLDEN = Path(__file__).parents[1] / "golden"


def rounded(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.clip(np.round(values * 255), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("scale", [2, 4])
def test_bd_duf_equals_the_authors_numbers(scale: int) -> None:
    with np.load(GOLDEN / "bd_duf.npz") as file:
        high = rounded(file["in_frames"][0, :, 1])  # multiples of 1/255
        expected = rounded(file[f"out_duf_x{scale}"][0, :, 1])
    low = degrade(high, Degradation("bd-duf"), scale=scale)
    assert np.abs(low.astype(int) - expected).max() <= 1
    assert (low != expected).mean() < 0.01


@pytest.mark.parametrize("scale", [2, 4])
def test_bi_equals_matlab(scale: int) -> None:
    with np.load(GOLDEN / "imresize_even.npz") as file:
        high = np.moveaxis(file["in_image"], -1, 0)
        expected = np.moveaxis(file[f"out_down{scale}_uint8"], -1, 0)
    low = degrade(high, Degradation("bi"), scale=scale)
    assert np.abs(low.astype(int) - expected).max() <= 1
    assert (low != expected).mean() < 0.01


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(60, 200, shape, dtype=np.uint8)


def test_blur_is_in_low_pixels_and_comes_before_the_reduction() -> None:
    high = noise(1, 64, 64)
    blurred = gaussian_filter(high[0].astype(float), 0.5 * 4, mode="reflect")
    expected = degrade(np.round(blurred)[None].astype(np.uint8), Degradation(), scale=4)
    low = degrade(high, Degradation(blur=(0.5,)), scale=4)
    assert np.abs(low.astype(int) - expected).max() <= 1


def test_noise_has_the_deviation_that_was_asked_for() -> None:
    high = np.full((4, 128, 128), 120, np.uint8)
    low = degrade(high, Degradation(noise=(3.0,)), scale=2).astype(float)
    assert low.std() == pytest.approx((9 + 1 / 12) ** 0.5, rel=0.03)
    assert low.mean() == pytest.approx(120, abs=0.1)
    assert abs(np.corrcoef(low[0].ravel(), low[1].ravel())[0, 1]) < 0.05


def test_draws_depend_on_the_key_alone() -> None:
    degradation = Degradation(
        blur=(0.0, 0.5), noise=(1.0, 4.0), codec="h264", crf=(18, 32), presets=("veryfast",)
    )
    high = noise(2, 64, 64)
    one, other = (degrade(high, degradation, scale=2, key="a") for _ in range(2))
    assert np.array_equal(one, other)
    others = {degrade(high, degradation, scale=2, key=key).tobytes() for key in "abcd"}
    assert len(others) == 4


def test_plain_has_neither_blur_nor_noise() -> None:
    high = noise(1, 32, 32)
    dirty = Degradation(blur=(1.0,), noise=(5.0,), plain=1.0)
    assert np.array_equal(degrade(high, dirty, scale=2), degrade(high, Degradation(), scale=2))


def test_the_codec_comes_last() -> None:
    high = noise(3, 64, 64)
    degradation = Degradation(codec="h265", crf=(26, 26), presets=("veryfast",))
    reduced = degrade(high, Degradation(), scale=2)
    expected = through_codec(reduced, CodecSettings("h265", 26, "veryfast"))
    assert np.array_equal(degrade(high, degradation, scale=2), expected)
