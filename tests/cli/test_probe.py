"""`upreel probe` against files whose properties are known."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest

from tests.video.media import write_video
from tests.video.test_hdr import dolby_vision, hdr10_plus, with_units
from upreel.cli import main


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def rows(text: str) -> dict[str, list[str]]:
    """Label and values of each row; columns are two or more spaces apart."""
    split = [
        [cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()
    ]
    return {cells[0]: cells[1:] for cells in split if len(cells) > 1}


def test_a_table_says_what_the_file_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_video(
        tmp_path / "a.mp4",
        5,
        sample_aspect_ratio=Fraction(4, 3),
        color=(1, 6, 6, 6),
        audio=True,
        chapters=True,
        metadata={"title": "A title"},
    )
    assert main(["probe", str(path)]) == 0
    table = rows(capsys.readouterr().out)
    assert table["video frames"] == ["5"]
    assert table["video size"] == ["64x48"]
    assert table["video frame rate"] == ["25 fps"]
    assert table["video pixel aspect"] == ["4/3"]
    assert "matrix=smpte170m" in table["video colours"][0]
    assert table["metadata title"] == ["A title"]
    assert "h264" in table["video stream 1"][0]
    assert "audio stream 1" in table
    assert "chapter 1" in table


def test_two_files_are_compared_line_by_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = write_video(tmp_path / "a.mp4", 5)
    other = write_video(tmp_path / "b.mp4", 5, size=(32, 16), metadata={"title": "B"})
    assert main(["probe", str(one), str(other)]) == 0
    table = rows(capsys.readouterr().out)
    assert table["video size"] == ["64x48", "32x16", "differs"]
    assert table["video frames"] == ["5", "5"]
    assert table["metadata title"] == ["-", "B", "differs"]


def test_metadata_of_scenes_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = with_units(tmp_path / "a.hevc", hdr10_plus(), dolby_vision())
    assert main(["probe", str(path)]) == 0
    assert rows(capsys.readouterr().out)["video dynamic HDR"] == ["HDR10+, Dolby Vision"]


def test_json_is_for_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_video(tmp_path / "a.mkv", 5, metadata={"title": "[bold]A[/]"})
    assert main(["probe", str(path), "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["video"]["width"] == 64
    assert info["metadata"]["title"] == "[bold]A[/]"
    assert main(["probe", str(path), str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [info, info]


def test_brackets_in_a_title_are_no_markup(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_video(tmp_path / "[red]a.mkv", 2, metadata={"title": "[bold]A[/]"})
    assert main(["probe", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "[red]a.mkv" in shown
    assert "[bold]A[/]" in shown


def test_no_video_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video at all" * 10)
    assert main(["probe", str(tmp_path / "a.mp4")]) == 1
    assert "is not a video" in capsys.readouterr().err
