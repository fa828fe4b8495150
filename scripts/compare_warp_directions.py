"""Which way should DFlow's flow be trained: `python scripts/compare_warp_directions.py OUT`.

Small networks see the same procedural clips in the same order, with the loss `own-motion` in the
published direction, in the corrected one, and without it. Then they enlarge other procedural clips,
whose motion is known, and print how well, and how far their flow is from that motion. Runs that are
in OUT already are not made again.

Finding motion takes longer than that. So networks are also given the flow that each direction asks
for: the motion, its opposite, or none. For each seed, one network learns to enlarge single frames;
from there the three go on through the same clips, where things move twice as fast as above, so that
a network which cannot align gains little from its neighbours. `--given` does this part alone.
Half an hour of one core in all, each part half of it.
"""

from __future__ import annotations

import sys
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.data.degradations import CHAINS, degrade
from upreel.data.procedural import draw_scene, render
from upreel.models.bicubic import Bicubic
from upreel.models.dflow import DFlow
from upreel.models.weights import build
from upreel.training.export import weights_path
from upreel.training.optim import make_optimizers
from upreel.training.recipe import read_recipe
from upreel.training.schedule import rate_at
from upreel.training.trainer import train

_CHARBONNIER = "{name='charbonnier', options={eps=1e-6}}"
_MOTION = "{name='own-motion', weight=0.1, options={direction='%s'}}"
LOSSES = {
    "none": f"losses=[{_CHARBONNIER}]",
    "published": f"losses=[{_CHARBONNIER}, {_MOTION % 'published'}]",
    "corrected": f"losses=[{_CHARBONNIER}, {_MOTION % 'corrected'}]",
}
SEEDS = (1, 2)
FASTER = 2  # than procedural clips are: up to 1.5 low pixels per frame
CHANGES = (
    "stages=[{steps=400, batch=4, crop=16, frames=4}]",
    "optimizer.name=muon",
    f"data.strides={FASTER}",
)
CLIPS, FRAMES, SIZE = 8, 5, (128, 128)
POOL = 60
SIGNS = {"none": 0, "published": -1, "corrected": 1}
GIVEN_FASTER = 4  # up to 3 low pixels per frame
GIVEN_SEEDS = (1, 2)
SINGLE_STEPS, GIVEN_STEPS = 500, 350


@dataclass(frozen=True, slots=True)
class Truth:
    """A clip and its motion.

    Attributes:
        low: `(1, T, 3, h, w)`.
        high: `(1, T, 3, H, W)`.
        motion: `(T - 1, 2, 2, h, w)`: of the later frame of each pair to the earlier, and back.
        seen: `(T - 1, 2, h, w)`: where both frames show it.
    """

    low: Tensor
    high: Tensor
    motion: Tensor
    seen: Tensor


def main(out: Path) -> None:
    """Train what is missing, measure all."""
    torch.set_num_threads(1)
    truths = [draw_truth(index) for index in range(CLIPS)]
    still = torch.cat([t.motion.norm(dim=2)[t.seen] for t in truths]).mean()
    plain = sum(psnr(Bicubic(4)(t.low), t.high) for t in truths) / CLIPS
    print(f"bicubic: {plain:.2f} dB; mean motion {still:.3f} low pixels per frame")
    for name, losses in LOSSES.items():
        for seed in SEEDS:
            path = make_network(losses, out / f"{name}-{seed}", seed)
            with torch.inference_mode():
                print(f"{name}, seed {seed}: {measure(cast(DFlow, build(path)), truths)}")
    compare_given_flow()


def compare_given_flow() -> None:
    """Train networks with each sign of the motion, and print what they are worth."""
    torch.set_num_threads(1)
    truths = [draw_truth(index, faster=GIVEN_FASTER) for index in range(CLIPS)]
    pool = [draw_truth(index, seed=1, faster=GIVEN_FASTER) for index in range(POOL)]
    plain = sum(psnr(Bicubic(4)(t.low), t.high) for t in truths) / CLIPS
    print(f"given flow: bicubic {plain:.2f} dB")
    for seed in GIVEN_SEEDS:
        torch.manual_seed(seed)
        start = GivenFlow(variant="tiny")
        fit(start, pool, seed=seed, steps=SINGLE_STEPS, frames=1, batch=8)
        report(f"single frames, seed {seed}", start, truths, sign=0)
        for name, sign in SIGNS.items():
            network = deepcopy(start)
            fit(network, pool, seed=seed, steps=GIVEN_STEPS, frames=FRAMES, batch=2, sign=sign)
            report(f"given, {name}, seed {seed}", network, truths, sign=sign)


def make_network(losses: str, out: Path, seed: int) -> Path:
    """The weights of a run, which is made if it is not there."""
    recipe = read_recipe("dflow-x4-stage1-smoke", [*CHANGES, losses, f"seed={seed}"])
    path = weights_path(recipe, out)
    return path if path.exists() else train(recipe, data=Path("procedural"), out=out, resume=True)


