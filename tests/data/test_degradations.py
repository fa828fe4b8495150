from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from upreel.data.codec import CodecSettings, through_codec
from upreel.data.degradations import (
    CHAINS,
    Blur,
    Encode,
    Noise,
    Reduce,
    degrade,
    parse_chain,
    samples_first,
)
from upreel.errors import UsageError

GOLDEN = Path(__file__).parents[1] / "golden"
BI = CHAINS["BI"]


def rounded(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.clip(np.round(values * 255), 0, 255).astype(np.uint8)


def assert_close(low: NDArray[np.uint8], expected: NDArray[np.uint8]) -> None:
    assert low.shape == expected.shape
    assert np.abs(low.astype(int) - expected).max() <= 1
    assert (low != expected).mean() < 0.01


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bd_duf_equals_the_authors_numbers(scale: int) -> None:
    with np.load(GOLDEN / "bd_duf.npz") as file:
        high = rounded(file["in_frames"][0])  # multiples of 1/255
        high = high[..., : high.shape[-1] // scale * scale]  # as the authors' numbers were made
        expected = rounded(file[f"out_duf_x{scale}"][0])
    assert_close(degrade(high, CHAINS["BD-DUF"], scale=scale), expected)


def test_bd_basicvsr_equals_matlabs_recipe() -> None:
    with np.load(GOLDEN / "bd_matlab12.npz") as file:
        high = rounded(file["in_image"]).transpose(2, 0, 1)[None]
        expected = file["out_lr_uint8"].transpose(2, 0, 1)[None]
    assert_close(degrade(high, CHAINS["BD-BasicVSR"], scale=4), expected)


@pytest.mark.parametrize("size", ["even", "odd"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bi_equals_matlab(size: str, scale: int) -> None:
    with np.load(GOLDEN / f"imresize_{size}.npz") as file:
        high = file["in_image"].transpose(2, 0, 1)[None]
        expected = file[f"out_down{scale}_uint8"].transpose(2, 0, 1)[None]
    assert_close(degrade(high, BI, scale=scale), expected)


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(60, 200, shape, dtype=np.uint8)


def test_area_is_the_mean_of_each_block() -> None:
    high = noise(2, 3, 24, 36)
    mean = high.reshape(2, 3, 8, 3, 12, 3).mean((3, 5))
    assert np.abs(degrade(high, CHAINS["area"], scale=3) - mean).max() <= 0.5001


def test_blur_is_in_pixels_of_what_comes_in() -> None:
    high = noise(1, 1, 64, 64)
    blurred = gaussian_filter(high[0, 0].astype(float), 2, mode="reflect")
    expected = degrade(np.round(blurred)[None, None].astype(np.uint8), BI, scale=4)
    low = degrade(high, (Blur((2.0,)), *BI), scale=4)
    assert np.abs(low.astype(int) - expected).max() <= 1


def test_a_slanted_blur_spreads_a_point_as_an_ellipse() -> None:
    point = np.zeros((1, 1, 61, 61), np.uint8)
    point[..., 30, 30] = 255
    blurred = degrade(np.repeat(point, 3, 1), (Blur((2.0,), (0.5,), (30.0,)),), scale=1)
    # 8 bits leave a few levels: compare with the closed form itself
    y, x = np.mgrid[-30:31, -30:31]
    along = x * np.cos(np.pi / 6) + y * np.sin(np.pi / 6)
    across = y * np.cos(np.pi / 6) - x * np.sin(np.pi / 6)
    expected = 255 * np.exp(-(along**2) / 8 - across**2 / 2) / (2 * np.pi * 2 * 1)
    assert np.abs(blurred[0] - expected).max() < 0.51
    assert expected.max() > 20


def test_noise_has_the_deviation_that_was_asked_for() -> None:
    high = np.full((4, 1, 128, 128), 120, np.uint8)
    low = degrade(high, (*BI, Noise((3.0,))), scale=2).astype(float)
    assert low.std() == pytest.approx((9 + 1 / 12) ** 0.5, rel=0.03)
    assert low.mean() == pytest.approx(120, abs=0.1)
    assert abs(np.corrcoef(low[0].ravel(), low[1].ravel())[0, 1]) < 0.05


def test_draws_depend_on_the_key_alone() -> None:
    chain = parse_chain("blur(sigma=0|0.5)+BI+noise(sigma=1|4)+codec(crf=18..32, preset=veryfast)")
    high = noise(2, 1, 64, 64)
    one, other = (degrade(high, chain, scale=2, key="a") for _ in range(2))
    assert np.array_equal(one, other)
    others = {degrade(high, chain, scale=2, key=key).tobytes() for key in "abcd"}
    assert len(others) == 4


def test_a_step_does_not_change_the_draws_of_another() -> None:
    high = np.full((1, 1, 32, 32), 120, np.uint8)
    blurred = degrade(high, (Blur((1.0, 2.0)), *BI, Noise()), scale=2, key="a")
    other = degrade(high, (Blur((3.0,)), *BI, Noise()), scale=2, key="a")
    assert np.array_equal(blurred, other)


def test_what_has_no_chance_does_not_happen() -> None:
    high = noise(1, 1, 32, 32)
    never = (Blur(chance=0.0), *BI, Noise((5.0,), chance=0.0))
    assert np.array_equal(degrade(high, never, scale=2), degrade(high, BI, scale=2))


def test_the_codec_gets_what_the_steps_before_it_made() -> None:
    high = noise(3, 1, 64, 64)
    chain = parse_chain("BI+codec(codec=h265, crf=26, preset=veryfast)")
    expected = through_codec(degrade(high, BI, scale=2), CodecSettings("h265", 26, "veryfast"))
    assert np.array_equal(degrade(high, chain, scale=2), expected)


def test_text_becomes_a_chain() -> None:
    assert parse_chain("BD-DUF") == (Reduce("BD-DUF"),)
    assert parse_chain("codec24") == (Reduce("BI"), Encode(crf=(24,)))
    expected = (Blur((1.2,), chance=0.5), Reduce("area"), Encode(("h264", "h265"), (22, 23, 24)))
    text = "blur(sigma=1.2, chance=0.5) + area + codec(codec=h264|h265, crf=22..24)"
    assert parse_chain(text) == expected
    assert samples_first(parse_chain("BD-DUF+noise"))
    assert not samples_first(parse_chain("BD-BasicVSR"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("BB", r"steps out of BI, BD-DUF, .*codec\(...\), joined by '\+', found 'BB'"),
        ("noise", "expected one step out of BI, BD-DUF, BD-BasicVSR, area in a chain"),
        ("BI+area", "expected one step out of BI"),
        ("blur(sigme=1)+BI", "sigma, ratio, angle, chance as arguments of blur, found 'sigme'"),
        ("blur(sigma=x)+BI", "such as 1.2 or .* in blur, found sigma=x"),
        ("BI+noise(sigma=-1)", "in noise, found sigma=-1"),
        ("BI+codec(crf=60)", "a crf of 0 to 51 .* found '60'"),
        ("BI+codec(codec=av1)", "expected h264 or h265, found 'av1'"),
        ("BI+codec(crf=24", "joined by"),
    ],
)
def test_text_that_is_no_chain(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        parse_chain(text)
