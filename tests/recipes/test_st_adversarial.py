"""The spatio-temporal adversarial network's settings, and mistakes of its authors' scripts.

The adversarial part gives no gradient (`form`, below); the discriminator's gradients are never set
to zero (`Opponent.learn` does); labels lie above 1 (`tests/losses/test_adversarial.py`); features
do not notice brightness (`tests/losses/test_perceptual.py`: by choice); PSNR is computed of wrong
axes (scores have protocols); short last batches fail (there are none); past-only windows crash
(`tests/models`); devices are fixed (they are not).
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.training.clips import draw_clip, write_clips
from tests.training.test_trainer import read_metrics
from upreel.training.recipe import read_recipe
from upreel.training.run import CHECKPOINT
from upreel.training.trainer import train

TINY = (
    "network.init=",
    "network.arguments.features=8",
    "network.arguments.channels=4",
    "stages=[{steps=3, batch=2, crop=12, frames=3}]",
    "optimizer.warm_up=0",
    "optimizer.rate=1e-3",
    "discriminator.arguments.channels=2",
    "losses.1.weight=0.1",
)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    return write_clips(folder, {f"a{seed}": draw_clip(seed, 5) for seed in range(2)})


def run(clips: Path, out: Path, *changes: str) -> dict[str, dict[str, torch.Tensor]]:
    """Weights of both networks after a few steps."""
    recipe = read_recipe("st-adversarial-x4-tiny", [*TINY, *changes])
    path = train(recipe, data=clips, out=out, cache=clips.with_name("cache"))
    assert len(read_metrics(path)) == recipe.steps
    state = torch.load(out / CHECKPOINT, weights_only=True)
    return {"network": state["network"], "opponent": (state["opponent"] or {}).get("network")}


def test_settings_are_those_that_were_published() -> None:
    recipe = read_recipe("st-adversarial-x4")
    parts = {loss.name: loss.weight for loss in recipe.losses}
    assert parts == {"l1": 1e-3, "adversarial": 5e-2, "perceptual": 6e-3}
    assert recipe.losses[1].options["labels"] == "smooth"
    perceptual = recipe.losses[2].options
    assert (perceptual["trunk"], perceptual["layers"]) == ("vgg19", ["relu3_1"])
    assert perceptual["values"] == "maximum"
    assert recipe.discriminator is not None
    assert recipe.discriminator.name == "recurrent"
    assert recipe.discriminator.optimizer.clip == 5
    assert (recipe.optimizer.rate, recipe.discriminator.optimizer.rate) == (1e-5, 1e-3)
    assert recipe.network.init


@pytest.mark.parametrize("name", ["recurrent", "image-and-flow"])
def test_one_setting_cuts_off_what_the_network_learns_from_its_opponent(
    tmp_path: Path, clips: Path, name: str
) -> None:
    """As released, the network is that of a run without an opponent, which itself does learn."""
    chosen = f"discriminator.name={name}"
    reported = run(clips, tmp_path / "reported", chosen)
    released = run(clips, tmp_path / "released", chosen, "losses.1.options.form=released")
    without = run(clips, tmp_path / "without", chosen, "losses.1.weight=0.0")
    for key, value in released["network"].items():
        assert torch.equal(value, without["network"][key])
    assert any(not torch.equal(v, released["network"][k]) for k, v in reported["network"].items())
    # As the networks are equal, so are those that looked at them.
    for key, value in released["opponent"].items():
        assert torch.equal(value, without["opponent"][key])


def test_warping_and_ping_pong_are_there_to_choose(tmp_path: Path, clips: Path) -> None:
    losses = (
        "losses=[{name='l1'}, {name='adversarial', weight=1e-3}, {name='warp', weight=0.1}, "
        "{name='ping-pong', weight=0.1}]"
    )
    changes = [change for change in TINY if not change.startswith("losses")]
    recipe = read_recipe("st-adversarial-x4-tiny", [*changes, losses, "stages.0.mirrored=true"])
    path = train(recipe, data=clips, out=tmp_path / "run", cache=clips.with_name("cache"))
    assert [line["step"] for line in read_metrics(path)] == [1, 2, 3]


def test_the_published_recipe_trains(tmp_path: Path, clips: Path) -> None:
    changes = (
        "stages=[{steps=2, batch=2, crop=12, frames=3}]",
        "losses.2.options.seed=1",
        "discriminator.arguments.channels=2",
    )
    recipe = read_recipe("st-adversarial-x4-smoke", changes)
    path = train(recipe, data=clips, out=tmp_path / "run")
    assert all("discriminator" in line for line in read_metrics(path))