class GivenFlow(DFlow):
    """Of clips whose flow is known.

    Attributes:
        given: as `Truth.motion`, for each clip of a batch.
    """

    given: Tensor

    def _advance(self, seen: list[Tensor], place: int, flow: Tensor, *, known: bool) -> Tensor:
        return self.given[:, place - 1, 0]

    def _retreat(self, seen: list[Tensor], place: int, flow: Tensor) -> Tensor:
        return self.given[:, place, 1]


def fit(
    network: GivenFlow,
    pool: list[Truth],
    *,
    seed: int,
    steps: int,
    frames: int,
    batch: int,
    sign: int = 0,
) -> None:
    """Train with `sign` times the true motion."""
    random = np.random.default_rng(seed)
    optimizers = make_optimizers(network, "muon", 4e-3)
    for step in range(steps):
        for optimizer in optimizers:
            rate = rate_at(step, steps=steps, peak=4e-3, final=1e-5, warm_up=20)
            for group in optimizer.param_groups:
                group["lr"] = rate
        low, high, motion = draw_batch(random, pool, count=batch)
        network.given = sign * motion
        output = network(low[:, :frames])
        loss = ((output - high[:, :frames]).square() + 1e-12).sqrt().mean()
        network.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 0.5)
        for optimizer in optimizers:
            optimizer.step()


def report(name: str, network: GivenFlow, truths: list[Truth], *, sign: int) -> None:
    """Print PSNR of the middle frame, which has two neighbours on each side, for each clip."""
    scores = []
    with torch.inference_mode():
        for truth in truths:
            network.given = sign * truth.motion[None]
            middle = slice(FRAMES // 2, FRAMES // 2 + 1)
            scores.append(psnr(network(truth.low)[:, middle], truth.high[:, middle]))
    each = " ".join(f"{score:.2f}" for score in scores)
    print(f"{name}: {sum(scores) / len(scores):.3f} dB ({each})", flush=True)


def draw_batch(
    random: np.random.Generator, pool: list[Truth], *, count: int, crop: int = 24
) -> tuple[Tensor, Tensor, Tensor]:
    """Crops, their large frames, and their motion."""
    lows, highs, motions = [], [], []
    for _ in range(count):
        truth = pool[random.integers(len(pool))]
        y, x = random.integers([side // 4 - crop + 1 for side in SIZE])
        lows.append(truth.low[0, ..., y : y + crop, x : x + crop])
        high = truth.high[0, ..., 4 * y : 4 * (y + crop), 4 * x : 4 * (x + crop)]
        highs.append(high)
        motions.append(truth.motion[..., y : y + crop, x : x + crop])
    return torch.stack(lows), torch.stack(highs), torch.stack(motions)


def draw_truth(index: int, *, seed: int = 77, faster: float = FASTER) -> Truth:
    """A clip, of a seed that the recipe's training does not draw."""
    layers = tuple(
        replace(layer, velocity=faster * layer.velocity)
        for layer in draw_scene(SIZE, seed=seed, index=index)
    )
    clip = render(layers, SIZE, FRAMES)
    low = degrade(clip.frames, CHAINS["BI"], scale=4)
    motion = torch.stack([torch.from_numpy(flow) for flow in (clip.backward, clip.forward)], 1)
    hidden = torch.stack(
        [torch.from_numpy(where) for where in (clip.hidden_before, clip.hidden_next)], 1
    )
    return Truth(
        torch.from_numpy(low)[None].float() / 255,
        torch.from_numpy(clip.frames)[None].float() / 255,
        F.avg_pool2d(motion.flatten(0, 1), 4).view(*motion.shape[:3], *low.shape[-2:]) / 4,
        F.avg_pool2d(hidden.float(), 4) == 0,
    )


def measure(network: DFlow, truths: list[Truth]) -> str:
    """A line about a network."""
    quality, errors, opposite = 0.0, [], []
    for truth in truths:
        high, motion = network.enlarge_with_motion(truth.low)
        quality += psnr(high, truth.high) / len(truths)
        found = torch.stack((motion[0, 1:, 0], motion[0, :-1, 1]), 1)
        errors.append((found - truth.motion).norm(dim=2)[truth.seen])
        opposite.append((found + truth.motion).norm(dim=2)[truth.seen])
    return (
        f"{quality:.2f} dB; its flow is {torch.cat(errors).mean():.3f} pixels from the motion, "
        f"{torch.cat(opposite).mean():.3f} from the opposite"
    )


def psnr(output: Tensor, truth: Tensor) -> float:
    """Of RGB, rounded to 8 bits, the mean of frames."""
    error = ((output * 255).round().clamp(0, 255) / 255 - truth).square()
    return float(-10 * error.mean((0, 2, 3, 4)).log10().mean())


if __name__ == "__main__":
    if sys.argv[1] == "--given":
        compare_given_flow()
    else:
        main(Path(sys.argv[1]))
