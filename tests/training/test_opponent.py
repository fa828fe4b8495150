from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import torch
import torch.nn.functional as F

from tests.training.clips import draw_clip, write_clips
from tests.training.test_trainer import read_metrics, stop_before
from upreel.errors import ConfigError, UsageError
from upreel.losses.adversarial import Adversarial, Kind
from upreel.models.spynet import SPyNet
from upreel.training.opponent import FindMotion, Opponent
from upreel.training.ranks import Ranks
from upreel.training.recipe import Recipe, read_recipe
from upreel.training.run import CHECKPOINT, Run
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


def make_beholder(name: str, find_motion: FindMotion | None = None) -> Opponent:
    """One that looks at neighbours."""
    optimizer = Optimizer(name="adam", rate=1e-2)
    table = Discriminator(name=name, arguments={"channels": 2}, optimizer=optimizer)
    return Opponent(table, Adversarial(), 1, seed=3, find_motion=find_motion)


def draw_drift(frames: int = 5) -> torch.Tensor:
    """`(2, T, 1, 32, 40)`: a soft texture that moves by two pixels to the right each time."""
    random = torch.Generator().manual_seed(7)
    coarse = torch.rand(2, 1, 12, 20, generator=random)
    texture = F.interpolate(coarse, scale_factor=4, mode="bicubic")
    return torch.stack([texture[..., 4:36, 20 - 2 * t : 60 - 2 * t] for t in range(frames)], 1)


@pytest.mark.parametrize("name", ["recurrent", "image-and-flow"])
def test_frames_are_shown_beside_their_true_neighbours_and_the_way_there(name: str) -> None:
    opponent, truth = make_beholder(name), draw_drift()
    made = torch.rand(2, 3, 1, 32, 40)  # what a window network made of the middle frames
    exhibit = opponent.look(made, truth, 1)
    assert torch.equal(exhibit.fake.frames, made)
    assert torch.equal(exhibit.real.frames, truth[:, 1:4])
    for shown in (exhibit.fake, exhibit.real):
        assert shown.neighbours is not None
        assert torch.equal(shown.neighbours[:, :, 0], truth[:, :3])
        assert torch.equal(shown.neighbours[:, :, 1], truth[:, 2:])
        assert shown.flow is not None
        inside = shown.flow[..., 8:-8, 8:-8].mean((0, 1, -2, -1))
        torch.testing.assert_close(inside, torch.tensor([[-2.0, 0], [2, 0]]), rtol=0, atol=0.1)
    assert exhibit.real.frames.shape == exhibit.fake.frames.shape
    if name == "image-and-flow":
        assert exhibit.real.motion is not None
        assert exhibit.fake.motion is not None
        found = exhibit.real.motion[..., 8:-8, 8:-8].mean((0, 1, -2, -1))
        torch.testing.assert_close(found, torch.tensor([[-2.0, 0], [2, 0]]), rtol=0, atol=0.1)
        assert not torch.allclose(exhibit.real.motion, exhibit.fake.motion)


def test_ends_of_a_sequence_have_no_neighbours_and_are_not_judged() -> None:
    opponent, truth = make_beholder("recurrent"), draw_drift(4)
    exhibit = opponent.look(truth + 0.1, truth, 0)  # a recurrent network makes all frames
    assert torch.equal(exhibit.fake.frames, truth[:, 1:3] + 0.1)
    assert torch.equal(exhibit.real.frames, truth[:, 1:3])
    with pytest.raises(UsageError, match=r"a frame before and after one that is made.*found 2"):
        opponent.look(truth[:, :2], truth[:, :2], 0)


def test_what_is_shown_follows_a_gradient_by_the_picture_and_by_its_motion() -> None:
    opponent, truth = make_beholder("image-and-flow"), draw_drift(3)
    for judgement in range(2):
        made = (truth[:, 1:2] + 0.05 * torch.rand(2, 1, 1, 32, 40)).requires_grad_()
        exhibit = opponent.look(made, truth, 1)
        scores, _ = opponent.judge(exhibit)
        scores[judgement].sum().backward()  # type: ignore[no-untyped-call]
        assert made.grad is not None
        assert float(made.grad.abs().sum()) > 0
        detached = exhibit.fake.detached()
        assert not detached.frames.requires_grad
        assert detached.motion is not None
        assert not detached.motion.requires_grad


def test_a_network_may_find_the_motion() -> None:
    def find_motion(frames: torch.Tensor, neighbours: torch.Tensor) -> torch.Tensor:
        return torch.cat((frames - neighbours, frames), 1)

    opponent, truth = make_beholder("image-and-flow", find_motion), draw_drift(3)
    exhibit = opponent.look(0.5 * truth[:, 1:2], truth, 1)
    assert exhibit.fake.motion is not None
    expected = torch.cat((0.5 * truth[:, 1] - truth[:, 2], 0.5 * truth[:, 1]), 1)
    torch.testing.assert_close(exhibit.fake.motion[:, 0, 1], expected)


def test_a_recipe_may_name_a_network_that_finds_the_motion(tmp_path: Path) -> None:
    torch.manual_seed(1)
    spynet, path = SPyNet(channels=4), tmp_path / "spynet.pth"
    torch.save({"params": spynet.state_dict()}, path)
    recipe = adversarial(
        "discriminator.name=image-and-flow",
        "discriminator.arguments={channels=2}",
        f"discriminator.motion={path}",
    )
    opponent, truth = Run(recipe, tmp_path).opponent, draw_drift(3)
    assert opponent is not None
    made = (0.5 * truth[:, 1:2]).requires_grad_()
    exhibit = opponent.look(made, truth, 1)
    assert exhibit.fake.motion is not None
    grey = (one.expand(-1, 3, -1, -1) for one in (made[:, 0], truth[:, 2]))
    torch.testing.assert_close(exhibit.fake.motion[:, 0, 1], spynet(*grey))
    exhibit.fake.motion.sum().backward()  # type: ignore[no-untyped-call]
    assert made.grad is not None
    assert made.grad.any()


@pytest.mark.parametrize("name", ["srgan", "recurrent", "image-and-flow"])
def test_all_of_them_learn_and_take_up_where_they_were(name: str) -> None:
    truth = draw_drift(3)
    random = torch.Generator().manual_seed(2)
    noise = [0.2 * torch.rand(2, 1, 1, 32, 40, generator=random) for _ in range(12)]
    table = Discriminator(
        name=name, arguments={"channels": 2}, optimizer=Optimizer(name="adam", rate=1e-2)
    )
    whole, first, second = (
        Opponent(table, Adversarial(labels="smooth"), 1, seed=3) for _ in range(3)
    )

    def learn(opponent: Opponent, rounds: slice) -> list[float]:
        looks = [opponent.look(truth[:, 1:2] + each, truth, 1) for each in noise[rounds]]
        return [opponent.learn([exhibit], 1e-2, Ranks()) for exhibit in looks]

    losses = learn(whole, slice(0, 12))
    assert sum(losses[-4:]) < sum(losses[:4])
    assert learn(first, slice(0, 7)) == losses[:7]
    second.restore(first.state())
    assert learn(second, slice(7, 12)) == losses[7:]


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
