"""Cuts are found; pans, flashes, fades and noise are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from upreel.video.frame import Frame, PixelLayout
from upreel.video.scenes import mark_cuts

Image = NDArray[np.float64]
SIZE = (90, 160)


@lru_cache
def scene(seed: int) -> Image:
    """A picture of 0..255 larger than a frame: structures of many sizes, as in a photograph."""
    rng = np.random.default_rng(seed)
    height, width = 160, 480
    y, x = np.mgrid[:height, :width]
    image = np.zeros((height, width))
    for period in (160, 80, 60, 40, 20, 10):
        for _ in range(4):
            angle, phase = rng.uniform(0, 2 * np.pi, 2)
            wave = 2 * np.pi / period * (np.cos(angle) * x + np.sin(angle) * y) + phase
            image += period**0.4 * np.sin(wave)
    return np.asarray(128 + 45 * image / image.std())


def view(image: Image, x: float = 0, y: float = 0) -> Image:
    return image[int(y) : int(y) + SIZE[0], int(x) : int(x) + SIZE[1]]


def cuts_in(images: list[Image], layout: PixelLayout | None = None) -> list[int]:
    layout = layout or PixelLayout("gray")

    def frames() -> Iterator[Frame]:
        for index, image in enumerate(images):
            codes = np.clip(image, 0, 255) * (2 ** (layout.bits - 8))
            plane = codes.astype(np.uint8) if layout.bits == 8 else codes.astype(np.uint16)
            planes = (plane,) * (3 if layout.family == "rgb" else 1)
            yield Frame(planes, layout, index, Fraction(1, 25))

    marked = list(mark_cuts(frames()))
    assert [frame.pts for frame in marked] == list(range(len(images)))
    return [frame.pts for frame in marked if frame.cut]


def still(seed: int, count: int) -> list[Image]:
    return [view(scene(seed))] * count


def pan(seed: int, count: int, speed: float) -> list[Image]:
    image = scene(seed)
    return [view(image, index * speed % 300) for index in range(count)]


@pytest.mark.parametrize(
    "layout", [PixelLayout("gray"), PixelLayout("gray", 10), PixelLayout("rgb")], ids=str
)
def test_hard_cuts_are_found_where_they_are(layout: PixelLayout) -> None:
    images = still(1, 8) + pan(2, 12, 3) + still(3, 5)
    assert cuts_in(images, layout) == [8, 20]


@pytest.mark.parametrize("seed", range(8))
def test_unrelated_scenes_are_told_apart(seed: int) -> None:
    assert cuts_in(pan(seed, 6, 2) + pan(seed + 100, 6, 2)) == [6]


def test_a_cut_to_and_from_black_is_one() -> None:
    black = [np.zeros(SIZE)] * 5
    assert cuts_in(still(1, 5) + black + still(2, 5)) == [5, 10]


def test_a_cut_at_the_second_and_at_the_last_frame() -> None:
    assert cuts_in(still(1, 1) + still(2, 6)) == [1]
    assert cuts_in(still(1, 6) + still(2, 1)) == [6]


@pytest.mark.parametrize("speed", [1, 4, 10, 20])
def test_pans_are_no_cuts(speed: float) -> None:
    for seed in range(4):
        assert cuts_in(pan(seed, 15, speed)[: int(300 / speed)]) == []


def test_a_camera_that_starts_at_once_is_no_cut() -> None:
    image = scene(5)
    places = [0] * 6 + [12 * index for index in range(12)]
    assert cuts_in([view(image, place) for place in places]) == []


def test_a_jerk_of_the_camera_at_the_end_is_no_cut() -> None:
    image = scene(6)
    assert cuts_in([view(image)] * 6 + [view(image, 24)]) == []


def test_flashes_are_no_cuts() -> None:
    images = still(1, 15)
    dark = images[7]
    for bright in (dark + 120, np.full_like(dark, 255), 255 - (255 - dark) * 0.3):
        assert cuts_in([*images[:7], bright, *images[8:]]) == []


def fade(first: Image, second: Image, count: int) -> list[Image]:
    weights = np.linspace(0, 1, count)
    return [(1 - weight) * first + weight * second for weight in weights]


def test_fades_and_dissolves_are_no_cuts() -> None:
    first, second = view(scene(1)), view(scene(2))
    assert cuts_in([first] * 5 + fade(first, second, 15) + [second] * 5) == []
    assert cuts_in([first] * 5 + fade(first, first * 0, 12) + [first * 0] * 5) == []


def test_noise_is_no_cut() -> None:
    rng = np.random.default_rng(0)
    assert cuts_in([image + rng.normal(0, 25, SIZE) for image in still(1, 12)]) == []
    assert cuts_in([rng.uniform(0, 255, SIZE) for _ in range(12)]) == []


def test_a_thing_that_crosses_the_picture_is_no_cut() -> None:
    images = []
    for index in range(15):
        image = view(scene(1)).copy()
        image[20:80, index * 10 : index * 10 + 60] = 240
        images.append(image)
    assert cuts_in(images) == []


@pytest.mark.parametrize("make", [np.zeros, np.ones])
def test_tiny_frames_are_no_trouble(make: Callable[[tuple[int, int]], Image]) -> None:
    for size in ((1, 1), (2, 3), (7, 300)):
        assert cuts_in([make(size) * 200] * 4) == []
    assert cuts_in([]) == []


def test_one_frame_is_held_back_at_most() -> None:
    asked = 0

    def frames() -> Iterator[Frame]:
        nonlocal asked
        for index in range(6):
            asked += 1
            plane = np.zeros((20, 20), np.uint8)
            yield Frame((plane,), PixelLayout("gray"), index, Fraction(1, 25))

    for count, _ in enumerate(mark_cuts(frames()), start=1):
        assert asked <= count + 1
