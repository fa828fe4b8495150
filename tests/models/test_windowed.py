"""Networks that want the whole clip, in windows: the bound that their spec states."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import Tensor, nn

from tests.models.test_basicvsr import in_steps
from upreel.core.windows import windows
from upreel.data.procedural import draw_scene, render
from upreel.inference.motion import MotionFinder
from upreel.models import ZOO, upscaler_class
from upreel.models.clear import Clear
from upreel.models.upscaler import State, Upscaler, Window
from upreel.models.weights import load
from upreel.ops.flow import flow_to_neighbours

NETWORKS = ("dflow", "basicvsr", "basicvsrpp", "iconvsr")


def make(name: str, *, future: int | None = None) -> nn.Module:
    """A small one with windows of five frames, and the frames ahead that it has by default."""
    torch.manual_seed(0)
    ahead = {} if future is None else {"future": future}
    network = cast("type[nn.Module]", upscaler_class(name))(variant="tiny", chunk=5, **ahead)
    for key, tensor in network.named_parameters():
        if "conv_offset" in key:  # zero before training
            nn.init.normal_(tensor, std=0.02)
    return network.eval()


def worst_frame(network: nn.Module, clip: Tensor) -> float:
    """PSNR of windows against the whole clip, of the frame that differs most, in dB."""
    difference = in_steps(cast(Upscaler, network), clip) - network(clip)
    return float(-10 * difference.square().mean((0, 2, 3, 4)).max().log10())


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_windows_stay_within_the_stated_bound_of_the_whole_clip(name: str) -> None:
    scene = render(draw_scene((16, 24), seed=3, index=0), (16, 24), 15)
    clip = torch.from_numpy(scene.frames)[None].float() / 255
    network = make(name)
    stated = cast(Upscaler, network).spec.windowed
    assert stated is not None
    found = worst_frame(network, clip)
    assert found >= stated
    assert worst_frame(make(name, future=0), clip) < found - 15, "frames ahead have no effect"


@torch.no_grad()
def test_clear_stays_within_its_bound_along_flow() -> None:
    scene = render(draw_scene((24, 32), seed=3, index=0), (24, 32), 15)
    clip = torch.from_numpy(scene.frames)[None].float().mean(2, keepdim=True) / 255
    network = load("clear:clean", 4)
    assert isinstance(network, Clear)
    network.chunk = 5
    flow = flow_to_neighbours(clip, 0, 0, past=1, future=1, provider="dis-double")
    made, state = [], State()
    finder = MotionFinder(network.spec)
    spec = network.spec
    for span in windows(range(15), past=spec.past, future=spec.future, step=spec.step):
        frames = clip[:, span.items[0] : span.items[-1] + 1]
        inputs = finder.inputs(frames, span.items[0], span.past, span.future)
        out, state = network.step(Window(frames, span.past, span.future, inputs), state)
        made.append(out)
    difference = torch.cat(made, 1) - network(clip, flow)
    worst = float(-10 * difference.square().mean((0, 2, 3, 4)).max().log10())
    assert spec.windowed is not None
    assert spec.windowed <= worst < 120, "frames that lie beyond windows have no effect"


def test_all_of_them_are_here() -> None:
    stating = {name for name in ZOO if upscaler_class(name)().spec.windowed is not None}
    assert stating == {*NETWORKS, "clear"}
