from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from upreel.errors import UsageError, WeightsError
from upreel.losses import make_loss
from upreel.losses.perceptual import Perceptual
from upreel.losses.seen import Seen
from upreel.models.vgg import Trunk, TrunkName

WEIGHT = torch.tensor([0.25, 0.75])


def clips(channels: int = 3) -> Seen:
    generator = torch.Generator().manual_seed(2)
    output, truth = torch.rand(2, 1, 2, channels, 16, 16, generator=generator)
    return Seen(output.requires_grad_(), truth, WEIGHT)


def test_one_convolution_by_hand() -> None:
    loss = Perceptual(trunk="vgg16", layers=["conv1_1"], seed=5)
    seen = clips()
    kernel = loss.trunk.state_dict()["features.0.weight"]
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    # The bias is zero and the mean is the same on both sides; borders are padded after that.
    difference = (seen.output - seen.truth)[0] / deviation
    frames = F.conv2d(difference, kernel, padding=1).detach().abs().numpy().mean((1, 2, 3))
    expected = float(np.dot(frames, WEIGHT.numpy()))
    assert loss(seen).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("trunk", "layer", "place"), [("vgg16", "pool5", 30), ("vgg19", "relu3_1", 11)]
)
def test_layers_lie_where_the_authors_cut_torchvisions_networks(
    trunk: TrunkName, layer: str, place: int
) -> None:
    """iSeeBetter takes `features[:31]`, Chadha and Masoud `features[:12]`."""
    with torch.device("meta"):
        assert Trunk(trunk).layers[layer] == place


def test_raw_values_and_parts_of_the_maximum_by_hand() -> None:
    seen = clips()
    raw, parts = (
        Perceptual(trunk="vgg16", layers=["conv1_1"], distance="mse", values=values, seed=5)
        for values in ("raw", "maximum")
    )
    kernel = raw.trunk.state_dict()["features.0.weight"]
    output, truth = seen.output.detach()[0], seen.truth[0]
    for loss, difference in (
        (raw, output - truth),
        (parts, output / output.max() - truth / truth.max()),
    ):
        frames = F.conv2d(difference, kernel, padding=1).square().mean((1, 2, 3))
        assert loss(seen).item() == pytest.approx(float(frames @ WEIGHT), rel=1e-4)
    darker = Seen(seen.output / 2, seen.truth, WEIGHT)
    assert parts(darker).item() == pytest.approx(parts(seen).item(), rel=1e-5)
    black = Seen(torch.zeros_like(seen.output), seen.truth, WEIGHT)
    assert parts(black).isfinite()


def test_layers_add_up_and_after_the_relu_is_not_before() -> None:
    seen = clips(1)
    before, after, both = (
        Perceptual(trunk="alexnet", layers=layers, layer_weights=counts, distance="mse", seed=1)(
            seen
        ).item()
        for layers, counts in (
            (["conv2"], None),
            (["relu2"], None),
            (["relu2", "conv2"], [0.5, 2.0]),
        )
    )
    assert after < before
    assert both == pytest.approx(0.5 * after + 2 * before, rel=1e-5)


def test_the_gradient_reaches_the_output() -> None:
    seen = clips()
    loss = make_loss("perceptual", {"trunk": "vgg16", "layers": ["relu2_2"], "seed": 0})
    loss(seen).backward()  # type: ignore[no-untyped-call]
    assert seen.output.grad is not None
    assert seen.output.grad.abs().min() > 0


def test_without_weights_the_command_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("UPREEL_CACHE", str(tmp_path_factory.mktemp("empty")))
    with pytest.raises(WeightsError, match=r"run 'upreel models get vgg19'"):
        make_loss("perceptual")


def test_options_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match=r"layers of vgg16 .* found 'conv5_4'"):
        Perceptual(trunk="vgg16", layers=["conv5_4"], seed=0)
    with pytest.raises(UsageError, match=r"layer_weight for each of 1 layers .* found 2"):
        Perceptual(trunk="alexnet", layers=["conv1"], layer_weights=[1.0, 2.0], seed=0)
    with pytest.raises(UsageError, match=r"weights or a seed of vgg16, found both"):
        Perceptual(trunk="vgg16", weights="mine.pth", seed=0)


def test_random_numbers_of_others_stay_as_they_are() -> None:
    before = torch.get_rng_state()
    Perceptual(trunk="alexnet", seed=0)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("trunk", "layer", "side"), [("vgg19", "conv5_4", 16), ("alexnet", "conv2", 15)]
)
def test_crops_that_are_too_small_are_named(trunk: TrunkName, layer: str, side: int) -> None:
    loss = Perceptual(trunk=trunk, layers=[layer], seed=0)
    fits = torch.rand(1, 1, 3, side, side)
    loss(Seen(fits, fits, torch.ones(1)))
    small = fits[..., 1:, :]
    with pytest.raises(
        UsageError, match=rf"larger for {layer} of {trunk}, found {side}x{side - 1}"
    ):
        loss(Seen(small, small, torch.ones(1)))
