from __future__ import annotations

import pytest
import torch
from torch import Tensor

from upreel.models.dbpn import DBPN
from upreel.models.upscaler import Window
from upreel.ops.resize import resize


@pytest.mark.parametrize(
    ("scale", "parameters"),
    # Li et al. 2019, "Feedback network for image super-resolution", prints 5,954 and 10,426 k.
    [(2, 5_953_526), (4, 10_426_358)],
)
def test_parameters_are_as_many_as_published(scale: int, parameters: int) -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in DBPN(scale).parameters()) == parameters


def by_hand(network: DBPN, frame: Tensor) -> Tensor:
    """Three stages, written out as the authors do; they call the latest features first."""
    blocks = dict(network.named_children())
    low = blocks["feat1"](blocks["feat0"](frame))
    high1 = blocks["up1"](low)
    low1 = blocks["down1"](high1)
    high2 = torch.cat((blocks["up2"](low1), high1), 1)
    low2 = torch.cat((blocks["down2"](high2), low1), 1)
    high3 = torch.cat((blocks["up3"](low2), high2), 1)
    image: Tensor = blocks["output_conv"](high3)
    return image


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_stages_see_all_before_them(scale: int) -> None:
    torch.manual_seed(1)
    network = DBPN(scale, stages=3, features=6, channels=4).eval()
    frame = torch.rand(2, 3, 7, 9)
    with torch.inference_mode():
        made, state = network.step(Window(frame[:, None]), {})
        torch.testing.assert_close(made[:, 0], by_hand(network, frame))
    assert made.shape == (2, 1, 3, 7 * scale, 9 * scale)
    assert state == {}


def test_published_weights_say_what_they_are_for() -> None:
    network = DBPN(8, stages=2, features=6, channels=4, color="luma")
    assert DBPN.arguments_of(network.state_dict()) == {
        "scale": 8, "color": "luma", "stages": 2, "features": 6, "channels": 4,
    }  # fmt: skip
    assert DBPN.arguments_of({}) is None


def test_gradients_reach_every_parameter() -> None:
    network = DBPN(2, stages=4, features=6, channels=4)
    network(torch.rand(1, 2, 3, 8, 8)).square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())


def test_half_precision_is_close() -> None:
    torch.manual_seed(1)
    network = DBPN(2, stages=3, features=8, channels=4, color="luma", residual=True).eval()
    clip = torch.rand(1, 1, 1, 20, 16)
    with torch.inference_mode():
        exact, rounded = network(clip), network.to(torch.bfloat16)(clip)
        torch.nn.init.zeros_(network.output_conv.conv.weight)
        torch.nn.init.zeros_(network.output_conv.conv.bias)  # type: ignore[arg-type]
        torch.testing.assert_close(
            network(clip)[0, 0], resize(clip[0, 0], (40, 32)), atol=1e-6, rtol=0
        )
    assert rounded.dtype == torch.float32
    assert float((rounded - exact).abs().max()) < 0.02 * float(exact.std())
