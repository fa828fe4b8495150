"""Segments: what belongs to them, what is shown around them, and that a later start is the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice

import numpy as np
import pytest

from upreel.inference.plan import Plan, Start, cut_into_segments
from upreel.models.upscaler import Spec, StateSpec
from upreel.video.frame import Frame, PixelLayout
from upreel.video.place import Place

GRAY = PixelLayout("gray")


@dataclass
class Stills:
    """Photographs of noise that stand still, another one after each cut; pts is the number.

    `begun` has the first number of each reading.
    """

    count: int
    cuts: tuple[int, ...] = ()
    begun: list[int] = field(default_factory=list)

    def _frames(self) -> Iterator[Frame]:
        rng = np.random.default_rng(0)
        scene = rng.integers(0, 255, (48, 80), dtype=np.uint8)
        for index in range(self.count):
            if index in self.cuts:
                scene = rng.integers(0, 255, (48, 80), dtype=np.uint8)
            yield Frame((scene,), GRAY, index, Fraction(1, 25))

    def __iter__(self) -> Iterator[Frame]:
        self.begun.append(0)
        return self._frames()

    def since(self, place: Place) -> Iterator[Frame]:
        self.begun.append(place.frame)
        return islice(self._frames(), place.frame, None)

    def place_of(self, number: int, before: Frame, frame: Frame) -> Place | None:
        assert (before.pts, frame.pts) == (number - 1, number)
        return Place.of(number, before, frame) if number % 5 else None


Row = tuple[int, int | None, bool]


def rows(count: int, plan: Plan, start: Start, cuts: tuple[int, ...] = ()) -> list[Row]:
    laid = cut_into_segments(Stills(count, cuts), plan, start)
    return [(frame.pts, frame.segment, frame.cut) for frame in laid]


def test_a_short_video_is_one_segment() -> None:
    found = rows(10, Plan(10, 3, 2), Start(), cuts=(4,))
    assert found == [(index, 0, index in {0, 4}) for index in range(10)]


def test_a_long_scene_is_cut_with_frames_around() -> None:
    found = rows(11, Plan(5, 2, 1), Start())
    assert found == [
        (0, 0, True), (1, 0, False), (2, 0, False), (3, 0, False), (4, 0, False), (5, None, False),
        (3, None, True), (4, None, False),
        (5, 1, False), (6, 1, False), (7, 1, False), (8, 1, False), (9, 1, False),
        (10, None, False),
        (8, None, True), (9, None, False), (10, 2, False),
    ]  # fmt: skip


def test_a_segment_ends_with_its_scene_once_it_is_half_full() -> None:
    found = rows(14, Plan(10, 2, 1), Start(), cuts=(3, 6))
    own = [(pts, segment) for pts, segment, _ in found]
    assert own == [(index, 0 if index < 6 else 1) for index in range(14)]  # nothing around
    assert [pts for pts, _, cut in found if cut] == [0, 3, 6]


@pytest.mark.parametrize("plan", [Plan(7, 3, 2), Plan(7, 0, 0), Plan(3, 4, 0), Plan(2, 5, 3)])
def test_every_frame_belongs_to_one_segment_and_later_starts_give_the_same(plan: Plan) -> None:
    cuts = (5, 23, 24)
    everything = rows(40, plan, Start(), cuts)
    own = [pts for pts, segment, _ in everything if segment is not None]
    assert own == list(range(40))
    numbers = sorted({segment for _, segment, _ in everything if segment is not None})
    assert numbers == list(range(len(numbers)))
    for number in numbers[1:]:
        first = min(pts for pts, segment, _ in everything if segment == number)
        scene = next(cut for pts, segment, cut in everything if (pts, segment) == (first, number))
        before = everything.index((first, number, scene))
        start = Start(number, first, scene=everything[before - 1][1] is not None)
        later = rows(40, plan, start, cuts)
        assert later == everything[len(everything) - len(later) :]
        assert later[0][2]  # a state begins anew


@pytest.mark.parametrize("plan", [Plan(7, 3, 2), Plan(7, 0, 0), Plan(1, 4, 0), Plan(2, 5, 3)])
def test_a_start_that_was_found_begins_to_read_just_before_it(plan: Plan) -> None:
    cuts = (5, 23, 24)
    starts: list[Start] = []
    whole = list(cut_into_segments(Stills(40, cuts), plan, Start(), starts.append))
    for start in starts:
        source, more = Stills(40, cuts), list[Start]()
        later = list(cut_into_segments(source, plan, start, more.append))
        assert [(f.pts, f.segment, f.cut) for f in later] == [
            (f.pts, f.segment, f.cut) for f in whole[len(whole) - len(later) :]
        ]
        assert min(f.pts for f in later if f.segment is not None) == start.frame
        assert more == starts[start.number :]
        first = start.frame - plan.warm_up
        assert source.begun == [first if first > 0 and first % 5 else 0]


def test_what_an_upscaler_needs_around_a_segment() -> None:
    per_frame, window = Spec(2, "luma"), Spec(2, "luma", past=2, future=3)
    recurrent = Spec(2, "luma", past=1, state={"hidden": StateSpec(4)})
    cached = Spec(2, "luma", past=2, state={"features": StateSpec(4, cache=True)})
    assert (Plan.of(per_frame).warm_up, Plan.of(per_frame).ahead) == (0, 0)
    assert (Plan.of(window).warm_up, Plan.of(window).ahead) == (2, 3)
    assert Plan.of(cached).warm_up == 2
    assert Plan.of(recurrent).warm_up > 4
    both = Plan.of(window, recurrent, most=9)
    assert both == Plan(9, Plan.of(recurrent).warm_up + 2, 3)
