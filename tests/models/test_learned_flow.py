from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from upreel.errors import UsageError, WeightsError
from upreel.models.basicvsr import BasicVSR
from upreel.models.bicubic import Bicubic
from upreel.models.learned_flow import WithLearnedFlow, read_spynet
from upreel.models.spynet import SPyNet
from upreel.models.upscaler import Input, Spec, State, Window


class Recorder:
    """An upscaler that keeps the window it was given."""

    spec = Spec(scale=1, color="luma", past=1, future=1, inputs=frozenset[Input]({"flow"}))
    seen: Window

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        self.seen = window
        return window.middle, state


def make_spynet() -> SPyNet:
    torch.manual_seed(0)
    network = SPyNet(channels=8)
    for level in network.basic_module:
        torch.nn.init.normal_(list(level.parameters())[-1])  # motion that differs by level
    return network.requires_grad_(False)


def test_a_network_is_given_the_flow_of_spynet() -> None:
    recorder, network = Recorder(), make_spynet()
    wrapped = WithLearnedFlow(recorder, network)
    assert wrapped.spec.flow == "zeros"
    clip = torch.rand(1, 3, 1, 20, 33)
    wrapped.step(Window(clip, 1, 1), {})
    before, now, after = clip.expand(-1, -1, 3, -1, -1).unbind(1)
    expected = torch.stack((network(now, before), network(now, after)), 1)[:, None]
    torch.testing.assert_close(recorder.seen.inputs["flow"], expected)
    wrapped.step(Window(clip[:, :2], 0, 1), {})
    assert not recorder.seen.inputs["flow"][:, :, 0].any(), "there is no frame before"


def test_a_network_that_needs_no_flow_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"to its neighbours for SPyNet, found another; choose .* by --flow"
    ):
        WithLearnedFlow(Bicubic(2), make_spynet())


@pytest.mark.parametrize("prefix", ["", "spynet.", "generator.spynet."])
def test_weights_alone_and_inside_a_network(tmp_path: Path, prefix: str) -> None:
    network, frames = make_spynet(), torch.rand(2, 1, 3, 12, 40)
    tensors = {f"{prefix}{key}": value for key, value in network.state_dict().items()}
    if not prefix:
        tensors = {key: value for key, value in tensors.items() if key not in {"mean", "std"}}
    else:
        tensors[f"{prefix.removesuffix('spynet.')}conv_last.weight"] = torch.zeros(1)
    torch.save({"params": tensors}, tmp_path / "w.pth")
    assert torch.equal(read_spynet(tmp_path / "w.pth")(*frames), network(*frames))


def test_files_without_spynet_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match=r"the weights of SPyNet in .*w.pth.*found 1 tensors"):
        read_spynet(path)
    state = BasicVSR(variant="tiny").state_dict()
    del state["spynet.basic_module.1.basic_module.0.weight"]
    state["spynet.basic_module.5.basic_module.0.weight"] = torch.zeros(3)
    torch.save(state, path)
    with pytest.raises(WeightsError, match="does not fit SPyNet"):
        read_spynet(path)
