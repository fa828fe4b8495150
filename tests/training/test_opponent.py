from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import torch

from tests.training.clips import draw_clip, write_clips
from tests.training.test_trainer import read_metrics, stop_before
from upreel.errors import ConfigError
from upreel.losses.adversarial import Adversarial, Kind
from upreel.training.opponent import Opponent
from upreel.training.ranks import Ranks
from upreel.training.recipe import Recipe, read_recipe
from upreel.training.run import CHECKPOINT
from upreel.training.tables import Discriminator, Optimizer
from upreel.training.trainer import train

ADVERSARIAL = (
    "network.arguments={channels=4, blocks=1, hidden=2}",
    "stages=[{steps=5, batch=2, crop=12, frames=3}]",
    "optimizer.warm_up=0",
    "save_every=2",
    'losses=[{name="charbonnier"}, {name="adversarial", weight=0.01}]',
    "discriminator={arguments={channels=4, layers=2}, "
    'optimizer={name="adam", rate=1e-3, warm_up=0}}',
)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    return write_clips(folder, {f"a{seed}": draw_clip(seed, 4) for seed in range(2)})


def adversarial(*changes: str) -> Recipe:
    return read_recipe("swift-x4-clean", [*ADVERSARIAL, *changes])


def make_opponent(kind: str = "vanilla") -> Opponent:
    table = Discriminator(
        arguments={"channels": 4, "layers": 2}, optimizer=Optimizer(name="adam", rate=1e-2)
    )
    loss = Adversarial(kind=kind)  # type: ignore[arg-type]
    return Opponent(table, loss, 1, seed=3)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_it_learns_to_tell_noise_from_flat_clips(kind: str) -> None:
    opponent, random = make_opponent(kind), torch.Generator().manual_seed(5)
    losses = []
    for _ in range(25):
        truth = torch.rand(2, 2, 1, 16, 16, generator=random)
        exhibit = opponent.look(torch.full_like(truth, 0.5), truth, 0)
        losses.append(opponent.learn([exhibit], 1e-2, Ranks()))
    assert sum(losses[-5:]) < sum(losses[:5])
    (fake,), (real,) = (opponent.network(shown) for shown in (exhibit.fake, exhibit.real))
    assert float(real.mean()) > float(fake.mean())


def test_judging_moves_the_maker_and_not_the_judge() -> None:
    opponent = make_opponent("relativistic")
    output = torch.rand(1, 2, 1, 16, 16, requires_grad=True)
    (fake,), real = opponent.judge(opponent.look(output, torch.rand(1, 2, 1, 16, 16), 0))
    fake.sum().backward()  # type: ignore[no-untyped-call]
    assert output.grad is not None
    assert float(output.grad.abs().sum()) > 0
    assert real is not None
    assert not real[0].requires_grad
    assert all(weight.grad is None for weight in opponent.network.parameters())


def test_each_step_moves_both_networks(tmp_path: Path, clips: Path) -> None:
    path = train(adversarial("save_every=1", "stages.0.steps=1"), data=clips, out=tmp_path / "one")
    more = train(
        adversarial("save_every=1", "stages.0.steps=2"),
        data=clips, out=tmp_path / "two", cache=tmp_path / "one" / "cache",
    )  # fmt: skip
    one, two = (
        torch.load(weights.with_name(CHECKPOINT), weights_only=True) for weights in (path, more)
    )
    begun = make_opponent().network.state_dict()
    for before, after in (
        (one["network"], two["network"]),
        (one["opponent"]["network"], two["opponent"]["network"]),
    ):
        moved = [key for key in before if not torch.equal(before[key], after[key])]
        assert any("weight" in key for key in moved)
    assert set(begun) == set(one["opponent"]["network"])
    assert all("discriminator" in figures for figures in read_metrics(more))


def test_a_resumed_match_gives_the_same_bits(
    tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, cache = adversarial("optimizer.accumulate=2"), tmp_path / "cache"
    whole = train(recipe, data=clips, out=tmp_path / "whole", cache=cache)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_before(patch, 3)
        train(recipe, data=clips, out=tmp_path / "parts", cache=cache)
    parts = train(recipe, data=clips, out=tmp_path / "parts", cache=cache, resume=True)
    for name in (whole.name, "metrics.jsonl"):
        assert parts.with_name(name).read_bytes() == whole.with_name(name).read_bytes()


def test_the_adversarial_loss_changes_the_result(tmp_path: Path, clips: Path) -> None:
    cache, weights = tmp_path / "cache", dict[str, bytes]()
    for weight in ("0.01", "0.0"):
        recipe = adversarial(f"losses.1.weight={weight}")
        path = train(recipe, data=clips, out=tmp_path / weight, cache=cache)
        state = torch.load(path.with_name(CHECKPOINT), weights_only=True)["network"]
        weights[weight] = b"".join(value.numpy().tobytes() for value in state.values())
    assert weights["0.01"] != weights["0.0"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ('losses=[{name="l1"}]', "one loss 'adversarial' and a table .* found 0 and a table"),
        ("discriminator.optimizer.acumulate=2", "unknown key 'acumulate'.*: it has name"),
        ("discriminator.nam='srgan'", "did you mean 'name'"),
        ("discriminator.name=srgen", "a discriminator out of patch, srgan, .* found 'srgen'"),
        ("discriminator.arguments.layer=2", "'patch' has the options .*layers, found 'layer'"),
    ],
)
def test_a_match_that_cannot_be(change: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        adversarial(change)
