"""The loop gives a network the optical flow that its spec names."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor

from upreel.data.procedural import make_clip
from upreel.inference.loop import enlarge
from upreel.models.upscaler import Spec, State, Upscaler, Window, WithFlow
from upreel.ops.flow import FlowProvider, find_flow


class FlowAsFrame:
    """Returns the flow to the frame before as if it were an enlarged frame."""

    def __init__(self, provider: FlowProvider) -> None:
        self.spec = Spec(1, "rgb", past=1, inputs=frozenset({"flow"}), flow=provider)

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        return window.inputs["flow"][:, :, 0], state


@pytest.mark.parametrize("provider", get_args(FlowProvider))
@pytest.mark.parametrize("chosen", [True, False])
def test_flow_is_that_of_the_provider(provider: FlowProvider, chosen: bool) -> None:
    frames = torch.from_numpy(make_clip((32, 40), 2).frames).float() / 255
    network: Upscaler = FlowAsFrame("dis" if chosen else provider)
    if chosen:
        network = WithFlow(network, provider)
    first, second = (flow for _, flow in enlarge(network, enumerate(frames)))
    assert not first.any()
    expected = find_flow(frames[1:], frames[:1], provider=provider)[0]
    torch.testing.assert_close(second, expected, atol=0, rtol=0)
