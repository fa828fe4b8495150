"""`upreel eval` hands its arguments on and prints what comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

import upreel.evaluation.evaluate
import upreel.evaluation.html.exhibits
from upreel.cli import main
from upreel.evaluation.protocols import Protocol
from upreel.evaluation.report import ClipScore, Report, Row
from upreel.evaluation.results import Results
from upreel.models.upscaler import Upscaler
from upreel.video.trust import Trust

OTHERS: dict[tuple[str, ...], dict[str, tuple[float, ...]]] = {
    ("psnr", "ssim", "warp-difference"): {"warp-difference": (4.5,)}
}
"""Values of more metrics, where they are asked for."""


@pytest.fixture(autouse=True)
def _evaluate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every upscaler reaches 30 dB on the one clip that there is."""

    def evaluate(
        upscalers: Mapping[str, Upscaler],
        protocol: Protocol,
        data: Path,
        *,
        results: Results | None = None,
        trust: Trust,
    ) -> Report:
        assert data == Path("clips")
        assert all(upscaler.spec.scale == protocol.scale for upscaler in upscalers.values())
        score = ClipScore("boat", (0,), {"psnr": (30.0,)} | OTHERS.get(protocol.metrics, {}))
        rows = tuple(Row(name, (score,)) for name in upscalers)
        return Report(protocol.name, protocol.scale, protocol.description, rows)

    monkeypatch.setattr(upreel.evaluation.evaluate, "evaluate", evaluate)
    monkeypatch.setenv("COLUMNS", "200")


def test_a_table_names_the_protocol(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "--model", "bicubic", "--data", "clips", "--scale", "2"]) == 0
    shown = capsys.readouterr().out
    assert "val-bi-y8 x2" in shown
    assert "boat" in shown
    assert "30.00" in shown


def test_metrics_are_those_that_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    models = ["--model", "bicubic", "--data", "clips"]
    assert main(["eval", *models, "--metrics", "ssim, warp-difference"]) == 0
    shown = capsys.readouterr().out
    assert "warp-difference" in shown
    assert "4.500" in shown


def test_json_is_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "eval",
        "--model",
        "bicubic",
        "--data",
        "clips",
        "--protocol",
        "val-bd-duf-y8",
        "--json",
    ]
    assert main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["protocol"] == "val-bd-duf-y8"
    assert report["rows"][0]["clips"][0]["scores"] == {"psnr": [30.0]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "swift:nothing"], "swift:nothing"),
        (["--model", "bicubic", "--protocol", "psnr"], "expected a protocol out of"),
    ],
)
def test_what_does_not_exist_is_a_sentence(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", *arguments, "--data", "clips"]) == 2
    assert message in capsys.readouterr().err


def test_two_models_stand_in_one_csv(capsys: pytest.CaptureFixture[str]) -> None:
    models = ["--model", "bicubic", "--model", "lanczos"]
    assert main(["eval", *models, "--data", "clips", "--csv"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"val-bi-y8,4,{name},boat,0,psnr,30.0" for name in ("bicubic", "lanczos")
    ]


def test_one_format_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "--model", "bicubic", "--data", "clips", "--json", "--csv"]) == 2
    assert "expected one of --json and --csv" in capsys.readouterr().err


def test_html_is_written_beside_the_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def write_report(
        report: Report,
        upscalers: Mapping[str, Upscaler],
        protocol: Protocol,
        data: Path,
        target: Path,
        trust: Trust,
    ) -> Path:
        target.write_text(f"{report.protocol} {list(upscalers)} {protocol.name} {data}")
        return target

    monkeypatch.setattr(upreel.evaluation.html.exhibits, "write_report", write_report)
    target = tmp_path / "report.html"
    assert main(["eval", "--model", "bicubic", "--data", "clips", "--html", str(target)]) == 0
    assert target.read_text() == "val-bi-y8 ['bicubic'] val-bi-y8 clips"
    assert "30.00" in capsys.readouterr().out
