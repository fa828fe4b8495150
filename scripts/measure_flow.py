"""How wrong each solver's optical flow is, and what it costs a network, on clips with true flow.

`python scripts/measure_flow.py [--clips N] [--size 320x180 ...] [--model NAME ...]` prints tables
in Markdown; those in docs/experiments.md were made with it. Each model gets the flow of every
provider and the true one, without being trained again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from upreel.data.procedural import Procedural, draw_scene, render
from upreel.inference.loop import enlarge
from upreel.metrics.fidelity import psnr
from upreel.models.upscaler import State, Upscaler, Window, WithFlow
from upreel.models.weights import load
from upreel.ops.color import rgb_to_ycbcr
from upreel.ops.flow import FlowProvider, find_flow
from upreel.ops.resize import imresize

PROVIDERS: tuple[FlowProvider, ...] = get_args(FlowProvider)
DISTANCES = (1, 3)
"""Frames from a frame to its neighbour; RBPN looks at neighbours up to three frames away."""
LOW, SCALE, FRAMES, BORDER = (90, 160), 4, 7, 8


def main() -> None:
    """Read the arguments and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=12, help="of each size")
    parser.add_argument("--size", action="append", help="of the frames, such as 320x180")
    parser.add_argument("--model", action="append", default=[], help="as upreel upscale has it")
    wishes = parser.parse_args()
    torch.set_num_threads(1)
    print(*error_rows(wishes.size or ["64x64", "320x180"], wishes.clips), sep="\n")
    if wishes.model:
        print("", *cost_rows(wishes.model, wishes.clips), sep="\n")


def make_scene(size: tuple[int, int], index: int, speed: float, frames: int) -> Procedural:
    """A clip of size (height, width) in which all is `speed` times as fast as usual."""
    layers = draw_scene(size, seed=0, index=index)
    moved = tuple(replace(layer, velocity=speed * layer.velocity) for layer in layers)
    return render(moved, size, frames)


def error_rows(sizes: Sequence[str], clips: int) -> list[str]:
    """The table of end-point errors, mean over pixels, and of times."""
    rows = [
        "| frame | flow | error, px | where visible | 3 frames away | where visible | ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for size in sizes:
        width, height = map(int, size.split("x"))
        pairs = [
            [make_scene((height, width), index, speed, 2) for index in range(clips)]
            for speed in DISTANCES
        ]
        for provider in PROVIDERS:
            find_flow(*to_pair(pairs[0][0]), provider=provider)  # what is only slow the first time
            found = [mean_errors(part, provider) for part in pairs]
            values = " | ".join(f"{value:.3f}" for *errors, _ in found for value in errors)
            milliseconds = sum(each for *_, each in found) / len(found)
            rows.append(f"| {size} | {provider} | {values} | {milliseconds:.1f} |")
    return rows


def to_pair(clip: Procedural) -> tuple[Tensor, Tensor]:
    """Both frames, RGB in 0..1."""
    first, second = torch.from_numpy(clip.frames).float() / 255
    return first[None], second[None]


def mean_errors(clips: Sequence[Procedural], provider: FlowProvider) -> tuple[float, float, float]:
    """The mean distance to the true flow, in pixels, and the time of this thread, in milliseconds.

    Returns:
        The distance for all pixels, and for those that the neighbour shows; the time of a pair.
    """
    errors, seen, seconds = [], [], 0.0
    for clip in clips:
        pair = to_pair(clip)
        began = time.process_time()
        flow = find_flow(*pair, provider=provider)[0].numpy()
        seconds += time.process_time() - began
        errors.append(np.linalg.norm(flow - clip.forward[0], axis=0))
        seen.append(~clip.hidden_next[0])
    error = np.stack(errors)
    visible = error[np.stack(seen)]
    return float(error.mean()), float(visible.mean()), 1000 * seconds / len(clips)


class TrueFlow:
    """An upscaler that is told how everything moves."""

    def __init__(self, inner: Upscaler, velocity: Tensor) -> None:
        """Wrap `inner`; `velocity` is `(T, 2, H, W)`, low pixels per frame, of the whole clip."""
        self.spec = replace(inner.spec, flow="zeros")
        self._inner, self._velocity, self._at = inner, velocity, 0

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge the middle of a window: see `Upscaler.step`."""
        flow = window.inputs["flow"].clone()
        for place in range(flow.shape[1]):
            offsets = [*range(-self.spec.past, 0), *range(1, self.spec.future + 1)]
            for slot, offset in enumerate(offsets):
                if 0 <= self._at + offset < len(self._velocity):
                    flow[:, place, slot] = offset * self._velocity[self._at]
            self._at += 1
        return self._inner.step(replace(window, inputs={"flow": flow}), state)


def cost_rows(models: Sequence[str], clips: int) -> list[str]:
    """The table of PSNR of each network with the flow of each provider, and with the true one."""
    names = ["true flow", *PROVIDERS]
    rows = [f"| network | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    high_size = (LOW[0] * SCALE, LOW[1] * SCALE)
    scenes = [make_scene(high_size, index, SCALE, FRAMES) for index in range(clips)]
    for model in models:
        network = load(model, SCALE)
        scores = np.mean([scores_of(network, scene) for scene in scenes], 0)
        rows.append(f"| {model} | {' | '.join(f'{score:.2f}' for score in scores)} |")
    return rows


def scores_of(network: Upscaler, scene: Procedural) -> list[float]:
    """PSNR, mean over frames: with the true flow, then with each provider's."""
    high = torch.from_numpy(scene.frames).float() / 255
    if network.spec.color == "luma":
        high = rgb_to_ycbcr(high, "smpte170m", "tv", 8)[:, :1]
    low = (imresize(high, 1 / SCALE) * 255).round().clamp(0, 255) / 255
    velocity = np.concatenate((scene.forward, -scene.backward[-1:]))
    small = F.avg_pool2d(torch.from_numpy(velocity), SCALE) / SCALE
    upscalers: list[Upscaler] = [TrueFlow(network, small)]
    upscalers += [WithFlow(network, provider) for provider in PROVIDERS]
    return [
        float(
            np.mean(
                [
                    psnr(frame.clamp(0, 1), high[index], border=BORDER)
                    for index, frame in enlarge(upscaler, enumerate(low))
                ]
            )
        )
        for upscaler in upscalers
    ]


if __name__ == "__main__":
    main()
