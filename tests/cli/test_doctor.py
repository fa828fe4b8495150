"""`upreel doctor`, without the part that takes long."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

import upreel.evaluation.bench
from upreel.cli import main
from upreel.evaluation.bench import Case, Timing


def test_doctor_says_what_is_here_and_what_it_would_choose(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def bench(
        cases: Sequence[Case], source: Path, *, repetitions: int
    ) -> list[tuple[Case, Timing]]:
        assert source.name == "sample.mp4"
        assert source.is_file()
        return [
            (case, Timing(frames=48, seconds=1.5, stages={}, memory=None, cpu=2.0))
            for case in cases
        ]

    monkeypatch.setattr(upreel.evaluation.bench, "bench", bench)
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert version("torch") in shown
    assert f"{os.cpu_count()} cores" in shown
    assert "libx264" in shown
    assert re.search(rf"torch threads +{torch.get_num_threads()} ", shown)
    assert "32.0 frames per second from 320x180 to 1280x720" in shown
    assert ("none that this PyTorch can use" in shown) != torch.cuda.is_available()
