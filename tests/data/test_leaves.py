"""Dead leaves against closed forms, and the statistics that their model has."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.stats import kstest

from upreel.data.drawings import Drawing
from upreel.data.leaves import Heap, draw_heap, draw_radii

Complex = NDArray[np.complex128]
SIZE = (40, 48)
SQUARE = np.array([-1 - 1j, 1 - 1j, 1 + 1j, -1 + 1j])


def heap(
    outlines: Complex, turns: Complex, shifts: Complex, texture: NDArray[np.float32] | None = None
) -> Heap:
    """Leaves of 0, 200, ... levels over each other, each its own carrier; texture on the first."""
    count = len(outlines)
    levels = np.arange(count, dtype=np.float32)[:, None] * 200
    strengths = np.zeros(count, np.float32)
    if texture is not None:
        levels, strengths[0] = levels + 120, 1
    return Heap(
        SIZE, outlines, np.arange(count), turns, shifts, np.repeat(levels, 3, 1), strengths,
        np.zeros(count, np.complex128),
        np.zeros((512, 512), np.float32) if texture is None else texture,
    )  # fmt: skip


def frames_of(leaves: Heap, count: int) -> NDArray[np.float64]:
    return np.stack(list(leaves.draw_frames(range(count)))).astype(float)


def test_radii_follow_the_law_at_every_scale() -> None:
    radii = draw_radii(np.random.default_rng(1), 20_000, (1.0, 64.0))

    def below(radius: NDArray[np.float64]) -> NDArray[np.float64]:
        """The integral of r^-3, from 1 to the radius, as a part of that to 64."""
        return (1 - radius**-2) / (1 - 64.0**-2)

    assert kstest(radii, below).pvalue > 0.01
    areas = [(radii[(radii >= low) & (radii < 2 * low)] ** 2).sum() for low in (1, 2, 4)]
    assert max(areas) < 1.15 * min(areas), "each octave has the same part of the area"


@pytest.mark.parametrize("place", [20 + 19j, 20.37 + 18.71j, 19.5 + 19.1j])
def test_a_disc_lies_where_it_is_to_parts_of_a_pixel(place: complex) -> None:
    corners = np.exp(2j * np.pi * np.arange(32) / 32)
    outlines = np.stack((1000 * corners, place + 6.3 * corners))
    cover = frames_of(heap(outlines, np.ones((1, 2), complex), np.zeros((1, 2), complex)), 1)
    cover = cover[0, 0] / 200
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    assert abs(complex((x * cover).sum(), (y * cover).sum()) / cover.sum() - place) < 0.06
    # What is painted reaches half of a painted pixel, 1/6, beyond a polygon.
    assert 6.3 - 0.05 < np.sqrt(cover.sum() / np.pi) < 6.3 + 1 / 6 + 0.05


def test_texture_turns_grows_and_moves_by_parts_of_a_pixel() -> None:
    """A wave of 64 pixels is hardly weaker in the mean over a pixel."""
    wave = 80 * np.cos(2 * np.pi / 128 * np.arange(512)).astype(np.float32)
    turns = np.array([[1], [1.05 * np.exp(0.3j)]])
    shifts = np.array([[0], [-7.37 + 3.21j]])
    moved = frames_of(heap(1000 * SQUARE[None], turns, shifts, np.tile(wave, (512, 1))), 2)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    for frame, turn, shift in zip(moved, turns[:, 0], shifts[:, 0], strict=True):
        expected = 120 + 80 * np.cos(2 * np.pi / 64 * ((x + 1j * y - shift) / turn).real)
        assert np.abs(frame - expected).max() < 1


def test_flow_and_occlusion_of_a_square_are_where_it_is() -> None:
    outlines = np.stack((1000 * SQUARE, 20 + 18j + 7.5 * SQUARE))
    leaves = heap(outlines, np.ones((2, 2), complex), np.array([[0, 0], [0, 4 - 2j]]))
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    now, then = ((abs(x - 20 - 4 * t) < 7.5) & (abs(y - 18 + 2 * t) < 7.5) for t in range(2))
    assert np.array_equal(leaves.flow(0, 1), np.stack((4 * now, -2 * now)))
    assert np.array_equal(leaves.flow(1, 0), np.stack((-4 * then, 2 * then)))
    assert np.array_equal(leaves.hidden(0, 1), then & ~now)
    assert np.array_equal(leaves.hidden(1, 0), now & ~then)


@pytest.mark.parametrize(("index", "to"), [(0, 2), (1, 3)])
def test_flow_leads_to_what_is_seen_and_not_to_what_is_hidden(index: int, to: int) -> None:
    leaves = draw_heap((96, 96), 4, seed=1, index=index)
    clip = frames_of(leaves, 4)
    y, x = np.mgrid[:96, :96]
    dx, dy = leaves.flow(1, to)
    found = np.stack([map_coordinates(plane, (y + dy, x + dx), order=3) for plane in clip[to]])
    wrong, still = np.abs(found - clip[1]), np.abs(clip[to] - clip[1])
    hidden = leaves.hidden(1, to)
    assert 0.005 < hidden.mean() < 0.5
    assert np.median(wrong[:, ~hidden]) < 2
    # Pixels on edges are blends of leaves that part.
    assert wrong[:, ~hidden].mean() < 0.4 * min(wrong[:, hidden].mean(), still.mean())


def test_power_falls_as_in_photographs_and_half_of_the_size_looks_the_same() -> None:
    side, spectrum, changes = 128, np.zeros((128, 128)), []
    window = np.hanning(side)[:, None] * np.hanning(side)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
    for index in range(8):
        picture = frames_of(draw_heap((side, side), 1, seed=2, index=index), 1)[0].mean(0)
        power = np.abs(np.fft.fft2((picture - picture.mean()) * window)) ** 2
        spectrum = spectrum + power / picture.var()
        half = picture.reshape(side // 2, 2, side // 2, 2).mean((1, 3))
        changes.append([np.abs(np.diff(each, axis=1)).mean() for each in (picture, half)])
    edges = np.geomspace(1 / 32, 1 / 3, 6)
    rings = [(frequency >= low) & (frequency < high) for low, high in pairwise(edges)]
    middles = np.log([frequency[ring].mean() for ring in rings])
    slope = np.polyfit(middles, np.log([np.mean(spectrum[ring]) for ring in rings]), 1)[0]
    assert -2.6 < slope < -1.7
    whole, half = np.mean(changes, 0)
    assert 0.8 < half / whole < 1.5, "noise would have 0.5, smooth waves 2"


def test_small_leaves_move_with_the_one_they_fell_on() -> None:
    leaves = draw_heap((64, 64), 1, seed=0, index=0)  # in its only frame, all is at rest
    assert np.allclose(leaves.turns, 1) and np.abs(leaves.shifts).max() < 1e-9
    carriers, firsts = np.unique(leaves.carriers, return_index=True)
    assert 10 < len(carriers) < len(leaves.carriers) / 4
    for number in range(len(leaves.carriers) - 60, len(leaves.carriers)):
        carrier = leaves.carriers[number]
        if number in firsts or carrier == 0:
            continue
        middle = leaves.outlines[number].mean()
        own = leaves.outlines[firsts[carrier]]
        side = np.roll(own, -1) - own
        within = (side.conj() * (middle - own)).imag[side != 0] / np.abs(side[side != 0])
        assert within.min() > -2, "pixels, from each side of its carrier"


def test_a_number_gives_the_same_clip_each_time() -> None:
    one, same = (list(Drawing("dead-leaves", 5, SIZE, 3).draw()) for _ in range(2))
    assert all(map(np.array_equal, one, same))
    (last,) = Drawing("dead-leaves", 5, SIZE, 3).draw([2])
    assert np.array_equal(last, one[2])
    assert last.shape == (3, *SIZE) and last.dtype == np.uint8
    (other,) = Drawing("dead-leaves", 6, SIZE, 3).draw([2])
    assert not np.array_equal(other, last)
