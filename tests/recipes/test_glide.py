"""Training frames between others, from clips that need no file."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
import torch

from tests.training.clips import draw_clip, write_clips
from tests.training.test_trainer import read_metrics
from upreel.evaluation.report import Report
from upreel.models.upscaler import Upscaler
from upreel.training.batches import find_parts, open_batches
from upreel.training.ranks import Ranks
from upreel.training.recipe import read_recipe
from upreel.training.run import Run
from upreel.training.trainer import train


def test_batches_are_of_several_rates_with_flow_there_and_back(tmp_path: Path) -> None:
    recipe = read_recipe("glide-smoke", ["stages=[{steps=8,batch=1,crop=32,frames=3,rates=[2,3]}]"])
    spec = cast(Upscaler, Run(recipe, tmp_path).network).spec
    batches = open_batches(
        recipe, find_parts(recipe, Path("procedural")), spec, tmp_path, Ranks(), lambda line: None
    )
    rates = set()
    for batch in batches(range(8)):
        rates.add(batch.rate)
        assert batch.low.shape == (1, 3, 1, 32, 32)
        assert batch.high.shape == (1, 2 * batch.rate + 1, 1, 32, 32)
        assert torch.equal(batch.low, batch.high[:, :: batch.rate])
        assert batch.flow is not None
        assert batch.flow.shape == (1, 3, 2, 2, 32, 32)
    assert rates == {2, 3}


def test_steps_of_every_rate_are_made(tmp_path: Path) -> None:
    changes = ["stages=[{steps=3,batch=1,crop=32,frames=3,rates=[2,3]}]"]
    clips = write_clips(tmp_path / "clips", {"a": draw_clip(1, 8)})
    path = train(read_recipe("glide-smoke", changes), data=clips, out=tmp_path / "run")
    assert [figures["step"] for figures in read_metrics(path) if "loss" in figures] == [1, 2, 3]


@pytest.mark.slow
def test_the_smoke_run_beats_averaging_and_motion_alone(tmp_path: Path) -> None:
    path = train(read_recipe("glide-smoke"), data=Path("procedural"), out=tmp_path / "run")
    losses = [figures["loss"] for figures in read_metrics(path) if "loss" in figures]
    assert sum(losses[-50:]) < 0.97 * sum(losses[:50])
    report = Report.from_json(path.with_name("report.json").read_text())
    scores = {row.name: row.psnr for row in report.rows}
    assert scores["glide"] > scores["average"] + 2
    assert scores["glide"] > max(scores["warp"], scores["warp without masks"]) + 0.3
