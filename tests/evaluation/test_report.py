from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from rich.console import Console

from upreel.errors import MediaError, UsageError
from upreel.evaluation.html import render
from upreel.evaluation.report import ClipScore, Published, Report, Row


def clip(name: str, psnr: tuple[float, ...], tof: tuple[float, ...] = (1.0,)) -> ClipScore:
    return ClipScore(name, (3, 4), {"psnr": psnr, "tof": tof}, (64, 48), 0.5, 10, 2**20)


REPORT = Report(
    "val-bi-y8",
    4,
    "how it was done",
    (
        Row("bicubic", (clip("a", (10.0, 30.0)), clip("b", (40.0, 40.0)))),
        Row("swift", (clip("a", (22.5, 22.5)), clip("b", (41.0, math.inf), (0.5,))), "ab12", 9),
    ),
    (Published("RBPN", "val-bi-y8", {"psnr": 27.12}, "a paper", "Vid4"),),
    {"torch": "2"},
    "clips",
    {"lpips": "no weights"},
)
FINITE = Report("val-bi-y8", 4, "how", (REPORT["bicubic"], Row("x", REPORT["bicubic"].clips)))


def test_means_are_over_frames_then_clips() -> None:
    row = REPORT["bicubic"]
    assert row.psnr == 30
    assert row.means == {"psnr": 30.0, "tof": 1.0}
    assert row.milliseconds == 50
    assert row.memory == 2**20


def test_given_and_new_frames_are_scored_apart_and_so_are_groups_of_clips() -> None:
    one = ClipScore("a", (0, 1, 2, 3), {"psnr": (40.0, 20.0, 50.0, 30.0), "tof": (3.0, 4.0, 6.0)})
    other = ClipScore("b", (0, 1, 2), {"psnr": (20.0, 10.0, 30.0), "tof": (1.0, 1.0)})
    clips = (replace(one, group="fast"), replace(other, group="slow"))
    row = Row("it", clips)
    assert [row.mean("psnr", frames=kind) for kind in ("all", "given", "new")] == [27.5, 35, 17.5]
    assert [row.mean("psnr", "fast", frames=kind) for kind in ("given", "new")] == [45, 25]
    assert [row.mean("tof", "fast", frames=kind) for kind in ("given", "new")] == [4, 4.5]
    report = Report("stvsr-vimeo", 4, "how", (row,), rate=2)
    assert (report.groups, report.kinds) == (("fast", "slow"), ("given", "new"))
    with (console := Console(width=80)).capture() as capture:
        console.print(report.to_table())
    shown = [line.split() for line in capture.get().splitlines()]
    assert ["it", "27.50", "35.00", "20.00"] in shown
    assert ["given", "frames", "35.00", "45.00", "25.00"] in shown
    assert ["new", "frames", "17.50", "25.00", "10.00"] in shown
    assert "<td>new frames</td><td>17.50</td><td>25.00</td>" in render(report).replace(
        "  new", "new"
    )
    only_new = ClipScore("a", (1, 3), {"psnr": (20.0, 30.0)})
    assert Report("val-tsr-y8", 1, "how", (Row("it", (only_new,)),), rate=2).kinds == ()


def test_the_leader_has_the_highest_psnr() -> None:
    assert REPORT.leader.name == "swift"
    assert FINITE.leader.name == "x"


def test_a_metric_without_values_has_no_mean() -> None:
    short, long = clip("a", (30.0,), ()), clip("b", (30.0, 30.0), (math.nan, 2.0))
    assert math.isnan(Row("it", (short,)).mean("tof"))
    assert Row("it", (short,)).means == {"psnr": 30}
    assert Row("it", (short, long)).mean("tof") == 2
    with (console := Console(width=80)).capture() as capture:
        console.print(Report("p", 4, "how", (Row("it", (short,)),)).to_table())
    assert " - " in capture.get()


def test_many_metrics_fit_into_a_terminal() -> None:
    names = ["psnr", "ssim", "tof", "warp", "warp-difference", "profile", "flicker", "vmaf"]
    scores: dict[str, tuple[float, ...]] = {name: (10.0 + n,) for n, name in enumerate(names)}
    clips = (ClipScore("a", (1,), scores, (64, 48), 0.5, 1),)
    rows = tuple(Row(name, clips) for name in ("bicubic", "bicubic aligned", "linear"))
    with (console := Console(width=80)).capture() as capture:
        console.print(Report("val-bd-duf-y8", 4, "how", rows).to_table())
    text = capture.get()
    assert "…" not in text
    for word in ("10.00", "11.0000", "warp-difference", "14.000", "VMAF", "17.00"):
        assert word in text


def test_long_names_are_whole() -> None:
    names = ("repeat+bicubic", "average+bicubic", "average+linear", "average+swift:clean")
    rows = tuple(replace(REPORT["bicubic"], name=name) for name in names)
    report = Report("stvsr-vid4", 4, "how", rows)
    assert report.baselines == ("average+bicubic", "average+linear")
    with (console := Console(width=80)).capture() as capture:
        console.print(report.to_table())
    assert "…" not in capture.get()


def test_gains_are_of_the_means() -> None:
    assert FINITE.gain(FINITE["x"], "bicubic") == 0
    assert FINITE.gain(FINITE["x"], "linear") is None


def test_an_unknown_row_is_refused() -> None:
    with pytest.raises(UsageError, match="a row out of bicubic, swift, found 'fast'"):
        REPORT["fast"]


def test_the_table_names_the_protocol_and_what_papers_state() -> None:
    with (console := Console(width=80)).capture() as capture:
        console.print(REPORT.to_table())
    text = capture.get()
    for word in (
        "val-bi-y8 x4",
        "RBPN (published)",
        "27.12",
        "30.00",
        "22.50",
        "lpips: no weights",
    ):
        assert word in text
    assert max(map(len, text.splitlines())) <= 80


def test_json_is_standard_and_comes_back_as_it_was() -> None:
    text = REPORT.to_json()

    def refuse(constant: str) -> float:
        raise AssertionError(f"{constant} is not JSON")

    assert json.loads(text, parse_constant=refuse)["protocol"] == "val-bi-y8"
    assert Report.from_json(text) == REPORT


def test_other_json_is_refused() -> None:
    with pytest.raises(MediaError, match="the JSON of a report, found something else at protocol"):
        Report.from_json("{}")


def test_csv_has_a_line_for_each_value_under_its_own_frame() -> None:
    lines = REPORT.to_csv().splitlines()
    assert lines[0] == "protocol,scale,model,clip,frame,metric,value"
    assert "val-bi-y8,4,bicubic,a,3,psnr,10.0" in lines
    assert "val-bi-y8,4,swift,b,4,tof,0.5" in lines  # of the frame and the one before it
    assert len(lines) == 1 + 2 * 2 * 3
