"""What TPSR makes of motion along its profiles and across them, after a training on lines."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.models.lines import gains, make_pair, psnr, train
from upreel.models.tpsr import TPSR

GOLDEN = Path(__file__).parents[1] / "golden" / "tpsr-lines.safetensors"


@cache
def beginner() -> TPSR:
    """Trained in a minute or two of one thread."""
    torch.manual_seed(0)
    network = TPSR(variant="tiny")
    train(network, 1200, rate=6e-3, seed=0)
    return network.eval().requires_grad_(False)


@cache
def expert() -> TPSR:
    """Trained as the head of `lines` says."""
    network = TPSR(variant="tiny")
    network.load_state_dict(load_file(GOLDEN))
    return network.eval().requires_grad_(False)


@pytest.mark.slow
@pytest.mark.parametrize(("angle", "least"), [(0.0, 1.0), (math.pi / 2, 0.5)])
@pytest.mark.parametrize("speed", [1.0, 3.0])
def test_lines_that_move_along_profiles_and_across_them_are_found(
    speed: float, angle: float, least: float
) -> None:
    given, new = gains(beginner(), speed, angle, side=48, border=8)
    assert given >= 0.5
    assert new >= least


@pytest.mark.parametrize("speed", [1.0, 2.0, 3.0, 4.0])
@pytest.mark.parametrize(("angle", "least"), [(0.0, 1.5), (math.pi / 2, 0.5)])
def test_what_it_makes_of_lines_after_a_longer_training(
    speed: float, angle: float, least: float
) -> None:
    """The border is where lines come from that one of the two frames does not show."""
    given, new = gains(expert(), speed, angle, side=96, border=24)
    assert given >= 0.5
    assert new >= least


@pytest.mark.slow
def test_more_frames_do_not_harm() -> None:
    random, found = torch.Generator().manual_seed(3), []
    for _ in range(12):
        low, high = make_pair(8, 0.3, 0.0, random, side=48)
        long, short = beginner()(low[None])[0, 6:9], beginner()(low[None, 3:5])[0]
        found.append((psnr(long, high[6:9], border=8) - psnr(short, high[6:9], border=8)).mean())
    assert torch.stack(found).mean() >= 0
