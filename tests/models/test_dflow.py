from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.golden_case import Case
from tests.models.promises import assert_declared
from upreel.models.dflow import DFlow, MotionEstimator, Trunk
from upreel.models.upscaler import State, Window
from upreel.ops.warp import warp


def make_tiny(*, chunk: int = 14, future: int = 7) -> DFlow:
    torch.manual_seed(0)
    network = DFlow(variant="tiny", chunk=chunk, future=future)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def published() -> DFlow:
    """The published size under the weights of the golden files."""
    network = DFlow().eval().requires_grad_(False)
    Case.read("dflow_n5").fill(network)
    return network


def test_its_size_and_keys_are_those_of_the_published_network(published: DFlow) -> None:
    assert sum(p.numel() for p in published.parameters()) == 2_950_667
    assert len(published.state_dict()) == 534
    assert published.state_dict().keys() == Case.read("dflow_n2").state.keys()


def test_published_weights_are_known_by_their_tensors(published: DFlow) -> None:
    arguments = DFlow.arguments_of(published.state_dict())
    assert arguments == {"scale": 4, "variant": "paper"}
    assert DFlow.arguments_of(make_tiny().state_dict()) is None
    assert DFlow.arguments_of({}) is None


@pytest.mark.parametrize("name", ["dflow_n2", "dflow_n5"])
def test_a_clip_equals_the_authors(published: DFlow, name: str) -> None:
    case = Case.read(name)
    clip = case.inputs["frames"]
    high, motion = published.enlarge_with_motion(clip)
    case.compare("sr", high)
    assert motion.shape == (*clip.shape[:2], 2, 2, *clip.shape[-2:])
    assert not motion[:, 0, 0].any()
    assert not motion[:, -1, 1].any()
    # The published warps sample the frame that a flow belongs to, on the grid of the other.
    ahead = [*map(warp_zeros, clip[:, 1:].unbind(1), motion[:, 1:, 0].unbind(1)), clip[:, -1]]
    back = [clip[:, 0], *map(warp_zeros, clip[:, :-1].unbind(1), motion[:, :-1, 1].unbind(1))]
    case.compare("warped_forward", torch.stack(ahead, 1))
    case.compare("warped_backward", torch.stack(back, 1))


def warp_zeros(frame: Tensor, flow: Tensor) -> Tensor:
    return warp(frame, flow, outside="zeros")


def test_the_motion_estimator_alone_equals_the_authors() -> None:
    case = Case.read("dflow_ime")
    network = MotionEstimator(64).requires_grad_(False)
    case.fill(network)
    case.compare("flow", network(case.inputs["img1"], case.inputs["img2"]))


def test_the_trunk_alone_equals_the_authors() -> None:
    case = Case.read("dflow_dfd")
    network = Trunk(67, 64, 2).requires_grad_(False)
    case.fill(network)
    case.compare("y", network(case.inputs["x"]))


def test_the_next_flow_is_one_linear_map_of_the_last_and_the_change() -> None:
    network = make_tiny()
    mixed = network.flowconv1.weight[:, :, 0, 0]
    weight = torch.einsum("om,mikl->oikl", mixed, network.flowconv31.weight)
    seen = torch.rand(1, 5, 9, 9)
    found = network.flowconv1(network.flowconv31(seen))[..., 1:-1, 1:-1]
    flat = torch.nn.functional.conv2d(seen, weight)
    offset = (found - flat).flatten(-2)
    assert torch.allclose(offset, offset[..., :1].expand_as(offset), atol=1e-5)


def run_in_chunks(network: DFlow, clip: Tensor) -> Tensor:
    state: State = {}
    high, chunk, frames = [], network.spec.step, clip.shape[1]
    for first in range(0, frames, chunk):
        past, end = min(first, 1), min(first + chunk, frames)
        future = min(network.spec.future, frames - end)
        window = Window(clip[:, first - past : end + future], past, future)
        made, state = network.step(window, state)
        high.append(made)
    return torch.cat(high, 1)


def test_chunks_that_see_the_rest_of_the_clip_give_the_whole() -> None:
    # With the same frames ahead, only what the state carries could differ.
    clip = torch.rand(1, 6, 3, 15, 17)
    whole = make_tiny()(clip)
    assert torch.allclose(run_in_chunks(make_tiny(chunk=2, future=4), clip), whole, atol=1e-5)
    near = (run_in_chunks(make_tiny(chunk=2, future=1), clip) - whole).abs().max()
    assert 1e-5 < near < 0.1


def test_the_state_is_as_declared_also_for_small_frames() -> None:
    network = make_tiny(chunk=2, future=0)
    high, state = network.step(Window(torch.rand(2, 2, 3, 5, 21)), {})
    assert high.shape == (2, 2, 3, 20, 84)
    assert_declared(state, network.spec, batch=2, height=5, width=21)
    again, _ = network.step(Window(torch.rand(2, 2, 3, 5, 21), past=1), state)
    assert again.shape == (2, 1, 3, 20, 84)


@pytest.mark.parametrize("size", [(15, 16), (3, 40), (1, 1)])
def test_single_frames_and_small_ones(size: tuple[int, int]) -> None:
    high = make_tiny()(torch.rand(1, 1, 3, *size))
    assert high.shape == (1, 1, 3, 4 * size[0], 4 * size[1])


def test_bf16_is_close_and_gives_float() -> None:
    network, clip = make_tiny(), torch.rand(1, 3, 3, 16, 16)
    exact = network(clip)
    rounded = network.bfloat16()(clip)
    assert rounded.dtype == torch.float32
    assert float((rounded - exact).abs().max()) < 0.02


def test_gradients_reach_every_parameter() -> None:
    network = make_tiny().train().requires_grad_(True)
    network(torch.rand(1, 3, 3, 15, 15)).square().mean().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_another_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a scale of 4, found 3"):
        DFlow(3)
