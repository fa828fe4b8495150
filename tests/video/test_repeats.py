"""What counts as the same picture: coding may differ, motion may not."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.video.media import picture, write_video
from upreel.video.frame import Frame, PixelLayout, Plane
from upreel.video.reader import Reader
from upreel.video.repeats import RepeatFinder


def frame(plane: NDArray[np.generic], bits: int = 8) -> Frame:
    made: Plane = plane.astype(np.uint8) if bits == 8 else plane.astype(np.uint16)
    return Frame((made,), PixelLayout("gray", bits), 0, Fraction(1, 25))


@pytest.mark.parametrize("crf", ["18", "32"])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
def test_a_picture_that_was_coded_twice_is_one(tmp_path: Path, pixel_format: str, crf: str) -> None:
    size = (96, 64)
    twos = [picture(index // 2 * 3, *size, pixel_format=pixel_format) for index in range(12)]
    source = write_video(
        tmp_path / "in.mp4", twos, size=size, pixel_format=pixel_format, options={"crf": crf}
    )
    with Reader(source) as reader:
        frames = list(reader)
    finder = RepeatFinder()
    found = [finder.is_repeat(*both) for both in pairwise(frames)]
    assert found[1:] == [False, True] * 5


def test_motion_that_slows_down_is_no_repeat_for_long() -> None:
    x = np.arange(160) + 0 * np.arange(120)[:, None]
    at = np.cumsum([0, 8, 8, 8] + [0.5] * 12)
    frames = [frame(128 + 80 * np.sin((x - shift) / 9)) for shift in at]
    finder = RepeatFinder()
    found = [finder.is_repeat(*both) for both in pairwise(frames)]
    assert not any(found[:3])
    assert not any(found[6:])


def test_a_cut_is_no_motion() -> None:
    still, other = frame(np.full((32, 32), 10.0)), frame(np.full((32, 32), 200.0))
    noisy = replace(other, planes=(other.planes[0] + np.uint8(6),))
    finder = RepeatFinder()
    assert not finder.is_repeat(still, replace(other, cut=True))
    assert not finder.is_repeat(other, noisy)


@pytest.mark.parametrize("bits", [8, 10])
def test_something_small_that_moves_is_motion(bits: int) -> None:
    still = np.full((120, 160), 100 << bits - 8, np.uint16)
    noisy = still + np.random.default_rng(0).integers(-1, 2, still.shape).astype(np.uint16)
    assert RepeatFinder().is_repeat(frame(still, bits), frame(noisy, bits))
    moved = noisy.copy()
    moved[50:58, 70:74] += 60 << bits - 8
    assert not RepeatFinder().is_repeat(frame(still, bits), frame(moved, bits))


def test_colour_counts_too() -> None:
    luma, chroma = np.full((32, 32), 90, np.uint8), np.full((16, 16), 128, np.uint8)
    layout = PixelLayout("yuv", 8, (2, 2))
    one = Frame((luma, chroma, chroma), layout, 0, Fraction(1, 25))
    other = Frame((luma, chroma, chroma + np.uint8(9)), layout, 1, Fraction(1, 25))
    assert RepeatFinder().is_repeat(one, one)
    assert not RepeatFinder().is_repeat(one, other)
