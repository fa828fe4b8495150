from __future__ import annotations

import json

from rich.console import Console

from upreel.evaluation.pareto import (
    Point,
    find_front,
    recommend,
    to_html,
    to_json,
    to_lines,
    to_table,
)

POINTS = (
    Point("heavy", 900.0, 10**9, 33.0),
    Point("filter", 2.0, None, 28.0),
    Point("worse", 60.0, 10**8, 29.0),
    Point("good", 40.0, 10**8, 31.0),
    Point("better", 200.0, 10**8, 32.0),
)


def test_nothing_on_the_front_is_beaten_in_both() -> None:
    assert [point.model for point in find_front(POINTS)] == ["filter", "good", "better", "heavy"]


def test_each_wish_gets_the_best_that_is_fast_enough() -> None:
    found = {wish: point and point.model for wish, point in recommend(POINTS).items()}
    assert found == {"real time (24 fps)": "good", "5 fps": "better", "best quality": "heavy"}
    slow = recommend(POINTS[:1])
    assert slow["real time (24 fps)"] is None
    assert to_lines(POINTS[:1])[0].endswith("no model is fast enough on this machine")


def test_figures_are_shown_in_every_form() -> None:
    with (console := Console(width=100)).capture() as capture:
        console.print(to_table(POINTS, "val-bi-y8 x4"))
    assert "31.00" in capture.get()
    assert json.loads(to_json(POINTS, "t"))["use"]["5 fps"] == "better"
    page = to_html((*POINTS, Point("<b>", 1.0, 1, 1.0)), "val-bi-y8 <x4>")
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert page.count("<circle") == 6
