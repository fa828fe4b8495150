"""What a border costs, against networks whose price can be worked out by hand."""

from __future__ import annotations

import math
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.video.media import write_video
from upreel.evaluation.pairs import Frames, Pair
from upreel.evaluation.resets import (
    AFTER,
    FRAMES,
    Price,
    find_losses,
    mean_of,
    measure_price,
    segment_mean,
)
from upreel.inference.plan import MOST_FRAMES, WARM_UP
from upreel.models.bicubic import Bicubic
from upreel.models.upscaler import Spec, State, StateSpec, Window
from upreel.video.reader import Reader
from upreel.video.scenes import mark_cuts


class Learns:
    """Black frames, and an error that halves with every frame that it has seen."""

    spec = Spec(2, "luma", state={"seen": StateSpec(1)})

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        frame = window.middle
        size = (*frame.shape[:3], 2 * frame.shape[3], 2 * frame.shape[4])
        seen = state.get("seen", torch.zeros_like(frame[:, 0, :1]))
        return torch.full(size, 0.5) * 0.5 ** float(seen.max()), {"seen": seen + 1}


class Ahead:
    """Wrong by how much the next frame differs from this one; at the end it is repeated."""

    spec = Spec(1, "luma", future=1)

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        following = window.clip[:, -1:]
        return window.middle + (following - window.middle).abs() + 0.01, state


def black(count: int) -> Pair:
    low = np.zeros((count, 1, 16, 16), np.uint8)
    return Pair("black", Frames(low), Frames(low.repeat(2, 2).repeat(2, 3)))


def test_frames_lose_what_was_not_yet_learned() -> None:
    found = find_losses(Learns(), black(30), {0, 1, 3})
    each = 20 * math.log10(2)
    borders = (8, 16, 24)
    for run_in, losses in found.items():
        assert [len(border) for border in losses] == [min(AFTER, 30 - at) for at in borders]
        for border, lost in zip(borders, losses, strict=True):
            assert lost == pytest.approx([each * (border - run_in)] * len(lost), abs=1e-3)
    assert mean_of(found[1], 1) == pytest.approx(each * 15, abs=1e-3)
    assert segment_mean(found[0]) == pytest.approx(
        each * (8 * 16 + 16 * 14 + 24 * 6) / 3 / MOST_FRAMES, abs=1e-3
    )


def test_neighbours_that_a_segment_is_shown_cost_nothing() -> None:
    random = np.random.default_rng(4).integers(0, 256, (20, 1, 24, 24), dtype=np.uint8)
    pair = Pair("noise", Frames(random), Frames(random))
    assert find_losses(Ahead(), pair, {0})[0] == [[0.0] * 12, [0.0] * 4]


def test_a_clip_that_is_too_short_has_no_border() -> None:
    assert find_losses(Learns(), black(11), {0, 4}) == {0: [], 4: []}


def test_the_plan_says_how_long_the_run_in_is(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "a.mkv", 20)
    price = measure_price(Learns(), clip)
    assert (price.run_in, price.borders) == (WARM_UP, 1)
    assert price.first == pytest.approx(0, abs=0.01)
    assert abs(price.bare) > 1
    assert measure_price(Bicubic(2), clip) == Price(2, 0, 0.0, 0.0, 0.0)


def test_the_first_frames_of_the_sample_are_one_scene() -> None:
    sample = files("upreel") / "sample" / "sample.mp4"
    with Reader(str(sample)) as reader:
        cuts = [number for number, frame in enumerate(mark_cuts(reader)) if frame.cut]
    assert cuts[0] == FRAMES


def test_a_price_is_one_line() -> None:
    assert str(Price(7, 13, 0.26491, -0.0002, -0.00013)) == (
        "the first frame of a segment loses 0.000 dB against one unbroken run, with a run-in of "
        "13 frames (0.265 dB without it); a segment of 400 loses -0.0001 dB (mean of 7 borders, "
        "val-codec24-y8)"
    )
