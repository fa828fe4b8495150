from __future__ import annotations

import pytest
import torch

from tests.golden_case import Case
from upreel.models.srresnet import SRResNet
from upreel.models.tiled import Tiled
from upreel.models.upscaler import Window


def test_it_gives_the_published_numbers() -> None:
    case = Case.read("iseebetter_srgan_generator")
    arguments = SRResNet.arguments_of(case.state)
    assert arguments == {"scale": 4, "color": "rgb", "blocks": 5, "channels": 64}
    network = SRResNet(**arguments).eval()  # type: ignore[arg-type]
    case.fill(network, kept=("num_batches_tracked",))
    assert sum(p.numel() for p in network.parameters()) == 734_092
    with torch.inference_mode():
        case.compare("sr", network(case.inputs["image"][:, None])[:, 0])


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_tiles_equal_the_whole(scale: int) -> None:
    torch.manual_seed(0)
    network = SRResNet(scale, blocks=2, channels=6, color="luma").eval()
    window = Window(torch.rand(1, 1, 1, 21, 50))
    with torch.inference_mode():
        whole, state = network.step(window, {})
        parts, _ = Tiled(network, 16).step(window, {})
    assert whole.shape == (1, 1, 1, 21 * scale, 50 * scale)
    assert state == {}
    torch.testing.assert_close(parts, whole, atol=1e-6, rtol=0)
    arguments = SRResNet.arguments_of(network.state_dict())
    assert arguments == {"scale": scale, "color": "luma", "blocks": 2, "channels": 6}


def test_gradients_and_half_precision() -> None:
    torch.manual_seed(0)
    network = SRResNet(2, blocks=2, channels=6)
    clip = torch.rand(2, 1, 3, 8, 8)
    network(clip).square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())
    network.eval()
    with torch.inference_mode():
        exact, rounded = network(clip), network.to(torch.bfloat16)(clip)
    assert rounded.dtype == torch.float32
    assert float((rounded - exact).abs().max()) < 0.05 * float(exact.std())


def test_scales_that_do_not_exist() -> None:
    with pytest.raises(ValueError, match="a scale out of 2, 3, 4, 8, found 5"):
        SRResNet(5)
    assert SRResNet.arguments_of({}) is None
