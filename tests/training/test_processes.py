"""Runs in processes of their own: killed and resumed."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.training.clips import draw_clip, write_clips

TINY = (
    "network.arguments={channels=4, blocks=1, hidden=2}",
    "stages=[{steps=8, batch=2, crop=12, frames=3}]",
    "precision=fp32",
    "save_every=2",
)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    return write_clips(folder, {f"a{seed}": draw_clip(seed, 4) for seed in range(2)})


def command(clips: Path, out: Path) -> list[str]:
    line = ["-m", "upreel", "train", "swift-x4-clean", "--data", str(clips), "--out", str(out)]
    line += ["--threads", "1", "--resume"]
    return line + [word for change in TINY for word in ("--set", change)]


def test_a_run_killed_at_any_step_and_resumed_gives_the_same_bits(
    tmp_path: Path, clips: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    subprocess.run([sys.executable, *command(clips, whole)], check=True, capture_output=True)
    last = random.randrange(1, 8)
    running = subprocess.Popen(
        [sys.executable, *command(clips, parts)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    metrics = parts / "metrics.jsonl"
    while running.poll() is None:
        if metrics.exists() and metrics.read_text().count("\n") >= last:
            running.kill()
        time.sleep(0.001)
    subprocess.run([sys.executable, *command(clips, parts)], check=True, capture_output=True)
    for name in ("metrics.jsonl", "swift-x4-clean.safetensors"):
        assert (parts / name).read_bytes() == (whole / name).read_bytes(), f"killed at {last}"
