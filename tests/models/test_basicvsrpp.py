import pytest
import torch
from torch import nn

from tests.golden_case import Case
from tests.models.promises import assert_all_learn, assert_declared
from tests.models.test_basicvsr import in_steps
from upreel.models.basicvsr import rename
from upreel.models.basicvsrpp import BasicVSRPlusPlus
from upreel.models.upscaler import Window


def small(**arguments: int) -> BasicVSRPlusPlus:
    """With offsets that are not zero, unlike those that training begins with."""
    torch.manual_seed(0)
    network = BasicVSRPlusPlus(variant="tiny", **arguments).eval()
    for name, tensor in network.named_parameters():
        if "conv_offset.6" in name:
            nn.init.normal_(tensor, std=0.1)
    return network


def test_equals_the_authors() -> None:
    case, network = Case.read("basicvsrpp_palindrome"), BasicVSRPlusPlus(features=32, blocks=2)
    case.fill(network, rename, kept=("mean", "std"))
    with torch.no_grad():
        case.compare("sr", network(case.inputs["frames"]))


@pytest.mark.slow
def test_equals_the_authors_at_the_published_size() -> None:
    case, network = Case.read("basicvsrpp"), BasicVSRPlusPlus()
    case.fill(network, rename, kept=("mean", "std"))
    with torch.no_grad():
        case.compare("sr", network(case.inputs["frames"]))


def test_the_published_size() -> None:
    network = BasicVSRPlusPlus()
    assert sum(weight.numel() for weight in network.parameters()) == 7_322_927


def test_arguments_are_read_off_published_weights() -> None:
    state = rename(Case.read("basicvsrpp_palindrome").state)
    assert BasicVSRPlusPlus.arguments_of(state) == {"features": 32, "blocks": 2}
    assert BasicVSRPlusPlus.arguments_of({}) is None


@pytest.mark.parametrize("chunk", [1, 2])
@torch.no_grad()
def test_windows_that_see_the_end_are_the_whole_clip(chunk: int) -> None:
    clip = torch.rand(1, 6, 3, 9, 12)
    network = small(chunk=chunk, future=6)
    torch.testing.assert_close(in_steps(network, clip), network(clip), atol=1e-5, rtol=0)


@torch.no_grad()
def test_windows_that_see_two_frames_ahead_are_almost_the_whole_clip() -> None:
    """The first weights: 78 dB for the last frame of a window that sees none, 88 with two."""
    network, clip = small(), torch.rand(1, 6, 3, 9, 12)
    whole = network(clip)
    none, two = (
        (in_steps(small(chunk=3, future=future), clip) - whole)[:, 2].square().mean()
        for future in (0, 2)
    )
    assert 10**-8.3 < none < 10**-7
    assert two < 10**-8.3


@pytest.mark.parametrize("size", [(1, 1), (5, 33)])
@torch.no_grad()
def test_any_size_and_any_length(size: tuple[int, int]) -> None:
    for frames in (1, 3):
        high = small()(torch.rand(2, frames, 3, *size))
        assert high.shape == (2, frames, 3, size[0] * 4, size[1] * 4)
        assert high.dtype == torch.float32
        assert high.isfinite().all()


@torch.no_grad()
def test_the_state_is_what_the_spec_says() -> None:
    network = small()
    _, state = network.step(Window(torch.rand(2, 2, 3, 8, 6), 0, 1), {})
    assert_declared(state, network.spec, batch=2, height=8, width=6)


def test_gradients_reach_every_parameter() -> None:
    network = small()
    assert_all_learn(network, network(torch.rand(1, 3, 3, 8, 8)).square().mean())


@torch.no_grad()
def test_bf16_is_close_to_float32() -> None:
    clip = torch.rand(1, 3, 3, 16, 16)
    exact = small()(clip)
    close = small().bfloat16()(clip)
    assert close.dtype == torch.float32
    assert (exact - close).abs().max() < 0.03


def test_another_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a scale of 4, found 2"):
        BasicVSRPlusPlus(2)
