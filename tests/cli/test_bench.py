"""`upreel bench` hands its arguments on and prints what comes back."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import upreel.evaluation.bench
import upreel.evaluation.networks
import upreel.evaluation.quality
import upreel.evaluation.resets
from upreel.cli import main
from upreel.evaluation.bench import Case, Timing
from upreel.evaluation.networks import Cost
from upreel.evaluation.pareto import Point
from upreel.evaluation.resets import Price
from upreel.models.upscaler import Upscaler
from upreel.video.trust import Trust


@pytest.fixture
def _bench(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything takes two seconds."""

    def bench(
        cases: Sequence[Case],
        source: Path,
        *,
        repetitions: int,
        trust: Trust,
        progress: Callable[[str], None],
    ) -> list[tuple[Case, Timing]]:
        progress(f"{repetitions} x {source.name}")
        timing = Timing(frames=48, seconds=2.0, stages={"network": 20.0}, memory=5 * 10**8, cpu=3.0)
        return [(case, timing) for case in cases]

    def measure_price(upscaler: Upscaler, clip: Path) -> Price:
        assert (upscaler.spec.scale, clip.name) == (4, "sample.mp4")
        return Price(6, 13, 0.265, 0.005, 0.0001)

    monkeypatch.setattr(upreel.evaluation.bench, "bench", bench)
    monkeypatch.setattr(upreel.evaluation.resets, "measure_price", measure_price)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.usefixtures("_bench")
def test_the_sample_is_measured_if_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench"]) == 0
    captured = capsys.readouterr()
    assert "3 x sample.mp4" in captured.err
    assert "swift:real" in captured.out
    assert "24.0" in captured.out
    last = captured.out.splitlines()[-1]
    assert last.startswith("On the bundled sample, the first frame of a segment loses 0.005 dB")


@pytest.mark.usefixtures("_bench")
def test_json_is_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", "a.mp4", "--model", "swift:clean", "--repetitions", "1", "--json"]
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert "1 x a.mp4" in captured.err
    rows = json.loads(captured.out)
    assert rows[0]["model"] == "swift:clean"
    assert rows[0]["fps"] == 24.0


@pytest.fixture
def _place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two models; the title says what was asked for."""

    def place(
        models: str,
        source: Path,
        data: Path,
        protocol: str,
        *,
        scale: int,
        repetitions: int,
        trust: Trust,
        progress: Callable[[str], None],
    ) -> tuple[list[Point], str]:
        progress(f"{repetitions} x {source.name}")
        points = [Point("swift", 40.0, 10**8, 31.0), Point("slow", 400.0, None, 33.0)]
        return points, f"{models} on {data.name} under {protocol} x{scale}"

    monkeypatch.setattr(upreel.evaluation.quality, "place", place)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.usefixtures("_place")
def test_models_are_placed_and_one_is_named_for_each_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    html = tmp_path / "front.html"
    arguments = ["--data", "clips", "--protocol", "val-bd-duf-y8", "--html", str(html)]
    arguments += ["--scale", "3"]
    assert main(["bench", "a.mp4", "--models", "all", "--repetitions", "2", *arguments]) == 0
    captured = capsys.readouterr()
    assert "2 x a.mp4" in captured.err
    assert "all on clips under val-bd-duf-y8 x3" in captured.out
    assert "real time (24 fps): swift (40.0 ms, 31.00 dB)" in captured.out
    assert "5 fps: swift" in captured.out
    assert "best quality: slow (400.0 ms, 33.00 dB)" in captured.out
    page = html.read_text("utf-8")
    assert page.count("<circle") == 2
    assert "all on clips under val-bd-duf-y8 x3" in page


@pytest.mark.usefixtures("_place")
def test_without_data_the_sample_counts_and_the_title_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["bench", "--models", "swift,slow", "--json"]) == 0
    captured = capsys.readouterr()
    assert "3 x sample.mp4" in captured.err
    found = json.loads(captured.out)
    assert found["title"].startswith("swift,slow on sample under val-bi-y8")
    assert "quality on the bundled sample alone (name clips with --data)" in found["title"]
    assert found["front"] == ["swift", "slow"]


@pytest.fixture
def _costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every network takes as many milliseconds as it may take seconds."""

    def measure(name: str, size: tuple[int, int], limit: float) -> Cost:
        return Cost(name, size, 1234, None, limit, 5 * 10**8)

    monkeypatch.setattr(upreel.evaluation.networks, "measure_apart", measure)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.usefixtures("_costs")
def test_networks_stand_beside_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--networks", "edvr, dflow", "--limit", "77"]) == 0
    captured = capsys.readouterr()
    assert "edvr 320x180, 77 s at most" in captured.err
    assert "dflow" in captured.out
    assert "77" in captured.out
    assert "RSTT-S (published)" in captured.out


@pytest.mark.usefixtures("_costs")
def test_all_networks_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--networks", "all", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [cost["size"] for cost in found["networks"]["basicvsrpp"]] == [[320, 180], [960, 540]]
    assert found["device"]
