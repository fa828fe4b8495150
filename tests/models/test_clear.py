import pytest
import torch

from tests.models.promises import assert_all_learn, assert_declared
from upreel.models.bicubic import Bicubic
from upreel.models.clear import Clear
from upreel.models.upscaler import State, Window

TINY = {"channels": 8, "back": 1, "blocks": 1}


def motion(frames: int, height: int, width: int) -> torch.Tensor:
    """Flow from each frame to the one before and after."""
    return torch.randn(1, frames, 2, 2, height, width, generator=torch.manual_seed(3))


def along(flow: torch.Tensor) -> torch.Tensor:
    """The same as windows have it: between each two frames, there and back."""
    return torch.stack((flow[:, :-1, 1], flow[:, 1:, 0]), 2)


def lively(scale: int = 4, **arguments: int) -> Clear:
    """A network whose layers all count."""
    torch.manual_seed(1)
    net = Clear(scale, **{**TINY, **arguments}).eval()
    torch.nn.init.normal_(net.out.weight, std=0.2)
    return net


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (9, 13)])
def test_any_size(scale: int, size: tuple[int, int]) -> None:
    high = Clear(scale, **TINY)(torch.rand(1, 3, 1, *size), motion(3, *size))
    assert high.shape == (1, 3, 1, size[0] * scale, size[1] * scale)
    assert high.dtype == torch.float32


def test_the_size_that_ships() -> None:
    counted = sum(tensor.numel() for tensor in Clear().parameters())
    first, block = 64 * (65 * 9 + 1), 2 * 64 * (64 * 9 + 1)
    assert counted == first + 64 * (145 * 9 + 1) + 10 * block + 16 * (64 * 9 + 1)
    assert counted <= 1_500_000


@pytest.mark.parametrize("phase", [0.0, -1.5])
def test_adding_nothing_is_bicubic(phase: float) -> None:
    net, clip = Clear(phase=phase, **TINY), torch.rand(1, 3, 1, 10, 12)
    torch.nn.init.zeros_(net.out.weight)
    expected = Bicubic(4, phase=phase)(clip)
    torch.testing.assert_close(net(clip, motion(3, 10, 12)), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_steps_that_see_to_the_end_are_the_clip(chunk: int) -> None:
    """Windows see all that comes, so that only what is carried forward could differ."""
    net, clip, flow = lively(), torch.rand(1, 6, 1, 8, 8), motion(6, 8, 8)
    with torch.no_grad():
        whole = net(clip, flow)
        state: State = {}
        for first in range(0, 6, chunk):
            past = min(first, 1)
            seen = slice(first - past, 6)
            inputs = along(flow[:, seen])
            future = 6 - min(first + chunk, 6)
            window = Window(clip[:, seen], past, future, {"flow_along": inputs})
            made, state = net.step(window, state)
            torch.testing.assert_close(made, whole[:, first : first + chunk], atol=1e-6, rtol=0)


def test_what_comes_and_what_was_both_count() -> None:
    net, clip, flow = lively(), torch.rand(1, 5, 1, 8, 8), motion(5, 8, 8)
    with torch.no_grad():
        whole = net(clip, flow)
        for place in (0, 4):
            other = clip.clone()
            other[:, place] = torch.rand(1, 1, 8, 8)
            assert (net(other, flow)[:, 2] - whole[:, 2]).abs().max() > 1e-4


def test_flow_is_looked_along() -> None:
    """A picture that moves evenly, with the flow that says so, is the picture that stands still."""
    net, wide = lively(), torch.rand(1, 1, 40, 56)
    moving = torch.stack([wide[..., 2 * t : 2 * t + 48] for t in range(3)], 1)
    still = wide[:, None, :, :, 2:50].expand(-1, 3, -1, -1, -1)
    flow = torch.zeros(1, 3, 2, 2, 40, 48)
    with torch.no_grad():
        expected = net(still, flow)[:, 1]
        flow[:, :, 0, 0], flow[:, :, 1, 0] = 2, -2
        found = net(moving, flow)[:, 1]
    inside = (..., slice(64, -64), slice(64, -64))  # what lies beyond the borders differs
    torch.testing.assert_close(found[inside], expected[inside])


def test_the_state_is_what_the_spec_says() -> None:
    net = Clear(**TINY)
    window = Window(torch.rand(2, 1, 1, 8, 6), 0, 0, {"flow_along": torch.zeros(2, 0, 2, 2, 8, 6)})
    _, state = net.step(window, {})
    assert_declared(state, net.spec, batch=2, height=8, width=6)


def test_gradients_reach_every_parameter() -> None:
    net = Clear(**TINY)
    assert_all_learn(net, net(torch.rand(1, 3, 1, 8, 8), motion(3, 8, 8)).square().mean())


def test_bf16_is_close_to_float32() -> None:
    torch.manual_seed(0)
    net, clip, flow = Clear(), torch.rand(1, 3, 1, 16, 16), motion(3, 16, 16)
    with torch.no_grad():
        exact = net(clip, flow)
        close = net.to(torch.bfloat16)(clip, flow)
    assert (exact - close).abs().max() < 0.02
