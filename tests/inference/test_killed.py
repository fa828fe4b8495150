"""SIGKILL at random instants: the same command goes on to what an undisturbed run makes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.inference.test_resume import Everything, everything
from tests.video.media import write_video

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
ROOT = Path(__file__).parents[2]


def kill_and_compare(folder: Path, extension: str, *, kills: int, seed: int, frames: int) -> None:
    """Whatever has the name of the result at any time has to be what one run makes."""
    source = write_video(
        folder / "in.mkv", frames, size=(48, 32), audio=True, subtitles=True, chapters=True,
        options={"g": "4"},
    )  # fmt: skip
    target = folder / "out" / f"out{extension}"
    target.parent.mkdir()
    done = subprocess.run(
        [
            sys.executable, "-m", "tests.inference.killing", str(target), str(kills), str(seed),
            "upscale", str(source), str(target), "--model", "swift:real", "--scale", "2",
            "--segment", "8", "--precision", "bf16",
        ],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=3000,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith(("-9 ", "0 "))]
    assert sum(line.startswith("-9 ") for line in lines) == kills
    whole = everything(target.with_name(f"whole{extension}"))
    assert len(whole.frames) == frames
    finished: list[Everything] = [
        everything(path) for path in target.parent.glob(f"[!.w]*{extension}")
    ]
    assert finished
    assert all(found == whole for found in finished)
    left = [path.name for path in target.parent.iterdir() if path.is_dir()]
    assert left == []


@pytest.mark.parametrize("extension", [".mp4"])
def test_a_handful_of_kills(tmp_path: Path, extension: str) -> None:
    kill_and_compare(tmp_path, extension, kills=3, seed=1, frames=24)


@pytest.mark.slow
@pytest.mark.parametrize(("extension", "seed"), [(".mp4", 2), (".mkv", 3)])
def test_many_kills(tmp_path: Path, extension: str, seed: int) -> None:
    kill_and_compare(tmp_path, extension, kills=50, seed=seed, frames=60)
