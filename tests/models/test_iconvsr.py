import pytest
import torch

from tests.golden_case import Case
from tests.models.test_basicvsr import in_steps
from upreel.models.iconvsr import IconVSR


def small(**arguments: int) -> IconVSR:
    torch.manual_seed(0)
    return IconVSR(variant="tiny", **arguments).eval()


@pytest.mark.slow
def test_equals_the_authors() -> None:
    case, network = Case.read("iconvsr"), IconVSR(blocks=5, every=3, chunk=3)
    case.fill(network, kept=("mean", "std"))
    with torch.no_grad():
        case.compare("sr", network(case.inputs["frames"]))


def test_the_published_size() -> None:
    assert sum(weight.numel() for weight in IconVSR().parameters()) == 8_694_991


def test_arguments_are_read_off_published_weights() -> None:
    state = Case.read("iconvsr").state
    assert IconVSR.arguments_of(state) == {"features": 64, "blocks": 5, "side": 2}
    assert IconVSR.arguments_of({}) is None


@torch.no_grad()
def test_windows_that_see_the_end_are_the_whole_clip() -> None:
    clip = torch.rand(1, 5, 3, 9, 12)
    network = small(every=2, chunk=2, future=7)
    torch.testing.assert_close(in_steps(network, clip), network(clip), atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (5, 33)])
@torch.no_grad()
def test_any_size_and_any_length(size: tuple[int, int]) -> None:
    for frames in (1, 6):
        high = small()(torch.rand(1, frames, 3, *size))
        assert high.shape == (1, frames, 3, size[0] * 4, size[1] * 4)
        assert high.isfinite().all()


@torch.no_grad()
def test_bf16_is_close_to_float32() -> None:
    clip = torch.rand(1, 3, 3, 16, 16)
    close = small().bfloat16()(clip)
    assert close.dtype == torch.float32
    assert (small()(clip) - close).abs().max() < 0.05


def test_key_frames_of_all_windows_are_those_of_the_clip() -> None:
    with pytest.raises(ValueError, match="expected a chunk that is a multiple of 5, found 7"):
        IconVSR(chunk=7)
