from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from upreel.ops.lucas_kanade import refine_flow


def waves(x: Tensor, y: Tensor) -> Tensor:
    """A texture whose value is known between pixels, too."""
    return 0.5 + 0.2 * (0.5 * x).sin() * (0.4 * y + 1).cos() + 0.1 * (0.3 * x + 0.45 * y).sin()


def pair(shift: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """A frame and its neighbour, so that `frame(p)` is `neighbour(p + shift)`."""
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(48.0), indexing="ij")
    return waves(x, y)[None, None], waves(x - shift[0], y - shift[1])[None, None]


@pytest.mark.parametrize("shift", [(0.3, -0.2), (-0.4, 0.0)])
def test_a_step_finds_a_small_shift(shift: tuple[float, float]) -> None:
    frame, neighbour = pair(shift)
    found = refine_flow(frame, neighbour, torch.zeros(1, 2, 40, 48))
    expected = torch.tensor(shift).view(1, 2, 1, 1)
    inside = (found - expected)[..., 8:-8, 8:-8]
    assert float(inside.norm(dim=1).mean()) < 0.06


def test_a_step_brings_flow_that_is_nearly_right_nearer() -> None:
    frame, neighbour = pair((3.3, -2.2))
    truth = torch.tensor([3.3, -2.2]).view(1, 2, 1, 1)
    begun = truth + torch.tensor([0.4, 0.3]).view(1, 2, 1, 1)
    found = refine_flow(frame, neighbour, begun.expand(1, 2, 40, 48))
    inside = (found - truth)[..., 8:-8, 8:-8]
    assert float(inside.norm(dim=1).mean()) < 0.1 < math.hypot(0.4, 0.3)


def test_where_there_is_nothing_to_see_flow_stays_as_it_is() -> None:
    flow = torch.randn(1, 2, 12, 12)
    flat = torch.full((1, 3, 12, 12), 0.4)
    torch.testing.assert_close(refine_flow(flat + 0.1, flat, flow), flow)


def test_the_gradient_reaches_the_frames_alone() -> None:
    random = torch.Generator().manual_seed(3)
    frames, neighbours = torch.rand(2, 1, 2, 9, 9, generator=random, dtype=torch.float64)
    flow = torch.rand(1, 2, 9, 9, generator=random, dtype=torch.float64)

    def refine(frames: Tensor) -> Tensor:
        return refine_flow(frames, neighbours, flow)

    assert torch.autograd.gradcheck(refine, (frames.requires_grad_(),))
    assert not refine_flow(frames.detach(), neighbours.requires_grad_(), flow).requires_grad
