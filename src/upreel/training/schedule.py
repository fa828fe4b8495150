"""What changes while a network trains, as functions of the step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, TypeVar


class Lasting(Protocol):
    """A part of a run."""

    @property
    def steps(self) -> int:
        """How long it lasts."""
        ...


S = TypeVar("S", bound=Lasting)


def rate_at(step: int, *, steps: int, peak: float, final: float, warm_up: int) -> float:
    """Learning rate: a straight line up to a cosine from `peak` to `final`, of which it is a part.

    Args:
        step: from 0.
        steps: of the whole run.
        peak: the cosine's beginning.
        final: its end.
        warm_up: steps until the line reaches the cosine; 0 for none.
    """
    cosine = final + (peak - final) * 0.5 * (1 + math.cos(math.pi * step / steps))
    return cosine * min(1.0, (step + 1) / warm_up) if warm_up else cosine


def decay_at(step: int, *, limit: float) -> float:
    """How much of its past an average keeps: little at first, so that it forgets the start."""
    return min(limit, (1 + step) / (10 + step))


def stage_at(step: int, stages: Sequence[S]) -> S:
    """The stage that a step belongs to; the last one also has all that come later."""
    for stage in stages[:-1]:
        if step < stage.steps:
            return stage
        step -= stage.steps
    return stages[-1]
