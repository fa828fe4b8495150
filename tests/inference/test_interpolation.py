"""Frames at other instants: their time, their planes, and where nothing is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import count

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.inference.test_plan import Stills
from upreel.core.instants import FrameRate, Times
from upreel.inference.interpolation import Tally, choose, interpolate
from upreel.inference.plan import Plan, Start, cut_into_segments
from upreel.models.averaging import Average
from upreel.models.interpolator import Between, double
from upreel.models.upscaler import Spec, State, Window
from upreel.video.coding import Coding
from upreel.video.frame import Frame, PixelLayout, Plane, Siting

CPU = torch.device("cpu")
GRAY = PixelLayout("gray")


class Gliding:
    """An interpolator that knows the motion, `shift` pixels to the right, and doubts where told."""

    def __init__(self, shift: float = 0, doubt: torch.Tensor | None = None) -> None:
        self.shift, self.doubt = shift, doubt

    @property
    def spec(self) -> Spec:
        return Spec(scale=1, color="luma", rate=2, future=1)

    def step(self, window: Window, state: State) -> tuple[torch.Tensor, State]:
        return double(self, window), state

    def between(self, window: Window, instants: Sequence[float]) -> list[Between]:
        before = window.clip[:, -2]
        made = []
        for instant in instants:
            flow = torch.zeros(1, 2, 2, *before.shape[-2:])
            flow[:, 0, 0], flow[:, 1, 0] = -instant * self.shift, (1 - instant) * self.shift
            share = torch.full_like(before, 1 - instant)
            doubt = torch.zeros_like(before) if self.doubt is None else self.doubt[None, None]
            made.append(Between(torch.full_like(before, 0.25), flow, share, doubt))
        return made


def coded(layout: PixelLayout, siting: Siting = "left") -> Coding:
    return Coding(layout, "bt709", "pc" if layout.family == "rgb" else "tv", siting)


def random_frames(
    layout: PixelLayout, number: int = 3, *, size: tuple[int, int] = (32, 24)
) -> list[Frame]:
    random = np.random.default_rng(0)
    shapes = [(size[1], size[0])] * (1 if layout.family == "gray" else 3)
    if layout.family == "yuv":
        shapes[1:] = [coded(layout).plane_size(size)] * 2
    shapes += [(size[1], size[0])] * layout.alpha

    def noise(shape: tuple[int, int]) -> Plane:
        codes = random.integers(0, 2**layout.bits, shape)
        return codes.astype(np.uint8) if layout.bits == 8 else codes.astype(np.uint16)

    return [
        Frame(
            tuple(noise(shape) for shape in shapes),
            layout,
            pts=10 + index,
            time_base=Fraction(1, 25),
            duration=1,
        )
        for index in range(number)
    ]


def flat(*values: int, cut: int | None = None) -> list[Frame]:
    return [
        Frame(
            (np.full((16, 16), value, np.uint8),), GRAY, index, Fraction(1, 25), 1, cut=index == cut
        )
        for index, value in enumerate(values)
    ]


def run(
    frames: Sequence[Frame], rate: FrameRate, interpolator: Gliding | Average | None = None
) -> tuple[list[Frame], Tally]:
    tally = Tally()
    made = interpolate(
        iter(frames),
        interpolator or Average(),
        rate,
        coding=coded(frames[0].layout),
        device=CPU,
        tally=tally,
    )
    return list(made), tally


def shown(frames: Sequence[Frame]) -> list[int]:
    return [int(frame.planes[0][0, 0]) for frame in frames]


@pytest.mark.parametrize(
    "layout",
    [
        PixelLayout("yuv", 8, (2, 2)),
        PixelLayout("yuv", 10, (2, 1)),
        PixelLayout("yuv", 12, (1, 1), alpha=True),
        PixelLayout("gray", 10),
        PixelLayout("rgb", 8, alpha=True),
        PixelLayout("rgb", 16),
    ],
    ids=str,
)
def test_given_frames_stay_and_new_ones_are_of_their_kind(layout: PixelLayout) -> None:
    frames = random_frames(layout, size=(33, 23))
    made, tally = run(frames, Times(2))
    assert [frame.pts * frame.time_base for frame in made] == [
        Fraction(10, 25) + Fraction(k, 50) for k in range(6)
    ]
    assert all(frame.duration == 1 and frame.layout == layout for frame in made)
    for given, kept in zip(frames, made[::2], strict=True):
        assert all(a is b for a, b in zip(given.planes, kept.planes, strict=True))
    assert made[5].planes is frames[2].planes  # the last one is held
    tolerance = 1.001 if layout.family != "rgb" else 1.001 * 2 ** (layout.bits - 8)
    for before, new, after in zip(frames, made[1::2], frames[1:], strict=False):
        for one, middle, other in zip(before.planes, new.planes, after.planes, strict=True):
            mean = (one.astype(float) + other) / 2
            assert middle.dtype == one.dtype
            assert np.abs(middle - mean).max() <= tolerance
    assert (tally.given, tally.made, tally.held) == (3, 2, 0)
    assert dict(tally.repeated) == {"last frame": 1}


@pytest.mark.parametrize("siting", ["left", "center"])
@pytest.mark.parametrize("subsample", [(2, 2), (2, 1), (1, 1)])
def test_chroma_moves_with_luma(siting: Siting, subsample: tuple[int, int]) -> None:
    layout = PixelLayout("yuv", 8, subsample)
    coding = coded(layout, siting)
    shift, size = 6.0, (64, 16)
    rows, columns = coding.plane_size(size)
    places = np.arange(columns) * subsample[0] + coding.offset()[1]

    def chroma(moment: float) -> NDArray[np.float64]:
        return np.tile(128 + 90 * np.sin((places - shift * moment) / 7), (rows, 1))

    def frame(index: int) -> Frame:
        luma = np.full((16, 64), 100 + 50 * index, np.uint8)
        plane: Plane = chroma(index).round().astype(np.uint8)
        return Frame((luma, plane, plane), layout, index, Fraction(1, 24), 1)

    tally = Tally()
    made = list(
        interpolate(
            [frame(0), frame(1)],
            Gliding(shift),
            Times(3),
            coding=coding,
            device=CPU,
            tally=tally,
        )
    )
    for index, moment in ((1, 1 / 3), (2, 2 / 3)):
        assert np.abs(made[index].planes[0] - 255 * 0.25).max() <= 0.75
        error = made[index].planes[1] - chroma(moment)
        inside = slice(8 // subsample[0], -8 // subsample[0])
        assert np.abs(error[:, inside]).max() < 2.5
    held = made[0].planes[1] - chroma(1 / 3)
    assert np.abs(held).max() > 20


def test_nothing_is_made_across_a_cut() -> None:
    made, tally = run(flat(10, 30, 200, 220, cut=2), Times(4))
    assert shown(made)[4:8] == [30, 30, 30, 200]  # half-way, still the frame before
    assert [frame.cut for frame in made] == [index == 7 for index in range(16)]
    assert tally.repeated["scene cut"] == 3
    assert tally.made == 6


def spoken(frames: Sequence[Frame]) -> list[Frame]:
    """Frames that each come with a letter."""
    return [replace(frame, captions=bytes([65 + frame.pts])) for frame in frames]


def said(frames: Sequence[Frame]) -> list[bytes | None]:
    return [frame.captions for frame in frames]


def test_captions_of_frames_that_are_left_out_come_with_the_one_before() -> None:
    frames = spoken(flat(*range(10, 80, 10)))  # results at 0, 2.5 and 5 frames
    assert said(run(frames, Fraction(10))[0]) == [b"AB", b"CDE", b"FG"]
    assert said(run(frames[:2], Times(2))[0]) == [b"A", None, b"B", None]
    doubled = [pair for frame in frames for pair in [(frame, frame)] * 2]
    made = list(choose(iter(doubled), Fraction(10), tally=Tally()))
    assert said([frame for _, frame in made]) == [b"AB", b"CDE", b"FG"]
    assert [source.pts for source, _ in made] == [0, 2, 5]


@pytest.mark.parametrize("rate", [Fraction(10), Fraction(4), Fraction(2), Fraction(60)])
@pytest.mark.parametrize("cuts", [(), (7, 19)])
def test_captions_are_the_same_wherever_the_work_begins(
    rate: FrameRate, cuts: tuple[int, ...]
) -> None:
    def results(start: Start, found: list[Start]) -> list[tuple[int | None, int, bytes | None]]:
        frames = cut_into_segments(Stills(42, cuts), Plan(14, 3, 1), start, found.append)
        made = interpolate(
            iter(spoken(list(frames))), Average(), rate, coding=coded(GRAY), device=CPU,
            tally=Tally(), origin=Fraction(0),
        )  # fmt: skip
        return [(f.segment, f.pts, f.captions) for f in made if f.segment is not None]

    starts: list[Start] = []
    whole = results(Start(), starts)
    assert b"".join(letters or b"" for _, _, letters in whole) == bytes(range(65, 107))
    for start in starts:
        assert results(start, []) == [each for each in whole if (each[0] or 0) >= start.number]


def test_a_cut_on_a_frame_that_is_left_out_is_kept() -> None:
    made, _ = run(flat(10, 20, 30, 200, 210, 220, cut=3), Fraction(10))
    assert [frame.cut for frame in made] == [False, False, True]
    assert shown(made)[0] == 10
    assert all(value >= 200 for value in shown(made)[2:])


def test_animation_on_twos_is_not_taken_for_motion() -> None:
    made, tally = run(flat(10, 10, 50, 50, 90, 90), Times(2))
    assert shown(made) == [10, 10, 10, 30, 50, 50, 50, 70, 90, 90, 90, 90]
    assert dict(tally.repeated) == {"same picture": 3, "last frame": 1}


def test_a_rate_that_is_no_multiple() -> None:
    frames = flat(0, 50, 100, 150, 200)
    made, tally = run(frames, Fraction(60))
    assert [frame.pts * frame.time_base for frame in made] == [Fraction(k, 60) for k in range(12)]
    wanted = [min(200.0, 50 * 25 * k / 60) for k in range(12)]
    assert np.abs(np.array(shown(made)) - wanted).max() <= 0.5
    assert sum(frame.duration or 0 for frame in made) * made[0].time_base == Fraction(5, 25)
    assert (tally.given, tally.made) == (1, 9)


def test_doubt_repeats_regions_or_the_frame() -> None:
    frames = random_frames(PixelLayout("yuv", 8, (2, 2)), 2, size=(96, 64))
    doubt = torch.zeros(64, 96)
    doubt[:, :40] = 1
    made, tally = run(frames, Times(4), Gliding(doubt=doubt))
    assert tally.made == 3
    assert tally.held == pytest.approx(3 * 40 / 96)
    for new, near in ((made[1], frames[0]), (made[2], frames[0]), (made[3], frames[1])):
        for plane, like in zip(new.planes, near.planes, strict=True):
            width = plane.shape[1]
            assert (plane[:, : width // 3] == like[:, : width // 3]).all()
            assert (plane[:, width // 2 :] != like[:, width // 2 :]).mean() > 0.5
    made, tally = run(frames, Times(4), Gliding(doubt=torch.ones(64, 96)))
    assert tally.made == 0
    assert tally.repeated["motion out of reach"] == 3
    assert made[3].planes is frames[1].planes


def test_lines_of_doubt_are_no_region() -> None:
    doubt = torch.zeros(64, 96)
    doubt[:, 40:44] = 1
    frames = random_frames(GRAY, 2, size=(96, 64))
    _, tally = run(frames, Times(2), Gliding(doubt=doubt))
    assert (tally.made, tally.held) == (1, 0)


def test_frames_are_asked_for_when_they_are_due() -> None:
    asked = 0

    def endless() -> Iterator[Frame]:
        nonlocal asked
        for index in count():
            asked += 1
            yield Frame(
                (np.full((16, 16), index * 40 % 251, np.uint8),), GRAY, index, Fraction(1, 25), 1
            )

    made = interpolate(
        endless(), Average(), Times(2), coding=coded(GRAY), device=CPU, tally=Tally()
    )
    for _ in range(40):
        next(made)
    made.close()
    assert asked <= 20 + 6


def pairs(*values: int, cut: int | None = None) -> Iterator[tuple[Frame, Frame]]:
    for frame in flat(*values, cut=cut):
        for more in (0, 1):
            yield frame, frame.with_planes((frame.planes[0] + np.uint8(more),), GRAY)


def test_a_network_that_makes_frames_itself() -> None:
    tally = Tally()
    made = [frame for _, frame in choose(pairs(10, 20, 30), Times(2), tally=tally)]
    assert shown(made) == [10, 11, 20, 21, 30, 31]
    assert [frame.pts * frame.time_base for frame in made] == [Fraction(k, 50) for k in range(6)]
    assert (tally.given, tally.made, dict(tally.repeated)) == (3, 2, {"last frame": 1})


def test_the_nearest_where_it_makes_none() -> None:
    tally = Tally()
    made = [frame for _, frame in choose(pairs(10, 20, 30, cut=1), Times(8), tally=tally)]
    assert shown(made)[8:16] == [20, 20, 20, 21, 21, 21, 21, 30]
    assert shown(made)[:8] == [10, 10, 10, 11, 11, 11, 11, 20]
    assert [index for index, frame in enumerate(made) if frame.cut] == [7]
    assert tally.made == 1
    assert dict(tally.repeated) == {"scene cut": 7, "nearest": 6, "last frame": 7}
