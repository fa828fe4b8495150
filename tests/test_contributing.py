"""What CONTRIBUTING.md says works: its examples are run here."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import nn

from tests.video.media import write_video
from upreel.inference.loop import enlarge
from upreel.losses import LOSSES, Loss
from upreel.models import ZOO, upscaler_class
from upreel.models.tiled import Tiled
from upreel.models.upscaler import Upscaler
from upreel.models.weights import Provenance, build, save
from upreel.training.recipe import read_recipe
from upreel.training.trainer import train

TEXT = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
(RECIPE,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def _network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example as a module, with its line in the zoo."""
    (tmp_path / "sharpen.py").write_text(CODE[0])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(ZOO, "sharpen", "sharpen:Sharpen")
    monkeypatch.delitem(sys.modules, "sharpen", raising=False)


def make_network(*, scale: int) -> tuple[Upscaler, nn.Module]:
    """The network, seen as an upscaler and as a module."""
    made = cast("Callable[..., Upscaler]", upscaler_class("sharpen"))(scale=scale)
    assert isinstance(made, nn.Module)
    return cast(Upscaler, made), made


@pytest.mark.usefixtures("_network")
def test_the_network_enlarges_a_stream(tmp_path: Path) -> None:
    network, module = make_network(scale=2)
    frames = list(enumerate(torch.rand(3, 1, 13, 10)))
    enlarged = list(enlarge(network, frames))
    assert [label for label, _ in enlarged] == [0, 1, 2]
    assert all(frame.shape == (1, 26, 20) for _, frame in enlarged)
    whole = module(torch.stack([frame for _, frame in frames])[None])
    torch.testing.assert_close(whole[0], torch.stack([frame for _, frame in enlarged]))


@pytest.mark.usefixtures("_network")
def test_the_network_can_be_tiled_saved_and_loaded(tmp_path: Path) -> None:
    network, parameters = make_network(scale=2)
    with torch.no_grad():
        for parameter in parameters.parameters():
            parameter.copy_(parameter.half())  # files hold half precision
    provenance = Provenance(
        network="sharpen",
        arguments={"scale": 2},
        name="sharpen:test",
        scale=2,
        trained_on="nothing",
        recipe="none",
    )
    save(tmp_path / "sharpen.safetensors", parameters, provenance)
    loaded = build(tmp_path / "sharpen.safetensors")
    frames = list(enumerate(torch.rand(2, 1, 40, 36)))
    whole = [frame for _, frame in enlarge(network, frames)]
    for upscaler in (loaded, Tiled(loaded, 16)):
        for (_, frame), expected in zip(enlarge(upscaler, frames), whole, strict=True):
            torch.testing.assert_close(frame, expected, rtol=0, atol=2e-6)


def test_the_loss_is_one_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "squared.py").write_text(CODE[1])
    monkeypatch.syspath_prepend(tmp_path)
    loss: Loss = import_module("squared").squared_error
    truth, weight = torch.zeros(2, 3, 1, 4, 4), torch.tensor([0.2, 0.3, 0.5])
    torch.testing.assert_close(loss(truth + 0.5, truth, weight), torch.tensor(0.25))
    assert all(known(truth + 0.5, truth, weight).shape == () for known in LOSSES.values())


@pytest.mark.usefixtures("_network")
def test_the_recipe_trains_the_network(tmp_path: Path) -> None:
    (tmp_path / "sharpen.toml").write_text(RECIPE)
    short = [
        "stages=[{steps=2, batch=1, crop=8, frames=2}]",
        "data.frames=4",
        "data.strides=1",
        "protocol=val-bi-y8",
    ]
    recipe = read_recipe(tmp_path / "sharpen.toml", short)
    (tmp_path / "clips").mkdir()
    write_video(tmp_path / "clips" / "a.mp4", 6, size=(64, 64))
    weights = train(recipe, data=tmp_path / "clips", out=tmp_path / "run")
    assert build(weights).spec.scale == 4
