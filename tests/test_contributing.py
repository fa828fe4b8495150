"""What CONTRIBUTING.md says about adding a network works: its example is run here."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from upreel.inference.loop import enlarge
from upreel.models import ZOO, upscaler_class
from upreel.models.bicubic import Bicubic
from upreel.models.tiled import Tiled
from upreel.models.weights import Provenance, build, save

CODE = re.findall(
    r"```python\n(.*?)```",
    (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8"),
    re.DOTALL,
)


@pytest.fixture
def _network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example as a module, with its line in the zoo."""
    (tmp_path / "sharpen.py").write_text(CODE[0])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(ZOO, "sharpen", "sharpen:Sharpen")
    monkeypatch.delitem(sys.modules, "sharpen", raising=False)


@pytest.mark.usefixtures("_network")
def test_the_network_enlarges_a_stream(tmp_path: Path) -> None:
    network = upscaler_class("sharpen")(scale=2)
    assert isinstance(network, nn.Module)
    frames = list(enumerate(torch.rand(3, 1, 13, 10)))
    enlarged = list(enlarge(network, frames))
    assert [label for label, _ in enlarged] == [0, 1, 2]
    assert all(frame.shape == (1, 26, 20) for _, frame in enlarged)
    nn.init.zeros_(network.detail.weight)
    nn.init.zeros_(network.detail.bias)
    for (_, ours), (_, bicubic) in zip(
        enlarge(network, frames), enlarge(Bicubic(2), frames), strict=True
    ):
        torch.testing.assert_close(ours, bicubic, rtol=0, atol=0)


@pytest.mark.usefixtures("_network")
def test_the_network_can_be_tiled_saved_and_loaded(tmp_path: Path) -> None:
    network = upscaler_class("sharpen")(scale=2)
    assert isinstance(network, nn.Module)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.half())  # files hold half precision
    provenance = Provenance(
        network="sharpen",
        arguments={"scale": 2},
        name="sharpen:test",
        scale=2,
        trained_on="nothing",
        recipe="none",
    )
    save(tmp_path / "sharpen.safetensors", network, provenance)
    loaded = build(tmp_path / "sharpen.safetensors")
    frames = list(enumerate(torch.rand(2, 1, 40, 36)))
    whole = [frame for _, frame in enlarge(network, frames)]
    for upscaler in (loaded, Tiled(loaded, 16)):
        for (_, frame), expected in zip(enlarge(upscaler, frames), whole, strict=True):
            torch.testing.assert_close(frame, expected, rtol=0, atol=2e-6)
