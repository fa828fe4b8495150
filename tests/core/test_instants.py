"""Exact instants: closed forms over hours, steady and variable rates."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest

from upreel.core.instants import (
    FrameRate,
    Instant,
    Times,
    common_time_base,
    instants,
    resulting_rate,
    slowed,
)

MILLISECOND = Fraction(1, 1000)


def timeline(
    times: list[Fraction], end: Fraction, rate: FrameRate, *, tick: Fraction = Fraction(0)
) -> list[Instant]:
    due = []
    for index, (begin, until) in enumerate(pairwise([*times, end])):
        last = index == len(times) - 1
        due += instants(begin, until, rate, origin=times[0], tick=tick, last=last)
    return due


def test_twice_as_many_are_midpoints_and_given_frames_stay() -> None:
    times = [Fraction(at, 12800) for at in (0, 512, 700, 1900, 1951, 5000)]
    end = Fraction(5512, 12800)
    due = timeline(times, end, Times(2))
    assert [each.begin for each in due[::2]] == times
    assert [each.begin for each in due[1::2]] == [(a + b) / 2 for a, b in pairwise([*times, end])]
    assert [each.phase for each in due] == [0, Fraction(1, 2)] * 6
    assert [each.end for each in due] == [each.begin for each in due[1:]] + [end]


@pytest.mark.parametrize(
    ("source", "target", "seconds"),
    [
        (Fraction(24000, 1001), Fraction(60), 30),
        (Fraction(25), Fraction(60000, 1001), 30),
        (Fraction(60), Fraction(24000, 1001), 30),
        (Fraction(5), Fraction(6000, 1001), 600),
    ],
)
def test_a_rate_is_even_to_the_end(source: Fraction, target: Fraction, seconds: int) -> None:
    count = round(seconds * source)
    end = count / source
    times = [index / source for index in range(count)]
    due = timeline(times, end, target, tick=Fraction(1, 90000))
    assert [each.begin for each in due] == [k / target for k in range(len(due))]
    assert due[-1].begin < end <= due[-1].end + Fraction(1, 90000)
    given = sum((k * source / target).denominator == 1 for k in range(len(due)))
    assert sum(each.phase == 0 for each in due) == given


def test_instants_that_were_rounded_to_milliseconds_fall_on_the_even_ones() -> None:
    rate = Fraction(24000, 1001)
    times = [Fraction(round(1000 * index / rate), 1000) for index in range(1440)]
    end = Fraction(round(1000 * 1440 / rate), 1000)
    due = timeline(times, end, rate, tick=MILLISECOND)
    assert len(due) == 1440
    assert all(each.phase == 0 for each in due)
    doubled = timeline(times, end, 2 * rate, tick=MILLISECOND)
    assert len(doubled) == 2880
    assert all(each.phase == 0 for each in doubled[::2])
    assert all(0 < each.phase < 1 for each in doubled[1::2])


def test_phases_between_frames() -> None:
    times = [Fraction(index, 24) for index in range(3)]
    due = timeline(times, Fraction(3, 24), Fraction(60))
    assert [each.phase for each in due] == [
        Fraction(k % 5 * 2 % 5, 5) for k in range(8)
    ]  # 0, 2/5, 4/5, 1/5, 3/5, 0, ...
    assert due[-1].end == Fraction(3, 24)  # not 8/60: the video is no longer than it was


def test_frames_that_are_too_many_are_left_out() -> None:
    times = [Fraction(index, 60) for index in range(60)]
    due = timeline(times, Fraction(1), Fraction(24))
    assert len(due) == 24
    assert due[-1].end == 1


def test_a_video_of_one_frame_keeps_it() -> None:
    (due,) = timeline([Fraction(0)], MILLISECOND, Fraction(24), tick=MILLISECOND)
    assert due == Instant(Fraction(0), MILLISECOND, Fraction(0))


@pytest.mark.parametrize(
    ("time_base", "rate", "unit"),
    [
        (MILLISECOND, Fraction(60), Fraction(1, 3000)),
        (Fraction(1, 90000), Fraction(24000, 1001), Fraction(1, 360000)),
        (Fraction(1001, 30000), Fraction(60000, 1001), Fraction(1001, 60000)),
        (Fraction(1, 25), Times(3), Fraction(1, 75)),
    ],
)
def test_one_unit_counts_both(time_base: Fraction, rate: FrameRate, unit: Fraction) -> None:
    assert common_time_base(time_base, rate) == unit


def test_slow_motion_needs_more_frames() -> None:
    assert slowed(None, 4) == Times(4)
    assert slowed(Times(2), 4) == Times(8)
    assert slowed(Fraction(60), 2) == 120
    assert resulting_rate(Fraction(25), Times(3)) == 75
    assert resulting_rate(None, Times(3)) is None
    assert resulting_rate(Fraction(25), Fraction(60)) == 60
