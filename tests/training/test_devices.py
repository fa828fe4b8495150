"""Training computes where it is told to."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.training.elsewhere import META, elsewhere
from upreel.data.samples import Batch
from upreel.models.pixels import PLANES
from upreel.models.upscaler import Upscaler
from upreel.training.ranks import Ranks
from upreel.training.recipe import Recipe, read_recipe, recipes
from upreel.training.run import Run
from upreel.training.trainer import take_step
from typing import cast

__all__ = ["elsewhere"]


def tiny(name: str) -> Recipe:
    losses = read_recipe(name).losses
    seeds = [
        f"losses.{place}.options.seed=1"
        for place, loss in enumerate(losses)
        if loss.name == "perceptual"
    ]
    return read_recipe(f"{name}-smoke", [*seeds, "precision=fp32"])


def make_batch(recipe: Recipe, network: Upscaler, device: torch.device) -> Batch:
    """Noise, as the first stage of a recipe sees it."""
    spec, stage = network.spec, recipe.stages[0]
    frames = max(3, spec.past + spec.future + 1)
    rate = stage.rates[0] if stage.rates else spec.rate
    low = (stage.batch, frames, PLANES[spec.color], stage.crop, stage.crop)
    high = (
        stage.batch, (frames - 1) * rate + 1, low[2], *(recipe.scale * side for side in low[3:])
    )
    past, future = max(spec.past, 1), max(spec.future, 1)
    flow = torch.zeros(stage.batch, frames, past + future, 2, *low[3:])
    batch = Batch(torch.rand(low), torch.rand(high), flow if spec.inputs else None, past).to(device)
    return batch.mirrored() if stage.mirrored else batch


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("name", sorted(recipes()))
def test_a_step_leaves_nothing_on_the_cpu(tmp_path: Path, name: str) -> None:
    recipe = tiny(name)
    run = Run(recipe, tmp_path, device=META)
    batch = make_batch(recipe, cast(Upscaler, run.network), META)
    figures = take_step(recipe, run, batch, 0, ranks=Ranks())
    assert figures["step"] == 1
    kept = [*run.network.parameters(), *run.average.parameters()]
    assert {tensor.device.type for tensor in kept} == {"meta"}
