from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from upreel.training.schedule import Shape, decay_at, rate_at, stage_at


@dataclass(frozen=True)
class Part:
    name: str
    steps: int


def test_the_rate_is_a_cosine_after_a_straight_line() -> None:
    rates = [rate_at(step, steps=100, peak=2.0, final=0.5, warm_up=10) for step in range(100)]
    cosine = [0.5 + 1.5 * math.cos(math.pi * step / 200) ** 2 for step in range(100)]
    assert rates[9:] == pytest.approx(cosine[9:])
    line = [cosine[step] * (step + 1) / 10 for step in range(10)]
    assert rates[:10] == pytest.approx(line)


def test_without_a_warm_up_it_begins_at_the_peak() -> None:
    assert rate_at(0, steps=10, peak=3.0, final=0.0, warm_up=0) == 3
    assert rate_at(5, steps=10, peak=3.0, final=0.0, warm_up=0) == pytest.approx(1.5)


def test_the_average_forgets_its_start() -> None:
    assert decay_at(0, limit=0.999) == 0.1
    assert decay_at(90, limit=0.999) == pytest.approx(0.91)
    assert decay_at(10**6, limit=0.999) == 0.999


def test_stages_follow_one_another() -> None:
    stages = [Part("a", 3), Part("b", 1), Part("c", 2)]
    assert "".join(stage_at(step, stages).name for step in range(8)) == "aaabcccc"


def test_other_shapes() -> None:
    def rates(shape: Shape, at: tuple[int, ...], steps: int = 8) -> list[float]:
        return [
            rate_at(
                step, steps=steps, peak=4.0, final=0.0, warm_up=0, shape=shape, at=at, factor=0.5
            )
            for step in range(steps)
        ]

    assert rates("step", (3,)) == [4, 4, 4, 2, 2, 2, 1, 1]
    assert rates("multi-step", (2, 7)) == [4, 4, 2, 2, 2, 2, 2, 1]
    assert rates("restarts", (2,), 4) == pytest.approx([4, 2, 4, 2])
