from __future__ import annotations

import json

import pytest
from rich.console import Console

from upreel.errors import UsageError
from upreel.evaluation.protocols import find_protocol
from upreel.evaluation.report import ClipScore, Report, Row

REPORT = Report(
    find_protocol("val-bi-y8"),
    (
        Row("bicubic", (ClipScore("a", 20.0, 0.5, 2.0), ClipScore("b", 40.0, 0.9, 1.0))),
        Row("swift", (ClipScore("a", 22.5, 0.6, 1.0), ClipScore("b", 41.0, 0.9, 0.5))),
    ),
)


def test_means_are_over_clips() -> None:
    row = REPORT["bicubic"]
    assert row.psnr == 30
    assert row.ssim == pytest.approx(0.7)
    assert row.tof == 1.5


def test_gains_are_of_the_means() -> None:
    assert REPORT.gain(REPORT["swift"], "bicubic") == pytest.approx(1.75)
    assert REPORT.gain(REPORT["swift"], "linear") is None


def test_an_unknown_row_is_refused() -> None:
    with pytest.raises(UsageError, match="a row out of bicubic, swift, found 'fast'"):
        REPORT["fast"]


def test_the_table_names_the_protocol_and_holds_every_figure() -> None:
    with (console := Console(width=80)).capture() as capture:
        console.print(REPORT.to_table())
    text = capture.get()
    assert "val-bi-y8 x4" in text
    assert max(map(len, text.splitlines())) <= 80
    for figure in ("22.50", "41.00", "31.75", "0.7500", "+1.75", "0.750"):
        assert figure in text


def test_the_json_names_the_protocol_and_holds_every_figure() -> None:
    report = json.loads(REPORT.to_json())
    assert report["protocol"]["name"] == "val-bi-y8"
    assert report["protocol"]["scale"] == 4
    swift = report["rows"][1]
    assert swift["gain_over_bicubic"] == pytest.approx(1.75)
    assert swift["gain_over_linear"] is None
    assert swift["clips"][0] == {"clip": "a", "psnr": 22.5, "ssim": 0.6, "tof": 1.0}
