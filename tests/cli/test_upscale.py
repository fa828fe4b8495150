"""`upreel upscale`: how its arguments are read, and one run from file to file."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import get_args

import av
import pytest
import torch

from tests.video.media import write_video
from upreel.cli import main
from upreel.cli.wishes import Flow, describe, parse_fps, parse_size, parse_time, parse_times
from upreel.core.instants import FrameRate, Times
from upreel.errors import UsageError
from upreel.inference.interpolation import Tally
from upreel.models.rbpn import RBPN
from upreel.ops.flow import FlowProvider


def test_a_size_is_two_numbers() -> None:
    assert parse_size("1920x1080") == (1920, 1080)
    assert parse_size("2X4") == (2, 4)


@pytest.mark.parametrize("text", ["1920", "1920x", "x1080", "-2x4", "a x b", ""])
def test_another_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected a size such as 1920x1080, found "):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("12.5", Fraction(25, 2)), ("1:02", Fraction(62)), ("1:00:00.04", Fraction(90001, 25))],
)
def test_a_time_is_exact(text: str, seconds: Fraction) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "soon", "1::2", "-3", "1/0", "1/2", "-0:30", "0:-30", "1:2:3:4", "1e3"]
)
def test_another_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected seconds or H:MM:SS from the beginning"):
        parse_time(text)


@pytest.mark.parametrize(
    ("text", "fps"),
    [
        ("2x", Times(2)),
        ("60", Fraction(60)),
        ("24000/1001", Fraction(24000, 1001)),
        ("23.976", Fraction(24000, 1001)),
        ("59.94", Fraction(60000, 1001)),
        ("12.5", Fraction(25, 2)),
    ],
)
def test_a_frame_rate_is_exact(text: str, fps: FrameRate) -> None:
    assert parse_fps(text) == fps


@pytest.mark.parametrize(
    "text", ["", "0", "0.0", "fast", "x2", "2.5x", "-30", "30/0", "1e3", "60fps"]
)
def test_another_frame_rate_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected a frame rate above 0 such as 60 or 24000/1001"):
        parse_fps(text)


@pytest.mark.parametrize("text", ["2", "x", "1.5x", "-2x", ""])
def test_slow_motion_is_a_number_of_times(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected a whole number of times such as 2x for --slow"):
        parse_times("--slowmo", text)


def test_the_summary_says_what_the_frames_are() -> None:
    tally = Tally(given=10, made=7, held=0.07)
    tally.repeated.update({"scene cut": 1, "same picture": 2})
    assert describe(tally) == (
        "7 new frames (1.0% of their area repeated: motion out of reach), 10 of the source, "
        "3 repeated (2 same picture, 1 scene cut)"
    )
    assert describe(Tally(given=3)) == "0 new frames, 3 of the source, 0 repeated"


def test_twice_as_many_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_video(tmp_path / "in.mp4", 3)
    assert main(["upscale", str(source), str(tmp_path / "out.mp4"), "--fps", "2x"]) == 0
    printed = capsys.readouterr()
    assert "out.mp4: 6 frames of 64x48 in " in printed.out
    assert "2 new frames, 3 of the source, 1 repeated (1 last frame)" in printed.out
    assert "6/6 frames" in printed.err


@pytest.mark.parametrize("form", [["--start", "-0:30"], ["--start=-0:30"]])
def test_a_negative_time_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: list[str]
) -> None:
    assert main(["upscale", "in.mp4", str(tmp_path / "out.mp4"), *form]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "expected seconds or H:MM:SS from the beginning of the file" in line


def test_a_file_is_enlarged_and_the_picture_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_video(tmp_path / "in.mp4", 4)
    target, picture = tmp_path / "out.mp4", tmp_path / "out.png"
    arguments = ["upscale", str(source), str(target), "--scale", "2", "--model", "bicubic"]
    assert main([*arguments, "--preview", str(picture)]) == 0
    captured = capsys.readouterr()
    assert f"{target}: 4 frames of 128x96" in captured.out
    assert str(picture) in captured.out
    assert "4/4 frames" in captured.err
    assert "fps" in captured.err
    with av.open(str(target)) as container:
        assert [(frame.width, frame.height) for frame in container.decode(video=0)] == [
            (128, 96)
        ] * 4
    assert main(arguments) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_what_finds_the_flow_can_be_chosen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(get_args(Flow)) == {*get_args(FlowProvider), "spynet"}
    source = write_video(tmp_path / "in.mp4", 3)
    lengths = set()
    for flow in ("dis", "zeros"):
        target = tmp_path / f"{flow}.mkv"
        arguments = ["upscale", str(source), str(target), "--codec", "ffv1", "--flow", flow]
        assert main([*arguments, "--scale", "2"]) == 0
        lengths.add(target.stat().st_size)
    assert len(lengths) == 2
    assert main(["upscale", str(source), str(tmp_path / "a.mp4"), "--flow", "guess"]) == 2
    assert "'guess' is not one of" in capsys.readouterr().err


def test_weights_that_others_published_enlarge_a_video(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """RGB, with the flow that these were trained with, at a scale that the file implies."""
    network = RBPN(8, frames=3, features=4, channels=2, blocks=1)
    kept = {f"module.{key}": value for key, value in network.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": kept}, tmp_path / "RBPN_8x.pth")
    source, target = write_video(tmp_path / "in.mp4", 3), tmp_path / "out.mp4"
    arguments = ["upscale", str(source), str(target), "--model", str(tmp_path / "RBPN_8x.pth")]
    assert main(arguments) == 0
    assert "3 frames of 512x384" in capsys.readouterr().out
    torch.save(network, tmp_path / "whole.pth")
    assert main([*arguments[:-1], str(tmp_path / "whole.pth"), "--overwrite"]) != 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "save network.state_dict() instead" in line


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 60, size=(320, 240))
    code = "import sys; from upreel.cli import main; sys.exit(main())"
    arguments = ["upscale", str(source), str(tmp_path / "out.mp4"), "--model", "bicubic"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE, text=True
    ) as process:
        while len(list(tmp_path.iterdir())) == 1 and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate()
    assert process.returncode == 130, error
    assert error.strip().startswith("upreel: stopped")
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == [source]


def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(tmp_path: Path) -> None:
    source, target = write_video(tmp_path / "in it.mp4", 60, size=(160, 120)), tmp_path / "out.mp4"
    status = tmp_path / "status.json"
    arguments = ["upscale", str(source), str(target), "--model", "bicubic", "--segment", "4"]
    arguments += ["--status", str(status)]
    code = "import sys; from upreel.cli import main; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE, text=True
    ) as process:
        while not list(tmp_path.glob(".out.mp4.upreel/*1.packets")) and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate()
    assert process.returncode == 130, error
    *_, stopped, kept = error.splitlines()
    assert stopped.startswith("upreel: stopped; ")
    assert not target.exists()
    assert json.loads(status.read_text())["state"] == "stopped"
    words = shlex.split(kept)
    assert words[words.index("on:") + 1 :] == ["upreel", *arguments]
    assert main(arguments) == 0
    assert json.loads(status.read_text())["state"] == "done"
    with av.open(str(target)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 60
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "in it.mp4",
        "out.mp4",
        "status.json",
    ]
