"""Runs in processes of their own: killed and resumed, and two that train together."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.training.clips import draw_clip, write_clips
from upreel.training.recipe import Recipe, read_recipe
from upreel.training.trainer import train

STEPS = 24
TINY = (
    "network.arguments={channels=4, blocks=1, hidden=2}",
    f"stages=[{{steps={STEPS}, batch=2, crop=12, frames=3}}]",
    "precision=fp32",
    "optimizer.warm_up=2",
    "save_every=2",
)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    return write_clips(folder, {f"a{seed}": draw_clip(seed, 4) for seed in range(2)})


def tiny(*changes: str) -> Recipe:
    return read_recipe("swift-x4-clean", [*TINY, *changes])


def command(clips: Path, out: Path) -> list[str]:
    line = ["-m", "upreel", "train", "swift-x4-clean", "--data", str(clips), "--out", str(out)]
    line += ["--threads", "1", "--device", "cpu"]
    return [*line, *(word for change in TINY for word in ("--set", change))]


def read_losses(weights: Path) -> list[float]:
    lines = weights.with_name("metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def test_a_run_killed_at_any_step_and_resumed_gives_the_same_bits(
    tmp_path: Path, clips: Path
) -> None:
    out = tmp_path / "parts"
    metrics, last = out / "metrics.jsonl", random.randrange(1, STEPS // 2)
    running = subprocess.Popen(
        [sys.executable, *command(clips, out)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while running.poll() is None:
        if metrics.exists() and metrics.read_text().count("\n") >= last:
            running.send_signal(signal.SIGKILL)
            break
        time.sleep(0.001)
    assert running.wait() == -signal.SIGKILL, "ended before it was killed"
    assert last <= metrics.read_text().count("\n") < STEPS
    assert not list(out.glob("*.safetensors"))
    parts = train(tiny(), data=clips, out=out, resume=True)
    whole = train(tiny(), data=clips, out=tmp_path / "whole", cache=out / "cache")
    assert len(read_losses(whole)) == STEPS
    for name in ("metrics.jsonl", parts.name):
        same = (out / name).read_bytes() == whole.with_name(name).read_bytes()
        assert same, f"{name}: killed after {last}"


def test_two_processes_are_one_with_the_doubled_batch(tmp_path: Path, clips: Path) -> None:
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]
    done = subprocess.run(
        [sys.executable, *torchrun, *command(clips, tmp_path / "both")],
        check=False, capture_output=True, text=True, timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    alone = train(tiny(), data=clips, out=tmp_path / "alone", cache=tmp_path / "both" / "cache")
    losses = read_losses(tmp_path / "both" / alone.name)
    assert len(losses) == STEPS
    assert losses == pytest.approx(read_losses(alone), abs=1e-5)


def test_a_batch_in_parts_is_the_whole(tmp_path: Path, clips: Path) -> None:
    one, two = (
        train(
            tiny(f"optimizer.accumulate={parts}"),
            data=clips, out=tmp_path / str(parts), cache=tmp_path / "cache",
        )
        for parts in (1, 2)
    )  # fmt: skip
    assert len(read_losses(one)) == STEPS
    assert read_losses(two) == pytest.approx(read_losses(one), abs=1e-5)
