import pytest
import torch

from tests.models.promises import assert_all_learn, assert_declared
from upreel.models.bicubic import Bicubic
from upreel.models.swift import Swift
from upreel.models.upscaler import Input, State, Window

SHAPES = [
    {"scale": 4, "channels": 16, "hidden": 6, "blocks": 1},
    {"scale": 2, "channels": 8, "hidden": 8, "blocks": 2},
]


def motion(frames: int, height: int, width: int) -> torch.Tensor:
    return torch.randn(1, frames, 1, 2, height, width, generator=torch.manual_seed(3))


def silent(net: Swift) -> Swift:
    """A network that adds nothing."""
    torch.nn.init.zeros_(net.out.weight)
    return net


@pytest.mark.parametrize("arguments", SHAPES)
@pytest.mark.parametrize("size", [(1, 1), (9, 13), (16, 24)])
def test_any_size(arguments: dict[str, int], size: tuple[int, int]) -> None:
    net, clip = Swift(**arguments), torch.rand(1, 3, 1, *size)
    scale = arguments["scale"]
    high = net(clip, motion(3, *size))
    assert high.shape == (1, 3, 1, size[0] * scale, size[1] * scale)
    assert high.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bits", [8, 10, 12])
def test_flat_areas_keep_every_code_value(dtype: torch.dtype, bits: int) -> None:
    net = silent(Swift(channels=8, hidden=4, blocks=1)).to(dtype)
    top = 2**bits - 1
    codes = torch.arange(0, top + 1, max(1, top // 500)).float()
    clip = (codes / top).view(-1, 1, 1, 1, 1).expand(-1, 1, 1, 6, 6)
    high = net(clip, torch.zeros(len(codes), 1, 1, 2, 6, 6))
    assert torch.equal((high * top).round(), codes.view(-1, 1, 1, 1, 1).expand_as(high))


@pytest.mark.parametrize("phase", [0.0, -1.5])
def test_adding_nothing_is_bicubic(phase: float) -> None:
    clip = torch.rand(1, 3, 1, 10, 12)
    high = silent(Swift(phase=phase))(clip, motion(3, 10, 12))
    torch.testing.assert_close(high, Bicubic(4, phase=phase)(clip), atol=1e-6, rtol=0)


@pytest.mark.parametrize("arguments", SHAPES)
def test_steps_are_the_clip(arguments: dict[str, int]) -> None:
    net, clip, flow = Swift(**arguments), torch.rand(1, 4, 1, 8, 8), motion(4, 8, 8)
    with torch.no_grad():
        whole = net(clip, flow)
        state: State = {}
        for time in range(4):
            past = min(time, 1)
            inputs: dict[Input, torch.Tensor] = {"flow": flow[:, time : time + 1]}
            window = Window(clip[:, time - past : time + 1], past, 0, inputs)
            frame, state = net.step(window, state)
            assert torch.equal(frame, whole[:, time : time + 1])


@pytest.mark.parametrize("arguments", SHAPES)
def test_the_state_is_what_the_spec_says(arguments: dict[str, int]) -> None:
    net = Swift(**arguments)
    _, state = net.step(
        Window(torch.rand(2, 1, 1, 8, 6), 0, 0, {"flow": torch.zeros(2, 1, 1, 2, 8, 6)}), {}
    )
    assert_declared(state, net.spec, batch=2, height=8, width=6)


@pytest.mark.parametrize("arguments", SHAPES)
def test_gradients_reach_every_parameter(arguments: dict[str, int]) -> None:
    net = Swift(**arguments)
    assert_all_learn(net, net(torch.rand(1, 3, 1, 8, 8), motion(3, 8, 8)).square().mean())


def test_the_gradient_through_time_is_right() -> None:
    net = Swift(2, channels=4, hidden=2, blocks=1).double()
    clip, flow = torch.rand(1, 3, 1, 6, 6), motion(3, 6, 6)
    weight = net.into.weight

    def loss() -> torch.Tensor:
        high: torch.Tensor = net(clip, flow)
        return high[:, 2].square().sum()

    loss().backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    place = (0, 5, 1, 1)
    step = 1e-3
    with torch.no_grad():
        weight[place] += step
        above = loss()
        weight[place] -= 2 * step
        below = loss()
    slope = float(above - below) / (2 * step)
    assert float(weight.grad[place]) == pytest.approx(slope, rel=0.05, abs=1e-3)


def test_bf16_is_close_to_float32() -> None:
    torch.manual_seed(0)
    net, clip, flow = Swift(), torch.rand(1, 3, 1, 16, 16), motion(3, 16, 16)
    with torch.no_grad():
        exact = net(clip, flow)
        close = net.to(torch.bfloat16)(clip, flow)
    assert (exact - close).abs().max() < 0.02


def test_the_interpolation_is_never_rounded() -> None:
    net = Swift()
    before = net.skip.clone()
    assert torch.equal(net.bfloat16().float().skip, before)
    assert "skip" not in net.state_dict()


def test_too_much_hidden_state_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 32 hidden channels"):
        Swift(hidden=40)
