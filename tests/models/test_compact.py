from __future__ import annotations

import pytest
import torch

from upreel.models.compact import Compact
from upreel.models.upscaler import Color, Window


@pytest.mark.parametrize(("color", "planes"), [("rgb", 3), ("luma", 1)])
def test_a_stack_of_zeros_repeats_the_input(color: Color, planes: int) -> None:
    network = Compact(2, color=color, channels=8, layers=2)
    torch.nn.init.zeros_(network.last.weight)
    torch.nn.init.zeros_(network.last.bias)  # type: ignore[arg-type]
    clip = torch.rand(1, 2, planes, 5, 7)
    enlarged, state = network.step(Window(clip), {})
    assert torch.equal(enlarged, clip.repeat_interleave(2, -1).repeat_interleave(2, -2))
    assert state == {}


def test_its_size_is_that_of_the_published_network() -> None:
    # realesr-animevideov3, published as x4 with 16 layers of 64 channels, has 621,424 parameters.
    assert sum(p.numel() for p in Compact(4).parameters()) == 621_424


def test_half_precision_comes_close_and_leaves_float() -> None:
    torch.manual_seed(0)
    network = Compact(4, color="luma", channels=16, layers=3).requires_grad_(False)
    clip = torch.rand(1, 1, 1, 12, 10)
    exact = network(clip)
    rounded = network.to(torch.bfloat16)(clip)
    assert rounded.dtype == torch.float32
    assert float((rounded - exact).abs().max()) < 0.01


def test_a_pixel_reaches_as_far_as_the_halo() -> None:
    network = Compact(2, color="luma", channels=8, layers=2).requires_grad_(False)
    clip = torch.rand(1, 1, 1, 24, 24)
    changed = clip.clone()
    changed[..., 12, 12] += 1
    moved = (network(changed) - network(clip)).abs().amax((0, 1, 2, 3)).nonzero().flatten() // 2
    halo = network.spec.halo
    assert halo is not None
    assert 12 - int(moved.min()) <= halo
    assert int(moved.max()) - 12 <= halo
