"""When the frames of a result are due: exact fractions of a second, no floating point.

Every frame of a source lasts from its own instant until the next frame's. `instants` says which
frames of the result are due in that time, and how far between both frames each of them lies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Times:
    """So many times as many frames: each frame at its own instant, the others evenly between."""

    factor: int


FrameRate: TypeAlias = Fraction | Times
"""Frames in a second, evenly from the first frame on; or a multiple of what the source has."""


@dataclass(frozen=True, slots=True)
class Instant:
    """When a frame is due.

    Attributes:
        begin: seconds.
        end: seconds; where the next one is due.
        phase: 0: the frame of the source itself; below 1: how far towards the one after it.
    """

    begin: Fraction
    end: Fraction
    phase: Fraction


def slowed(rate: FrameRate | None, factor: int) -> FrameRate:
    """How many frames a source needs so that it has `rate` when it is played `factor` times slower.

    Args:
        rate: of the slow result; as many as the source has where it is `None`.
        factor: 1 for the source's own speed.
    """
    if rate is None:
        return Times(factor)
    return Times(rate.factor * factor) if isinstance(rate, Times) else rate * factor


def resulting_rate(source: Fraction | None, rate: FrameRate) -> Fraction | None:
    """Frames in a second at the speed of the source, from those that it has itself."""
    if isinstance(rate, Fraction):
        return rate
    return None if source is None else source * rate.factor


def common_time_base(time_base: Fraction, rate: FrameRate) -> Fraction:
    """The coarsest unit that counts all instants of a result in whole numbers."""
    if isinstance(rate, Times):
        return time_base / rate.factor
    tick = 1 / rate
    return Fraction(
        math.gcd(time_base.numerator * tick.denominator, tick.numerator * time_base.denominator),
        time_base.denominator * tick.denominator,
    )


def instants(
    begin: Fraction,
    end: Fraction,
    rate: FrameRate,
    *,
    origin: Fraction,
    tick: Fraction,
    last: bool = False,
) -> list[Instant]:
    """Which frames of the result are due while a frame of the source lasts.

    Args:
        begin: of the frame, seconds.
        end: where the next frame begins, or the video ends.
        rate: wanted.
        origin: where the first frame of the source begins.
        tick: the time base of the source. Its instants may be rounded to it, so that frames that
            miss an even instant by no more fall on it, where it is much shorter than a frame.
        last: whether the video ends with this frame: the last frame of the result ends there too.

    Returns:
        In their order; none where the result has fewer frames than the source.
    """
    if isinstance(rate, Times):
        step = (end - begin) / rate.factor
        return [
            Instant(begin + k * step, begin + (k + 1) * step, Fraction(k, rate.factor))
            for k in range(rate.factor)
        ]
    slack = tick if 8 * tick * rate <= 1 else Fraction(0)
    stop = end - slack
    if last and stop <= begin:
        stop = end
    due = []
    for k in range(math.ceil((begin - slack - origin) * rate), math.ceil((stop - origin) * rate)):
        at, until = origin + k / rate, origin + (k + 1) / rate
        if last and until > end + slack:
            until = end
        phase = (at - begin) / (end - begin) if at > begin + slack else Fraction(0)
        due.append(Instant(at, until, phase))
    return due
