import pytest
import torch
from torch import nn

from tests.golden_case import Case
from tests.models.promises import assert_all_learn
from tests.models.test_basicvsr import in_steps
from upreel.models.edvr import EDVR
from upreel.models.upscaler import Window


def small() -> EDVR:
    """With offsets that are not zero, unlike those that training begins with."""
    torch.manual_seed(0)
    network = EDVR(variant="tiny").eval()
    for name, tensor in network.named_parameters():
        if "conv_offset" in name:
            nn.init.normal_(tensor, std=0.1)
    return network


@pytest.mark.parametrize("attention", [True, False])
def test_equals_the_authors(attention: bool) -> None:
    case = Case.read("edvr_m" if attention else "edvr_m_notsa")
    network = EDVR(attention=attention)
    case.fill(network)
    with torch.no_grad():
        case.compare("sr", network(case.inputs["frames"])[:, 0])


def test_the_published_size() -> None:
    assert sum(weight.numel() for weight in EDVR().parameters()) == 3_300_131


def test_arguments_are_read_off_published_weights() -> None:
    state = Case.read("edvr_m_notsa").state
    assert EDVR.arguments_of(state) == {"variant": "paper", "frames": 5, "attention": False}
    assert EDVR.arguments_of(small().state_dict()) == {
        "variant": "tiny", "frames": 5, "attention": True,
    }  # fmt: skip
    assert EDVR.arguments_of({}) is None


@torch.no_grad()
def test_a_step_is_a_frame_of_the_clip() -> None:
    network, clip = small(), torch.rand(1, 7, 3, 8, 12)
    whole = network(clip)
    step, _ = network.step(Window(clip[:, 1:6], 2, 2), {})
    torch.testing.assert_close(step, whole[:, 1:2])


@torch.no_grad()
def test_features_of_shared_frames_are_made_once() -> None:
    network, clip = small(), torch.rand(1, 7, 3, 7, 12)
    alone = [
        network.step(Window(clip[:, max(0, t - 2) : t + 3], min(2, t), min(2, 6 - t)), {})[0]
        for t in range(7)
    ]
    seen: list[int] = []
    network.conv_first.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    together = in_steps(network, clip)
    torch.testing.assert_close(together, torch.cat(alone, 1), atol=1e-6, rtol=0)
    assert sum(seen) == 7


@torch.no_grad()
def test_missing_neighbours_are_mirrored() -> None:
    network, clip = small(), torch.rand(1, 5, 3, 8, 8)
    first, _ = network.step(Window(clip[:, :3], 0, 2), {})
    torch.testing.assert_close(first, network(clip[:, [2, 1, 0, 1, 2]]))
    last, _ = network.step(Window(clip[:, 2:], 2, 0), {})
    torch.testing.assert_close(last, network(clip[:, [2, 3, 4, 3, 2]]))
    alone, _ = network.step(Window(clip[:, :1]), {})
    torch.testing.assert_close(alone, network(clip[:, [0, 0, 0, 0, 0]]))


@pytest.mark.parametrize("size", [(1, 1), (5, 11)])
@torch.no_grad()
def test_any_size(size: tuple[int, int]) -> None:
    high = small()(torch.rand(2, 5, 3, *size))
    assert high.shape == (2, 1, 3, size[0] * 4, size[1] * 4)
    assert high.isfinite().all()


def test_gradients_reach_every_parameter() -> None:
    network = small()
    assert_all_learn(network, network(torch.rand(1, 5, 3, 8, 8)).square().mean())


@torch.no_grad()
def test_bf16_is_close_to_float32() -> None:
    clip = torch.rand(1, 5, 3, 16, 16)
    close = small().bfloat16()(clip)
    assert close.dtype == torch.float32
    assert (small()(clip) - close).abs().max() < 0.05


def test_what_there_is_none_of_is_refused() -> None:
    with pytest.raises(ValueError, match="expected an odd number of frames, found 4"):
        EDVR(frames=4)
