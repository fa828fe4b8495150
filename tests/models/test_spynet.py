import pytest
import torch

from tests.golden_case import Case
from upreel.models.spynet import SPyNet, rename


@pytest.mark.parametrize("name", ["spynet_32", "spynet_odd"])
def test_equals_the_authors(name: str) -> None:
    case, network = Case.read(name), SPyNet()
    case.fill(network, kept=("mean", "std"))
    with torch.no_grad():
        case.compare("flow", network(case.inputs["ref"], case.inputs["supp"]))


def test_has_as_many_weights_as_published() -> None:
    assert sum(weight.numel() for weight in SPyNet().parameters()) == 1_440_300


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (32, 32), (33, 7)])
def test_takes_any_size(size: tuple[int, int]) -> None:
    frames = torch.rand(2, 2, 3, *size)
    flow = SPyNet()(*frames)
    assert flow.shape == (2, 2, *size)
    assert flow.isfinite().all()


def test_names_of_mmagic_are_understood() -> None:
    named = Case.read("basicvsrpp_palindrome").state
    own = rename({k.removeprefix("spynet."): v for k, v in named.items() if "spynet" in k})
    assert own.keys() == {key for key, _ in SPyNet().named_parameters()}
    layer = "basic_module.3.basic_module"
    assert torch.equal(own[f"{layer}.8.bias"], named[f"spynet.{layer}.4.conv.bias"])
    assert rename(own) == own


def test_bf16_keeps_the_flow_in_float32() -> None:
    case, network = Case.read("spynet_odd"), SPyNet()
    case.fill(network, kept=("mean", "std"))
    with torch.no_grad():
        flow = network.bfloat16()(case.inputs["ref"], case.inputs["supp"])
    assert flow.dtype == torch.float32
    torch.testing.assert_close(flow, case.outputs["flow"], atol=0.1, rtol=0.02)
