from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.golden_case import Case
from tests.models.promises import assert_all_learn, assert_declared
from tests.models.test_basicvsr import in_steps
from upreel.models.bicubic import Bicubic
from upreel.models.foreign import read_foreign
from upreel.models.rlsp import RLSP, rename
from upreel.models.tiled import Tiled
from upreel.models.upscaler import Color, Window
from upreel.models.weights import load

FORMS: list[tuple[Color, Color]] = [("rgb", "luma"), ("luma", "luma"), ("rgb", "rgb")]


def small(color: Color = "luma", makes: Color = "luma", scale: int = 4) -> RLSP:
    """With biases that are not zero, unlike those that training begins with."""
    torch.manual_seed(0)
    network = RLSP(scale, color=color, makes=makes, channels=6, layers=3)
    for name, tensor in network.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(tensor, std=0.05)
    return network.eval().requires_grad_(False)


def noise(color: Color = "luma", frames: int = 4, size: tuple[int, int] = (5, 6)) -> Tensor:
    planes = 3 if color == "rgb" else 1
    return torch.rand(1, frames, planes, *size, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_equals_the_authors() -> None:
    case = Case.read("rlsp_rgb")
    network = RLSP(color="rgb", makes="rgb", channels=6, layers=4)
    case.fill(network, rename)
    case.compare("sr", network(case.inputs["frames"] / 255) * 255)


def test_weights_of_the_authors_are_read_from_what_they_save(tmp_path: Path) -> None:
    case, path = Case.read("rlsp_rgb"), tmp_path / "0050000.pt"
    optimizer = {"state": {0: {"step": torch.zeros(1)}}, "param_groups": [{"lr": 1e-4}]}
    torch.save({"rlsp": case.state, "optimizer": optimizer, "iteration": 50000}, path)
    name, arguments, _ = read_foreign(path)
    assert (name, arguments) == (
        "rlsp",
        {"scale": 4, "color": "rgb", "makes": "rgb", "channels": 6, "layers": 4},
    )
    network = cast(RLSP, load(str(path), 4))
    with torch.no_grad():
        case.compare("sr", network(case.inputs["frames"] / 255) * 255)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(("color", "makes"), FORMS)
def test_arguments_are_read_off_weights(scale: int, color: Color, makes: Color) -> None:
    network = small(color, makes, scale)
    found = RLSP.arguments_of(network.state_dict())
    assert found == {
        "scale": scale, "color": color, "makes": makes, "channels": 6, "layers": 3
    }  # fmt: skip
    assert RLSP.arguments_of({}) is None
    assert rename({"other": torch.zeros(1)}).keys() == {"other"}


@pytest.mark.parametrize(
    ("channels", "published", "luma"), [(48, 163, 160_624), (64, 282, 278_672), (256, 4225, None)]
)
def test_the_published_sizes(channels: int, published: int, luma: int | None) -> None:
    """Stated as 163 k and 282 k, and as 4.2 M for the one in tables of others."""
    assert sum(p.numel() for p in RLSP(channels=channels).parameters()) // 1000 == published
    if luma:
        network = RLSP(color="luma", channels=channels)
        assert sum(p.numel() for p in network.parameters()) == luma


def test_luma_is_made_as_the_tensorflow_code_says() -> None:
    """Pixel by pixel in 0..255, with the numbers that stand there."""
    network, clip = small("rgb", "luma"), noise("rgb", 3, (4, 5))
    codes = clip[0].double() * 255
    weights = {
        key: value.double() * (255 if key.endswith("bias") else 1)
        for key, value in network.state_dict().items()
    }
    coefficients = torch.tensor([65.738, 129.057, 25.064], dtype=torch.float64) / 256
    last, hidden = torch.zeros(16, 20).double(), torch.zeros(6, 4, 5).double()
    for time in range(3):
        folded = torch.stack([last[i::4, j::4] for i in range(4) for j in range(4)])
        frames = [codes[max(time - 1, 0)], codes[time], codes[min(time + 1, 2)]]
        x = torch.cat((*frames, folded, hidden))[None]
        for layer in ("conv1", "conv_list.0"):
            x = F.conv2d(x, weights[f"{layer}.weight"], weights[f"{layer}.bias"], padding=1).relu()
        x = F.conv2d(x, weights["conv_out.weight"], weights["conv_out.bias"], padding=1)[0]
        hidden = x[16:].relu()
        luma = (codes[time] * coefficients[:, None, None]).sum(0) + 16
        for i in range(4):
            for j in range(4):
                last[i::4, j::4] = x[4 * i + j] + luma
        seen = network(clip[:, : time + 1] if time == 2 else clip)[0, time].double() * 255
        found = (seen * coefficients[:, None, None]).sum(0) + 16
        torch.testing.assert_close(found, last, atol=0.02, rtol=0)  # those have three digits


def test_chroma_is_interpolated() -> None:
    network, clip = small("rgb", "luma"), noise("rgb")
    found, smooth = network(clip), Bicubic(4)(clip)
    for one, other in ((0, 1), (2, 1)):  # luma adds the same to R, G and B
        torch.testing.assert_close(
            found[:, :, one] - found[:, :, other],
            smooth[:, :, one] - smooth[:, :, other],
            atol=1e-5,
            rtol=0,
        )


def test_adding_nothing_repeats_pixels() -> None:
    network, clip = small(), noise()
    torch.nn.init.zeros_(network.conv_out.weight)
    torch.nn.init.zeros_(cast(Tensor, network.conv_out.bias))
    repeated = clip.repeat_interleave(4, -1).repeat_interleave(4, -2)
    assert torch.equal(network(clip), repeated)


@pytest.mark.parametrize(("color", "makes"), FORMS)
@pytest.mark.parametrize("size", [(1, 1), (7, 11)])
def test_steps_are_the_clip(color: Color, makes: Color, size: tuple[int, int]) -> None:
    network, clip = small(color, makes, 3), noise(color, 4, size)
    whole = network(clip)
    assert whole.shape == (*clip.shape[:3], size[0] * 3, size[1] * 3)
    assert whole.dtype == torch.float32
    torch.testing.assert_close(in_steps(network, clip), whole, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("color", "makes"), FORMS)
def test_the_state_is_what_the_spec_says(color: Color, makes: Color) -> None:
    network = small(color, makes)
    _, state = network.step(Window(noise(color, 1, (8, 6))), {})
    assert_declared(state, network.spec, batch=1, height=8, width=6)


def test_tiles_are_the_whole() -> None:
    network, clip = small(), noise(size=(21, 33))
    assert network.spec.halo == 3
    torch.testing.assert_close(in_steps(Tiled(network, 8), clip), network(clip), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("color", "makes"), FORMS)
def test_gradients_reach_every_parameter(color: Color, makes: Color) -> None:
    network = small(color, makes).requires_grad_(True)
    assert_all_learn(network, network(noise(color)).square().mean())


@pytest.mark.parametrize(("color", "makes"), FORMS)
def test_half_precision_comes_close_and_leaves_float(color: Color, makes: Color) -> None:
    network, clip = small(color, makes), noise(color, 6)
    exact = network(clip)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = network(clip)
    rounded = network.to(torch.bfloat16)(clip)
    for close in (mixed, rounded):
        assert close.dtype == torch.float32
        assert float((close - exact).abs().max()) < 0.02


def test_rgb_is_not_made_out_of_luma() -> None:
    with pytest.raises(ValueError, match="expected luma to be made out of luma"):
        RLSP(color="luma", makes="rgb")
