"""Losses that look at more of a network than what it makes, in a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest
import torch

from tests.training.clips import draw_clip, write_clips
from upreel.errors import UsageError
from upreel.models.dflow import DFlow
from upreel.models.ristn import RISTN
from upreel.models.weights import build
from upreel.training.recipe import read_recipe
from upreel.training.run import Run
from upreel.training.trainer import train

SHORT = "stages=[{steps=2, batch=1, crop=15, frames=3}]"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    return write_clips(folder, {f"a{seed}": draw_clip(seed, 3) for seed in range(2)})


def read_losses(run: Path) -> list[float]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def test_sparsity_shrinks_the_fusion_of_ristn(tmp_path: Path, clips: Path) -> None:
    losses = "losses=[{name='sparsity', options={parameter='FW'}}]"
    recipe = read_recipe("ristn-x4-smoke", [SHORT, losses, "optimizer.average=0.0"])
    before = cast(RISTN, Run(recipe, tmp_path).network)
    path = train(recipe, data=clips, out=tmp_path / "run")
    first, second = read_losses(tmp_path / "run")
    assert first == pytest.approx(float(before.FW.detach().abs().sum()), rel=1e-5)
    assert second < first
    after = cast(RISTN, build(path))
    assert float(after.FW.abs().sum()) < first
    counted = after.get_buffer("convertsTot.0.num_batches_tracked")
    assert (counted.dtype, int(counted)) == (torch.int64, 2)


def test_own_motion_trains_the_flow_of_dflow_alone(tmp_path: Path, clips: Path) -> None:
    losses = "losses=[{name='own-motion', options={direction='corrected'}}]"
    recipe = read_recipe("dflow-x4-stage1-smoke", [SHORT, losses])
    network = cast(DFlow, Run(recipe, tmp_path).network)
    before = {key: value.half() for key, value in network.state_dict().items()}
    train(recipe, data=clips, out=tmp_path / "run")
    kept = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["network"]
    moved = {
        key.split(".")[0] for key, value in kept.items() if not value.half().equal(before[key])
    }
    flow = ["createflowf", "createflowb", "flowconv1", "flowconv2", "flowconv31", "flowconv32"]
    assert moved == set(flow)


def test_checkpointing_has_no_motion(tmp_path: Path, clips: Path) -> None:
    recipe = read_recipe("dflow-x4-stage1-smoke", [SHORT, "checkpointing=true"])
    with pytest.raises(UsageError, match="'own-motion' expects a network that finds motion itself"):
        train(recipe, data=clips, out=tmp_path / "run")
