"""iSeeBetter's settings, and fourteen mistakes of its authors' code that are not repeated.

 1. Training cannot run: a run is made below.
 2. The generator's step needs scores from before the discriminator's: they are made anew.
 3. The discriminator's step goes through the generator: it sees detached frames.
 4. Losses are divided by 5, the number of things in a batch: they are means over the batch.
 5. The first batch of each epoch is thrown away: the first step is the first line of the log.
 6. Without a flag the loss is L1: the recipe has all four parts, and there is no flag.
 7. Every line of the statistics repeats the last value: each step has its own. PSNR and SSIM are
    in the report: `tests/training/test_trainer.py`.
 8. Weights with `module.` before their names do not load: `tests/models/test_foreign.py`.
 9. Files are named for a scale of 4, and snapshots are one step off: names follow the recipe; the
    latter in `tests/training/test_trainer.py`.
10. The perceptual part hardly pulls, and the discriminator sees single images: the recipe repeats
    it, because it is what was published, and a value away there is what the trunk was made for;
    discriminators that see neighbours are in `st-adversarial-x4`.
11. Scores are of values beyond 0..1 that nobody rounded, with borders of two widths, under no name:
    protocols have names (`tests/evaluation`).
12. The tool makes its input smaller first: `upreel upscale` does not (`tests/cli`).
13. Flow comes as binaries for two versions of Python: `ops/variational.py` is Python.
14. Its requirements cannot be installed together: `constraints.txt` is what the tests run with.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.training.clips import draw_clip, write_clips
from tests.training.test_trainer import read_metrics
from upreel.losses import make_loss
from upreel.losses.adversarial import Adversarial
from upreel.losses.seen import Seen
from upreel.training.export import weights_path
from upreel.training.opponent import Opponent
from upreel.training.ranks import Ranks
from upreel.training.recipe import Recipe, read_recipe
from upreel.training.trainer import train

NAME = "iseebetter-x4"
ONE = torch.ones(1)
EPOCH = 64_612 / 2


def make_opponent(recipe: Recipe) -> Opponent:
    assert recipe.discriminator is not None
    return Opponent(recipe.discriminator, Adversarial("linear"), 3, seed=1)


def draw(seed: int, size: int = 2) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.rand(size, 1, 3, 64, 64, generator=random)


def test_settings_are_those_that_were_published() -> None:
    recipe = read_recipe(NAME)
    parts = {loss.name: loss.weight for loss in recipe.losses}
    assert parts == {"mse": 1.0, "adversarial": 1e-3, "perceptual": 6e-3, "total-variation": 2e-8}
    assert recipe.losses[1].options == {"kind": "linear"}
    perceptual = recipe.losses[2].options
    assert (perceptual["trunk"], perceptual["layers"]) == ("vgg16", ["pool5"])
    assert (perceptual["distance"], perceptual["values"]) == ("mse", "raw")
    (stage,) = recipe.stages
    assert (stage.batch, stage.crop, stage.frames) == (2, 64, 7)
    assert stage.steps == 150 * EPOCH
    assert list(recipe.optimizer.at) == [74 * EPOCH, 149 * EPOCH]
    assert recipe.discriminator is not None
    for optimizer in (recipe.optimizer, recipe.discriminator.optimizer):
        assert (optimizer.name, optimizer.rate, optimizer.betas) == ("adam", 1e-4, (0.9, 0.999))
    assert recipe.discriminator.optimizer.final_rate == 1e-4


def test_a_run_takes_all_four_parts_and_logs_each_step(tmp_path: Path) -> None:
    """1, 5, 6, 7 and 9."""
    clips = write_clips(tmp_path / "clips", {f"a{seed}": draw_clip(seed, 4) for seed in range(2)})
    changes = (
        "stages=[{steps=3, batch=2, crop=12, frames=3}]",
        "losses.2.options.seed=1",  # of random numbers, in place of VGG16's weights
        "discriminator.arguments.channels=2",
    )
    recipe = read_recipe(f"{NAME}-smoke", changes)
    path = train(recipe, data=clips, out=tmp_path / "run")
    assert path.name == "iseebetter-x4.safetensors"
    assert weights_path(recipe.model_copy(update={"scale": 2}), path.parent).stem.endswith("-x2")
    lines = read_metrics(path)
    assert [line["step"] for line in lines] == [1, 2, 3]
    for key in ("loss", "discriminator"):
        assert len({line[key] for line in lines}) == 3


def test_a_step_of_each_network_leaves_the_other_alone() -> None:
    """2 and 3."""
    opponent = make_opponent(read_recipe(f"{NAME}-smoke"))
    output = draw(1).requires_grad_()
    exhibit = opponent.look(output, draw(2), 0)
    before, _ = opponent.judge(exhibit)
    opponent.learn([exhibit], 1e-3, Ranks())
    torch.testing.assert_close(output.grad, None)
    after, _ = opponent.judge(opponent.look(output, draw(2), 0))
    assert not torch.equal(before[0], after[0])
    kept = [
        weight.grad.clone() for weight in opponent.network.parameters() if weight.grad is not None
    ]
    loss = make_loss("adversarial", {"kind": "linear"})(Seen(output, output, ONE, fake=after))
    loss.backward()  # type: ignore[no-untyped-call]
    assert output.grad is not None
    assert float(output.grad.abs().sum()) > 0
    for weight, grad in zip(opponent.network.parameters(), kept, strict=True):
        assert weight.grad is not None
        assert torch.equal(weight.grad, grad)


def test_losses_do_not_depend_on_the_number_of_things_in_a_batch() -> None:
    """4."""
    recipe = read_recipe(NAME, ["losses.2.options.seed=1"])
    terms = [(loss.weight, make_loss(loss.name, loss.options)) for loss in recipe.losses]
    totals, against = [], []
    for times in (1, 3):
        output, truth = (draw(seed).repeat(times, 1, 1, 1, 1) for seed in (1, 2))
        opponent = make_opponent(read_recipe(f"{NAME}-smoke"))
        exhibit = opponent.look(output, truth, 0)
        fake, real = opponent.judge(exhibit)
        seen = Seen(output, truth, ONE, fake=fake, real=real)
        totals.append(sum(counts * term(seen).item() for counts, term in terms))
        against.append(opponent.learn([exhibit], 1e-3, Ranks()))
    assert totals[1] == pytest.approx(totals[0], rel=1e-5)
    assert against[1] == pytest.approx(against[0], rel=1e-5)
    assert 0 < against[0] < 2


def test_what_the_trunk_was_trained_on_pulls_harder() -> None:
    """10."""
    options = dict(read_recipe(NAME).losses[2].options) | {"seed": 1}
    raw, standardized = (
        make_loss("perceptual", options | {"values": values})(Seen(draw(1), draw(2), ONE)).item()
        for values in ("raw", "imagenet")
    )
    assert standardized > 5 * raw


def test_scores_have_a_protocol_that_rounds_and_crops_evenly() -> None:
    """11."""
    protocol = read_recipe(NAME).validation
    assert protocol.levels == "rounded"
    assert len(set(protocol.crop)) == 1
