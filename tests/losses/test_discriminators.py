from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.golden_case import Case
from upreel.errors import ConfigError
from upreel.losses import DISCRIMINATORS, Option, check_discriminator
from upreel.losses.discriminator import Discriminator, Shown
from upreel.losses.patch_discriminator import PatchDiscriminator
from upreel.losses.recurrent_discriminators import (
    ImageAndFlowDiscriminator,
    RecurrentDiscriminator,
)
from upreel.losses.srgan_discriminator import SrganDiscriminator

MODES = ("eval", "train")


def show(*, channels: int = 3, size: tuple[int, int] = (20, 24), frames: int = 2) -> Shown:
    random = torch.Generator().manual_seed(4)
    shape = (2, frames, channels, *size)
    flow = torch.randn(2, 2, frames, 2, 2, *size, generator=random)
    made = torch.rand(shape, generator=random).requires_grad_()
    motion = flow[1].requires_grad_()
    return Shown(made, torch.rand(2, frames, 2, *shape[2:], generator=random), flow[0], motion)


def small(name: str, planes: int) -> Discriminator:
    torch.manual_seed(2)
    return DISCRIMINATORS[name](planes, channels=2)


def test_they_have_as_many_parameters_as_published() -> None:
    def count(network: nn.Module) -> int:
        return sum(weight.numel() for weight in network.parameters())

    assert count(SrganDiscriminator(3)) == 5_215_425
    assert count(RecurrentDiscriminator(3)) == 5_579_980
    assert count(ImageAndFlowDiscriminator(3)) == 2_633_022


@pytest.mark.parametrize("mode", MODES)
def test_srgan_is_that_of_iseebetter(mode: str) -> None:
    case, network = Case.read(f"iseebetter_disc_{mode}"), SrganDiscriminator(3)
    case.fill(network, kept=("num_batches_tracked",))
    (scores,) = network.train(mode == "train")(Shown(case.inputs["image"][:, None]))
    case.compare(f"{mode}_logit", scores[:, 0])
    case.compare(f"{mode}_prob", scores[:, 0].sigmoid())
    if mode == "train":
        buffers = dict(network.named_buffers())
        for layer in (3, 21):
            for name in ("running_mean", "running_var"):
                case.compare(f"train_{name}_{layer}", buffers[f"net.{layer}.{name}"])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("name", "made"),
    [("sta_disc", RecurrentDiscriminator), ("sta_discflow_image", ImageAndFlowDiscriminator)],
)
def test_frames_are_judged_as_published(
    name: str, made: type[RecurrentDiscriminator], mode: str
) -> None:
    case, network = Case.read(name), made(3)
    case.fill(network, kept=("num_batches_tracked",))
    maps: list[Tensor] = []
    network.conv_nin.register_forward_hook(lambda _, __, output: maps.append(output))
    frames, neighbours, flow = (case.inputs[k] for k in ("target", "neighbor", "flow"))
    shown = Shown(frames[:, None], neighbours[:, None], flow[:, None], flow[:, None])
    if made is RecurrentDiscriminator:
        (scores,) = network.train(mode == "train")(shown)
    else:  # its other branch would move the statistics, but not these scores
        scores, _ = network.train(mode == "train")(shown)
    case.compare(f"{mode}_score_map", maps[0])
    case.compare(f"{mode}_prob", scores.sigmoid())


@pytest.mark.parametrize("mode", MODES)
def test_motion_is_judged_as_published(mode: str) -> None:
    case, network = Case.read("sta_discflow_flow"), ImageAndFlowDiscriminator(3)
    case.fill(network, kept=("num_batches_tracked",))
    maps: list[Tensor] = []
    network.conv_nin.register_forward_hook(lambda _, __, output: maps.append(output))
    neighbours, motion = case.inputs["neighbor"], case.inputs["flow_target"]
    motion = motion.view(2, 1, 2, 2, *motion.shape[-2:])
    shown = Shown(neighbours[:, :1], neighbours[:, None], torch.zeros_like(motion), motion)
    _, scores = network.train(mode == "train")(shown)
    case.compare(f"{mode}_score_map", maps[1])
    case.compare(f"{mode}_prob", scores.sigmoid())


@pytest.mark.parametrize("planes", [1, 3])
@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_all_are_deterministic_and_pull_at_what_was_made(name: str, planes: int) -> None:
    shown = show(channels=planes, size=(19, 22))
    network = small(name, planes)
    scores = network(shown)
    assert len(scores) == 1 + ("motion" in network.needs)
    for score in scores:
        assert score.shape[:2] == shown.frames.shape[:2]
    torch.stack([score.mean() for score in scores]).sum().backward()  # type: ignore[no-untyped-call]
    assert shown.frames.grad is not None
    assert shown.frames.grad.abs().amax((-3, -2, -1)).min() > 0
    assert shown.motion is not None
    assert (shown.motion.grad is not None) == ("motion" in network.needs)
    again = small(name, planes)(shown)
    assert all(torch.equal(one, other) for one, other in zip(scores, again, strict=True))


@pytest.mark.parametrize("name", ["srgan", "recurrent", "image-and-flow"])
def test_each_frame_is_judged_on_its_own(name: str) -> None:
    network = small(name, 1)
    assert isinstance(network, nn.Module)
    network.eval()
    shown = show(channels=1)
    assert shown.neighbours is not None
    assert shown.flow is not None
    assert shown.motion is not None
    for index in range(2):
        one = slice(index, index + 1)
        alone = Shown(
            shown.frames[:, one], shown.neighbours[:, one], shown.flow[:, one],
            shown.motion[:, one],
        )  # fmt: skip
        for whole, part in zip(network(shown), network(alone), strict=True):
            torch.testing.assert_close(whole[:, one], part)


@pytest.mark.parametrize("name", ["recurrent", "image-and-flow"])
def test_neighbours_and_their_order_count(name: str) -> None:
    network, shown = small(name, 3), show()
    assert shown.neighbours is not None
    assert shown.motion is not None
    swapped = Shown(shown.frames, shown.neighbours.flip(2), shown.flow, shown.motion)
    elsewhere = Shown(shown.frames, shown.neighbours, shown.flow, 2 * shown.motion)
    first = network(shown)
    for one, other in zip(first, network(swapped), strict=True):
        assert not torch.allclose(one, other)
    same = [torch.equal(a, b) for a, b in zip(first, network(elsewhere), strict=True)]
    assert same == [True, False][: len(same)]


def test_patches_are_bounded_by_their_normalisation() -> None:
    torch.manual_seed(1)
    network = PatchDiscriminator(3, channels=4, layers=2)
    for _ in range(30):  # each pass brings the estimate of the norms nearer
        (scores,) = network(Shown(torch.rand(2, 3, 3, 16, 24)))
    assert scores.shape == (2, 3, 4, 6)
    weight = network.out.weight
    assert isinstance(weight, torch.Tensor)
    layer = weight.detach().flatten(1)
    assert float(torch.linalg.matrix_norm(layer, 2)) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("pach", {}, "a discriminator out of patch, srgan, .* found 'pach'"),
        ("srgan", {"layers": 2}, "'srgan' has the options channels, found 'layers'"),
        ("patch", {"channels": 0}, "'patch' expects greater than .* 1 as 'channels', found 0"),
        ("recurrent", {"channels": 1.5}, "expects a valid integer as 'channels', found 1.5"),
    ],
)
def test_what_cannot_be_made_is_named(name: str, options: dict[str, Option], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        check_discriminator(name, options)
