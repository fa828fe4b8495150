"""Every mistake gets one line and an exit status, and leaves nothing that looks finished."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest

from tests.video.media import decoded, pictures, write_video
from upreel.cli import main

QUICK = ("--model", "bicubic", "--scale", "2")


def run(*arguments: str | Path) -> int:
    return main([str(argument) for argument in ("upscale", *arguments)])


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """What was said, after a check that it is one line and no traceback."""
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("upreel:")]
    assert len(said) == 1, said
    assert "Traceback" not in said[0]
    return said[0]


def not_a_video(folder: Path) -> Path:
    path = folder / "in.mp4"
    path.write_bytes(b"this is a letter, not a video. " * 99)
    return path


def empty(folder: Path) -> Path:
    path = folder / "in.mp4"
    path.touch()
    return path


def missing(folder: Path) -> Path:
    return folder / "in.mp4"


def audio_only(folder: Path) -> Path:
    whole = write_video(folder / "whole.mkv", 5, audio=True)
    path = folder / "in.mka"
    with av.open(str(whole)) as source, av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    whole.unlink()
    return path


def without_index(folder: Path) -> Path:
    path = write_video(folder / "in.mp4", 20)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def empty_folder(folder: Path) -> Path:
    path = folder / "in"
    path.mkdir()
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (not_a_video, "is not a video"),
        (empty, "is empty"),
        (missing, "does not exist"),
        (audio_only, "no video stream"),
        (without_index, "is not a video|truncated|complete"),
        (empty_folder, "no image|no picture"),
    ],
)
def test_no_video(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    make: object,
    message: str,
) -> None:
    assert callable(make)
    source = make(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert run(source, tmp_path / "out.mp4", *QUICK) == 1
    said = one_line(capsys)
    assert any(part in said for part in message.split("|")), said
    assert sorted(tmp_path.iterdir()) == before


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "in.mp4", 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("in.mp4", *QUICK), "same|itself"),
        (("old.mp4", *QUICK), "--overwrite"),
        (("out.xyz", *QUICK), ".xyz"),
        (("out.mp4", *QUICK, "--codec", "h267"), "h267"),
        (("out.webm", *QUICK, "--codec", "h264"), "webm"),
        (("out.mp4", *QUICK, "--pix-fmt", "yuv999p"), "yuv999p"),
        (("out.mp4", "--model", "bicubic", "--scale", "7"), "expected at most 4 times the input"),
        (("out.mp4", "--model", "bicubic", "--scale", "1"), "than or equal to 2"),
        (("out.mp4", *QUICK, "--preview", "text.txt"), ".png"),
        (("out.mp4", "--model", "bicubic", "--size", "tiny"), "1920x1080"),
        (("out.mp4", "--model", "bicubic", "--size", "16x12"), "only enlarges"),
        (("out.mp4", "--model", "sharp"), "sharp"),
        (("out.mp4", *QUICK, "--start", "soon"), "soon"),
        (("out.mp4", *QUICK, "--device", "abacus"), "abacus"),
        (("out.mp4", *QUICK, "--wish", "3"), "--wish"),
    ],
)
def test_what_cannot_be(
    tmp_path: Path,
    video: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    old = tmp_path / "old.mp4"
    old.write_bytes(b"of value to somebody")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    target, *options = arguments
    assert run(video, tmp_path / target, *options) == 2
    said = one_line(capsys)
    assert any(part in said for part in message.split("|")), said
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_out_that_is_in_by_another_name(
    tmp_path: Path, video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link = tmp_path / "link.mp4"
    link.symlink_to(video)
    content = video.read_bytes()
    assert run(video, link, *QUICK, "--overwrite") == 2
    one_line(capsys)
    assert video.read_bytes() == content


def test_a_model_file_that_is_none(
    tmp_path: Path, video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model.safetensors"
    model.write_bytes(b"no weights")
    assert run(video, tmp_path / "out.mp4", "--model", model) == 1
    assert "expected weights" in one_line(capsys)
    assert not (tmp_path / "out.mp4").exists()


def test_a_damaged_middle_is_said_and_the_rest_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_video(tmp_path / "in.ts", pictures(60), options={"g": "10"})
    content = bytearray(source.read_bytes())
    middle = len(content) // 188 // 2 * 188
    content[middle : middle + 20 * 188] = bytes(20 * 188)
    source.write_bytes(content)
    assert run(source, tmp_path / "out.mp4", *QUICK) == 1
    assert "out.partial.mp4" in one_line(capsys)
    assert not (tmp_path / "out.mp4").exists()
    assert len(decoded(tmp_path / "out.partial.mp4")) > 30


def test_a_folder_that_is_not_there(
    tmp_path: Path, video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(video, tmp_path / "no" / "out.mp4", *QUICK) == 1
    assert "folder" in one_line(capsys)


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 9), (16384, 2)])
def test_absurd_sizes_work_or_get_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], size: tuple[int, int]
) -> None:
    source = write_video(
        tmp_path / "in.mkv", pictures(2, *size), size=size, codec="rawvideo", pixel_format="yuv420p"
    )
    status = run(source, tmp_path / "out.mkv", *QUICK, "--codec", "ffv1")
    if status:
        assert status == 2
        said = one_line(capsys)
        assert "16384" in said or "refuses 2x18" in said
        assert not (tmp_path / "out.mkv").exists()
    else:
        assert decoded(tmp_path / "out.mkv")[0][1][0].shape[1] >= 2 * size[0] - 1


def start(source: Path, target: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "upreel", "upscale", str(source), str(target), *QUICK, *more]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def wait_for_frames(target: Path) -> None:
    """Until something is being written beside the target."""
    before = set(target.parent.iterdir())
    deadline = time.monotonic() + 120
    while set(target.parent.iterdir()) == before:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("stop", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_stops_and_leaves_nothing(tmp_path: Path, stop: signal.Signals, status: int) -> None:
    source = write_video(tmp_path / "in.mp4", pictures(400, 320, 240), size=(320, 240))
    process = start(source, tmp_path / "out.mp4")
    wait_for_frames(tmp_path / "out.mp4")
    process.send_signal(stop)
    _, said = process.communicate(timeout=60)
    assert process.returncode == status
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_a_target_that_cannot_grow(tmp_path: Path) -> None:
    """As a full disk: writing fails in the middle."""
    source = write_video(tmp_path / "in.mp4", pictures(200, 320, 240), size=(320, 240))

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    command = [sys.executable, "-m", "upreel", "upscale", str(source), str(tmp_path / "out.mp4")]
    done = subprocess.run(
        [*command, *QUICK, "--crf", "5"],
        capture_output=True,
        text=True,
        preexec_fn=limit,
        check=False,
    )
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("upreel:")]
    assert len(lines) == 1
    assert "Cannot write" in lines[0]
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_an_empty_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As of a variable of the shell that is not set; it is not the current folder."""
    assert run("", tmp_path / "out.mp4") == 2
    assert "empty name" in one_line(capsys)
