"""Plots: where their lines and ticks are."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest

from upreel.evaluation.html.plots import plot_front, plot_lines


def ticks(svg: str) -> dict[str, float]:
    """The numbers below the horizontal axis and where they stand."""
    found = re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="middle">([^<]+)<', svg)
    return {text: float(x) for x, text in found}


def corners(svg: str, kind: str) -> list[tuple[float, float]]:
    (path,) = re.findall(rf'class="{kind}" points="([^"]*)"', svg)
    pairs = (pair.split(",") for pair in path.split())
    return [(float(x), float(y)) for x, y in pairs]


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [
        ((3.0, 70.0), ["2", "5", "10", "20", "50", "100", "200"]),
        ((41.0, 43.0), ["20", "50"]),
        ((0.08, 0.6), ["0.05", "0.1", "0.2", "0.5", "1"]),
    ],
)
def test_the_logarithmic_axis_has_round_numbers(
    milliseconds: tuple[float, float], expected: list[str]
) -> None:
    low, high = milliseconds
    found = ticks(plot_front({"a": (low, 30.0), "b": (high, 31.0)}, ["a", "b"]))
    assert list(found) == expected
    places = list(found.values())
    for (text, x), (after, beyond) in pairwise(found.items()):
        share = (beyond - x) / (places[-1] - places[0])
        decades = math.log10(float(expected[-1]) / float(expected[0]))
        assert share == pytest.approx(math.log10(float(after) / float(text)) / decades, abs=2e-3)


def test_the_front_is_a_stair_over_all_that_is_beaten() -> None:
    points = {"a": (1.0, 30.0), "beaten": (20.0, 29.0), "b": (10.0, 31.0), "c": (100.0, 33.0)}
    stair = corners(plot_front(points, ["a", "b", "c"]), "front")
    assert len(stair) == 5
    for (x, y), (beyond, after) in pairwise(stair):
        assert (x == beyond) != (y == after)  # each piece is upright or level
        assert beyond >= x
        assert after <= y  # SVG's rows count downwards


def test_one_model_alone_has_a_plot() -> None:
    svg = plot_front({"a": (40.0, 30.0)}, ["a"])
    assert svg.count("<circle") == 1
    assert len(ticks(svg)) > 1


def test_frames_without_an_error_leave_a_line_of_the_others() -> None:
    series = {"a": [(0.0, 30.0), (1.0, float("inf")), (2.0, 32.0)]}
    assert len(corners(plot_lines(series, across="frame", up="dB"), "line c0")) == 2


def test_names_of_models_that_are_alike_can_be_read() -> None:
    points = {f"model-{index}": (60.0 + index, 30.0 + index / 50) for index in range(6)}
    svg = plot_front({**points, "far": (900.0, 35.0)}, ["model-0", "far"])
    found = re.findall(r'class="name" x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)"', svg)
    width, height = 7 * len("model-0"), 13  # of the text as it is drawn, or a little less
    boxes = []
    for x, y, anchor in found:
        left = float(x) - (width if anchor == "end" else 0)
        boxes.append((left, float(y)))
    for index, (left, below) in enumerate(boxes):
        for other, beneath in boxes[:index]:
            assert abs(left - other) >= width or abs(below - beneath) >= height
