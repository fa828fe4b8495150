"""Lines that move: what TPSR learns from, and is asked about.

`python -m tests.models.lines OUT.safetensors` trains the weights of `tests/golden/tpsr-lines`, in a
quarter of an hour of one thread.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from upreel.losses.pixels import charbonnier
from upreel.models.tpsr import TPSR
from upreel.ops.resize import imresize
from upreel.training.schedule import rate_at
from upreel.training.tables import NetworkOptimizer

FASTEST = 4.5
"""Low pixels from one given frame to the next."""


def draw_lines(
    frames: int, motion: tuple[float, float], random: torch.Generator, *, side: int
) -> Tensor:
    """Blurred lines that move by `motion` (x, y) a frame, in pixels, exactly: `(T, 3, H, W)`."""
    y, x = torch.meshgrid(*[torch.arange(side) - side / 2] * 2, indexing="ij")
    times = torch.arange(frames) - frames / 2
    clip = torch.full((frames, 3, side, side), 0.5)
    for _ in range(10):
        angle, place, width, *color = torch.rand(6, generator=random).tolist()
        angle, place = angle * math.pi, (place - 0.5) * 2 * side
        along = (math.cos(angle) * motion[0] + math.sin(angle) * motion[1]) * times
        distance = math.cos(angle) * x + math.sin(angle) * y - place - along[:, None, None]
        line = torch.exp(-((distance / (1.5 + 2 * width)) ** 2))
        clip += line[:, None] * (torch.tensor(color) - 0.5).view(3, 1, 1)
    return clip.clamp(0, 1)


def make_pair(
    frames: int, speed: float, angle: float, random: torch.Generator, *, side: int
) -> tuple[Tensor, Tensor]:
    """Lines that move by `speed` low pixels from one given frame to the next: low and high."""
    moved = 4 * speed / 2
    motion = (moved * math.cos(angle), moved * math.sin(angle))
    high = draw_lines(2 * frames - 1, motion, random, side=side)
    low = torch.stack([imresize(frame, 1 / 4) for frame in high[::2]])
    return (low * 255).round() / 255, high


def train(
    network: TPSR, steps: int, *, rate: float, seed: int, side: int = 48, power: float = 1.0
) -> None:
    """Let it learn, a twentieth of a second of one thread for each step of a side of 48.

    Args:
        network: with weights to begin with.
        steps: how many.
        rate: the largest.
        seed: of the lines.
        side: of the clips, high pixels.
        power: speeds are `FASTEST` times a number between 0 and 1, to this power.
    """
    random, weight = torch.Generator().manual_seed(seed), torch.full((5,), 1 / 5)
    optimizers = NetworkOptimizer(name="muon", rate=rate).make(network)
    for step in range(steps):
        draws = torch.rand(4, 2, generator=random).tolist()
        pairs = [
            make_pair(3, FASTEST * v**power, 2 * math.pi * angle, random, side=side)
            for v, angle in draws
        ]
        low, high = (torch.stack(part) for part in zip(*pairs, strict=True))
        network.zero_grad()
        charbonnier(network(low), high, weight).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 0.5)
        now = rate_at(step, steps=steps, peak=rate, final=rate / 50, warm_up=30, shape="cosine")
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = now * group["factor"]
            optimizer.step()


def psnr(made: Tensor, high: Tensor, *, border: int) -> Tensor:
    """Of each frame, without a border."""
    inner = (..., slice(border, -border), slice(border, -border))
    return -10 * (made - high)[inner].square().mean((-3, -2, -1)).log10()


def gains(
    network: TPSR, speed: float, angle: float, *, side: int, border: int
) -> tuple[float, float]:
    """Over bicubic in given frames, and over bicubic of their mean in new ones, dB."""
    random, given, new = torch.Generator().manual_seed(9), [], []
    for _ in range(8):
        low, high = make_pair(4, speed, angle, random, side=side)
        mean = (low[1:] + low[:-1]) / 2
        floor = torch.empty_like(high)
        floor[::2], floor[1::2] = (imresize(frames, 4).clamp(0, 1) for frames in (low, mean))
        made = network(low[None])[0].clamp(0, 1)
        gain = psnr(made, high, border=border) - psnr(floor, high, border=border)
        given.append(gain[::2].mean())
        new.append(gain[1::2].mean())
    return torch.stack(given).mean().item(), torch.stack(new).mean().item()


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    learner = TPSR(variant="tiny")
    train(learner, 10_000, rate=6e-3, seed=0)
    train(learner, 4_000, rate=2e-3, seed=1, side=64, power=0.5)  # fast ones are harder
    save_file(
        {name: value.half() for name, value in learner.state_dict().items()}, Path(sys.argv[1])
    )
