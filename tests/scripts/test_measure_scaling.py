"""The table of a farm on one machine, from runs that never were."""

from __future__ import annotations

import json
import time

import pytest

from scripts.measure_scaling import Run, Way, around, busy_seconds, to_table

ONE, SINGLE, WIDE, BOTH = (
    Way("one process"), Way("one", 1, 1), Way("wide", 1, 2), Way("both", 2, 1),
)  # fmt: skip


def rows(*seconds: float, digest: str = "a") -> list[list[str]]:
    ways = (ONE, SINGLE, WIDE, BOTH)
    runs = {
        way: [Run(took, 2.0, 50.0, "a"), Run(took + 90, 2.0, 50.0, digest), Run(took, 2.0, 0, "a")]
        for way, took in zip(ways, seconds, strict=True)
    }
    return [[cell.strip() for cell in line.split("|")] for line in to_table(runs, 2)]


def test_speeds_are_compared_with_one_process_and_with_one_worker() -> None:
    _, _, one, single, wide, both, _, same = rows(30.0, 50.0, 40.0, 28.0)
    assert one[2:7] == ["30.0", "2.0", "50.0", "100%", ""]
    assert (single[5], single[6]) == ("60%", "100%")
    assert (wide[5], wide[6]) == ("75%", "")
    assert (both[5], both[6]) == ("107%", f"{50 / 28 / 2:.0%}")
    assert same == ["Workers of 1 core, 1 of them and 2: the same file."]


def test_files_that_differ_are_told() -> None:
    assert "2 different files" in rows(30.0, 50.0, 40.0, 28.0, digest="b")[-1][0]


def test_what_the_farm_does_not_count_is_the_rest() -> None:
    events = [{"event": "worker", "seconds": 1.5}, {"event": "end", "seconds": 20.25, "frames": 9}]
    assert around("\n".join(map(json.dumps, events)), 26.0) == pytest.approx(5.75)


def test_busy_seconds_grow_with_work() -> None:
    before, began = busy_seconds(), time.process_time()
    while time.process_time() - began < 0.1:
        pass
    assert busy_seconds() - before >= 0.08
