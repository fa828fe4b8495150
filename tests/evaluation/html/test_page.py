"""The report: what stands in it, and that it works in a browser."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.html.browser import Browser
from upreel.errors import OutputError
from upreel.evaluation.html import render, write
from upreel.evaluation.html.pictures import Gallery
from upreel.evaluation.report import ClipScore, Published, Report, Row

HOSTILE = '<script>document.title="broken"</script>"\'&<img src=x onerror=alert(1)>'
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def row(name: str, *values: float) -> Row:
    scores = {"psnr": values, "tof": values[1:]}
    return Row(name, (ClipScore(HOSTILE, (0, 1, 2), scores, (64, 48), 0.06, 3, 5 * 10**8),), "", 7)


def report() -> Report:
    return Report(
        "val-bi-y8", 4, HOSTILE,
        (row("bicubic", 30.0, 31.0, 32.0), row(HOSTILE, 33.0, float("inf"), 35.0)),
        (Published("FRVSR", "val-bi-y8", {"psnr": 26.69}, "a paper"),),
        {"torch": "2.13.0"},
        data=HOSTILE,
    )  # fmt: skip


def gallery() -> Gallery:
    made = Gallery(HOSTILE)
    generator = np.random.default_rng(0)
    for number, score in enumerate((30.0, 20.0, 40.0)):
        pictures = generator.integers(0, 256, (3, 48, 64, 3), np.uint8)
        made.offer(number, dict(zip(("bicubic", HOSTILE, "truth"), pictures, strict=True)), score)
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = gallery()
    profile = made.profile()
    assert profile is not None
    return write(render(report(), made.crops(), [profile]), tmp_path / "report.html")


def test_all_that_was_found_stands_in_one_file_that_asks_for_nothing(path: Path) -> None:
    text = path.read_text("utf-8")
    for said in ("val-bi-y8 x4", "31.00", "FRVSR (published)", "26.69", "20.0", "500", "2.13.0"):
        assert said in text
    assert not re.search(r"""(?:src|href)="(?!data:)|url\(|@import|https?://""", text)
    assert text.count("<script>") == 1
    assert "<img src=x" not in text


def test_the_worst_and_the_best_frame_are_kept() -> None:
    captions = [exhibit.caption for exhibit in gallery().crops()]
    assert captions[0].startswith("worst frame: 1, 20.00 dB")
    assert captions[1].startswith("best frame: 2, 40.00 dB")


def test_a_slice_has_one_row_for_each_frame() -> None:
    made = Gallery("clip")
    for number in range(50):
        frame = np.full((8, 16, 3), number, np.uint8)
        made.offer(number, {"a": frame, "b": frame}, 1.0)
    profile = made.profile()
    assert profile is not None
    assert [picture.size for picture in profile.pictures] == [(16, 100)] * 2  # each drawn twice
    assert len(made.crops()) == 1  # the best frame is the worst


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"Cannot write .*report.html"):
        write("", tmp_path / "nowhere" / "report.html")


def test_arrows_point_where_metrics_get_better() -> None:
    text = render(report())
    assert "PSNR ↑" in text
    assert "tOF ↓" in text


@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's package chromium")
def test_the_divider_moves_in_a_browser(path: Path, tmp_path: Path) -> None:
    with Browser(CHROMIUM or "", tmp_path / "profile") as browser:
        browser.open(path, 390)
        divider = "document.querySelector('.stage')"
        at = f"{divider}.style.getPropertyValue('--at')"
        browser.read(f"{divider}.scrollIntoView()")
        box = browser.read(
            f"(r => [r.left, r.top, r.width, r.height])({divider}.getBoundingClientRect())"
        )
        assert isinstance(box, list)
        left, top, width, height = (float(str(value)) for value in box)
        assert browser.read(at) == "50%"
        middle = (left + width / 2, top + height / 2)
        browser.drag(middle, (left + width * 0.8, middle[1]))
        dragged = float(str(browser.read(at)).rstrip("%"))
        assert 74 < dragged < 86
        browser.press("ArrowLeft")
        assert browser.read(at) == f"{dragged - 1:g}%"
        clip = browser.read(f"getComputedStyle({divider}.querySelector('.right')).clipPath")
        assert f"{dragged - 1:g}%" in str(clip)
        assert browser.read("document.documentElement.scrollWidth") == 390  # nothing sticks out
        assert "broken" not in str(browser.read("document.title = document.title.slice(0, 6)"))
        told = [event["method"] for event in browser.events]
    assert "Log.entryAdded" not in told
    assert "Runtime.consoleAPICalled" not in told
    assert "Runtime.exceptionThrown" not in told
