"""What TPSR makes of motion along its profiles and across them, after a short training on lines."""

from __future__ import annotations

import math
from functools import cache

import pytest
import torch
from torch import Tensor

from upreel.losses.pixels import charbonnier
from upreel.models.tpsr import TPSR
from upreel.ops.resize import imresize
from upreel.training.schedule import rate_at
from upreel.training.tables import NetworkOptimizer

SIDE = 48
STEPS, RATE = 1200, 6e-3


def draw_lines(frames: int, motion: tuple[float, float], random: torch.Generator) -> Tensor:
    """Blurred lines that move by `motion` (x, y) a frame, in pixels, exactly: `(T, 3, H, W)`."""
    y, x = torch.meshgrid(*[torch.arange(SIDE) - SIDE / 2] * 2, indexing="ij")
    times = torch.arange(frames) - frames / 2
    clip = torch.full((frames, 3, SIDE, SIDE), 0.5)
    for _ in range(10):
        angle, place, width, *color = torch.rand(6, generator=random).tolist()
        angle, place = angle * math.pi, (place - 0.5) * 2 * SIDE
        along = (math.cos(angle) * motion[0] + math.sin(angle) * motion[1]) * times
        distance = math.cos(angle) * x + math.sin(angle) * y - place - along[:, None, None]
        line = torch.exp(-((distance / (1.5 + 2 * width)) ** 2))
        clip += line[:, None] * (torch.tensor(color) - 0.5).view(3, 1, 1)
    return clip.clamp(0, 1)


def make_pair(
    frames: int, speed: float, angle: float, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Lines that move by `speed` low pixels from one given frame to the next: low and high."""
    moved = 4 * speed / 2
    high = draw_lines(2 * frames - 1, (moved * math.cos(angle), moved * math.sin(angle)), random)
    low = torch.stack([imresize(frame, 1 / 4) for frame in high[::2]])
    return (low * 255).round() / 255, high


@cache
def train() -> TPSR:
    """In a minute or two of one thread."""
    torch.manual_seed(0)
    network, random = TPSR(variant="tiny"), torch.Generator().manual_seed(0)
    optimizers = NetworkOptimizer(name="muon", rate=RATE).make(network)
    weight = torch.full((5,), 1 / 5)
    for step in range(STEPS):
        draws = torch.rand(4, 2, generator=random).tolist()
        pairs = [make_pair(3, 4.5 * v, 2 * math.pi * angle, random) for v, angle in draws]
        low, high = (torch.stack(side) for side in zip(*pairs, strict=True))
        network.zero_grad()
        charbonnier(network(low), high, weight).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 0.5)
        rate = rate_at(step, steps=STEPS, peak=RATE, final=RATE / 50, warm_up=30, shape="cosine")
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group["factor"]
            optimizer.step()
    return network.eval().requires_grad_(False)


def psnr(made: Tensor, high: Tensor) -> Tensor:
    """Of each frame, without a border of 8."""
    inner = (..., slice(8, -8), slice(8, -8))
    return -10 * (made - high)[inner].square().mean((-3, -2, -1)).log10()


def gains(speed: float, angle: float) -> tuple[float, float]:
    """Over bicubic in given frames, and over bicubic of their mean in new ones, dB."""
    random, given, new = torch.Generator().manual_seed(9), [], []
    for _ in range(8):
        low, high = make_pair(4, speed, angle, random)
        mean = (low[1:] + low[:-1]) / 2
        floor = torch.empty_like(high)
        floor[::2], floor[1::2] = (imresize(frames, 4).clamp(0, 1) for frames in (low, mean))
        made = train()(low[None])[0].clamp(0, 1)
        gain = psnr(made, high) - psnr(floor, high)
        given.append(gain[::2].mean())
        new.append(gain[1::2].mean())
    return torch.stack(given).mean().item(), torch.stack(new).mean().item()


@pytest.mark.slow
@pytest.mark.parametrize(("angle", "least"), [(0.0, 1.0), (math.pi / 2, 0.5)])
@pytest.mark.parametrize("speed", [1.0, 3.0])
def test_lines_that_move_along_profiles_and_across_them_are_found(
    speed: float, angle: float, least: float
) -> None:
    given, new = gains(speed, angle)
    assert given >= 0.5
    assert new >= least


@pytest.mark.slow
def test_more_frames_do_not_harm() -> None:
    random, found = torch.Generator().manual_seed(3), []
    for _ in range(12):
        low, high = make_pair(8, 0.3, 0.0, random)
        long, short = train()(low[None])[0, 6:9], train()(low[None, 3:5])[0]
        found.append((psnr(long, high[6:9]) - psnr(short, high[6:9])).mean())
    assert torch.stack(found).mean() >= 0
