"""`upreel bench` hands its arguments on and prints what comes back."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import upreel.evaluation.bench
from upreel.cli import main
from upreel.evaluation.bench import Case, Timing


@pytest.fixture
def _bench(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything takes two seconds."""

    def bench(
        cases: Sequence[Case],
        source: Path,
        *,
        repetitions: int,
        progress: Callable[[str], None],
    ) -> list[tuple[Case, Timing]]:
        progress(f"{repetitions} x {source.name}")
        timing = Timing(frames=48, seconds=2.0, stages={"network": 20.0}, memory=5 * 10**8, cpu=3.0)
        return [(case, timing) for case in cases]

    monkeypatch.setattr(upreel.evaluation.bench, "bench", bench)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.usefixtures("_bench")
def test_the_sample_is_measured_if_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench"]) == 0
    captured = capsys.readouterr()
    assert "3 x sample.mp4" in captured.err
    assert "swift:real" in captured.out
    assert "24.0" in captured.out


@pytest.mark.usefixtures("_bench")
def test_json_is_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", "a.mp4", "--model", "swift:clean", "--repetitions", "1", "--json"]
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert "1 x a.mp4" in captured.err
    rows = json.loads(captured.out)
    assert rows[0]["model"] == "swift:clean"
    assert rows[0]["fps"] == 24.0
