"""Memory is bounded by the window and the queues, whatever the length."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.video.media import pictures, write_video

SIZE = (320, 180)
ENLARGED = 1280 * 720 * 3 // 2

CHILD = """
import sys
import upreel
from upreel.evaluation.measure import peak_memory
result = upreel.upscale(sys.argv[1], sys.argv[2], scale=4, model=sys.argv[3])
print(result.frames, peak_memory())
"""


def peak(source: Path, model: str) -> tuple[int, int]:
    """Frames and bytes of a process that enlarges a file."""
    target = source.with_suffix(".out.mp4")
    done = subprocess.run(
        [sys.executable, "-c", CHILD, source, target, model],
        capture_output=True,
        text=True,
        check=True,
    )
    frames, memory = done.stdout.split()
    return int(frames), int(memory)


def video(path: Path, frames: int) -> Path:
    options = {"preset": "ultrafast"}
    return write_video(path, pictures(frames, *SIZE), size=SIZE, options=options)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["bicubic", "swift:real"])
def test_a_long_video_needs_no_more_than_a_short_one(tmp_path: Path, model: str) -> None:
    frames, short = peak(video(tmp_path / "short.mp4", 155), model)
    assert frames == 155
    frames, long = peak(video(tmp_path / "long.mp4", 1550), model)
    assert frames * ENLARGED > 2e9
    assert long < 1e9
    assert long < 1.1 * short


@pytest.mark.slow
def test_2160_rows_fit_below_two_and_a_half_gigabytes(tmp_path: Path) -> None:
    size = (960, 540)
    source = write_video(tmp_path / "in.mp4", pictures(24, *size), size=size)
    frames, memory = peak(source, "swift:real")
    assert frames == 24
    assert memory < 2.5e9
