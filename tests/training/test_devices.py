"""Training computes where it is told to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import Tensor

from tests.training.clips import draw_clip, write_clips
from tests.training.elsewhere import META, elsewhere
from upreel.data.samples import Batch
from upreel.errors import UsageError
from upreel.models.pixels import PLANES
from upreel.models.upscaler import Upscaler
from upreel.training.ranks import Ranks
from upreel.training.recipe import Recipe, read_recipe, recipes
from upreel.training.run import Run
from upreel.training.trainer import take_step, train

__all__ = ["elsewhere"]

FAST = ("clear-x4-clean", "compact-x4-clean", "st-adversarial-x4-tiny", "swift-x4-clean")
COMPILES = pytest.mark.filterwarnings("ignore:::torch")
"""Torch's compiler uses what torch has given up, and says what it cannot follow."""


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
        stage.batch,
        (frames - 1) * rate + 1,
        low[2],
        *(recipe.scale * side for side in low[3:]),
    )
    past, future = max(spec.past, 1), max(spec.future, 1)
    flow = torch.zeros(stage.batch, frames, past + future, 2, *low[3:])
    batch = Batch(torch.rand(low), torch.rand(high), flow if spec.inputs else None, past).to(device)
    return batch.mirrored() if stage.mirrored else batch


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in recipes()],
)
def test_a_step_leaves_nothing_on_the_cpu(tmp_path: Path, name: str) -> None:
    recipe = tiny(name)
    run = Run(recipe, tmp_path, device=META)
    batch = make_batch(recipe, cast(Upscaler, run.network), META)
    figures = take_step(recipe, run, batch, 0, ranks=Ranks())
    assert figures["step"] == 1
    kept = [*run.network.parameters(), *run.average.parameters()]
    assert {tensor.device.type for tensor in kept} == {"meta"}


@pytest.mark.usefixtures("elsewhere")
def test_what_a_gpu_would_refuse_is_refused() -> None:
    there, here = torch.ones(2, 2, device=META), torch.ones(2, 2)
    with pytest.raises(RuntimeError, match="got tensors of cpu, meta"):
        torch.nn.functional.conv2d(there[None, None], here[None, None])
    assert (there * torch.tensor(2.0) + there.sum().item()).device == META
    assert there.cpu().tolist() == [[0, 0], [0, 0]]


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")
def test_a_checkpoint_goes_on_on_another_device(tmp_path: Path) -> None:
    recipe = tiny("swift-x4-clean")
    run = Run(recipe, tmp_path)
    batch = make_batch(recipe, cast(Upscaler, run.network), torch.device("cpu"))
    take_step(recipe, run, batch, 0, ranks=Ranks())
    run.save()
    other = Run.begin(recipe, tmp_path, resume=True, device=META)
    assert other.step == 1
    states = [state for each in other._optimizers for state in each.state.values()]
    moments = [value for state in states for value in state.values() if value.ndim]
    assert moments
    assert {value.device.type for value in moments} == {"meta"}


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a device that torch can use here"):
        train(tiny("swift-x4-clean"), data=tmp_path, out=tmp_path / "run", device="nothing")


def test_processes_share_the_gpus_of_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upreel.training.ranks.choose_device", torch.device)  # as if all were here
    monkeypatch.setenv("LOCAL_RANK", "1")
    both = Ranks(3, 4)
    assert [str(both.choose_device(name)) for name in ("cuda", "cuda:0", "cpu")] == [
        "cuda:1", "cuda:0", "cpu",
    ]  # fmt: skip
    assert str(Ranks().choose_device("cuda")) == "cuda"


def losses_of(out: Path, *changes: str, device: str = "cpu", compiled: bool = False) -> Tensor:
    """Of each of ten steps."""
    write_clips(out / "clips", {"a": draw_clip(1, 6)})
    stages = "stages=[{steps=10, batch=2, crop=16, frames=4}]"
    recipe = read_recipe("swift-x4-clean-smoke", [stages, *changes])
    path = train(recipe, data=out / "clips", out=out / "run", device=device, compiled=compiled)
    lines = path.with_name("metrics.jsonl").read_text().splitlines()
    return torch.tensor([json.loads(line)["loss"] for line in lines])


@pytest.mark.gpu
@COMPILES
@pytest.mark.parametrize("compiled", [False, True])
def test_ten_steps_on_a_gpu_are_those_of_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, compiled: bool
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    expected = losses_of(tmp_path / "cpu", "precision=fp32")
    exact = losses_of(tmp_path / "fp32", "precision=fp32", device="cuda", compiled=compiled)
    torch.testing.assert_close(exact, expected, atol=0, rtol=1e-2)
    rough = losses_of(tmp_path / "bf16", device="cuda", compiled=compiled)
    torch.testing.assert_close(rough, expected, atol=0, rtol=5e-2)


@pytest.mark.gpu
@pytest.mark.parametrize("name", sorted(recipes()))
def test_a_step_of_every_recipe_on_a_gpu(tmp_path: Path, name: str) -> None:
    losses = []
    for device in (torch.device("cpu"), torch.device("cuda")):
        recipe = tiny(name)
        run = Run(recipe, tmp_path, device=device)
        torch.manual_seed(1)
        batch = make_batch(recipe, cast(Upscaler, run.network), device)
        losses.append(take_step(recipe, run, batch, 0, ranks=Ranks())["loss"])
    assert losses[1] == pytest.approx(losses[0], rel=2e-2)


@pytest.mark.slow
@COMPILES
def test_a_compiled_network_learns_the_same(tmp_path: Path) -> None:
    expected = losses_of(tmp_path / "plain", "precision=fp32")
    compiled = losses_of(tmp_path / "compiled", "precision=fp32", compiled=True)
    torch.testing.assert_close(compiled, expected, atol=0, rtol=1e-3)
