"""What changes while a network trains, as functions of the step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Protocol, TypeVar

Shape = Literal["cosine", "restarts", "step", "multi-step"]


class Lasting(Protocol):
    """A part of a run."""

    @property
    def steps(self) -> int:
        """How long it lasts."""
        ...


S = TypeVar("S", bound=Lasting)


def rate_at(
    step: int,
    *,
    steps: int,
    peak: float,
    final: float,
    warm_up: int,
    shape: Shape = "cosine",
    at: Sequence[int] = (),
    factor: float = 0.5,
) -> float:
    """Learning rate: a straight line up to a curve, of which it is a part.

    Args:
        step: from 0.
        steps: of the whole run.
        peak: the curve's beginning.
        final: the end of each cosine.
        warm_up: steps until the line reaches the curve; 0 for none.
        shape: `cosine`, one over the whole run; `restarts`, one up to each step of `at` and one
            from the last to the end; `step`, times `factor` whenever `at[0]` steps have passed;
            `multi-step`, times `factor` at each step of `at`.
        at: see `shape`.
        factor: see `shape`.

    Source: cosines and restarts after Loshchilov and Hutter 2017, "SGDR".
    """
    if shape == "step":
        curve = peak * factor ** (step // at[0])
    elif shape == "multi-step":
        curve = peak * factor ** sum(step >= mark for mark in at)
    else:
        marks = (0, *at, steps) if shape == "restarts" else (0, steps)
        begin = max(mark for mark in marks if mark <= step)
        end = min((mark for mark in marks if mark > step), default=steps)
        done = (step - begin) / max(1, end - begin)
        curve = final + (peak - final) * 0.5 * (1 + math.cos(math.pi * done))
    return curve * min(1.0, (step + 1) / warm_up) if warm_up else curve


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
