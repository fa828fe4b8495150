"""Training of the denoiser of scans without clean scans: burst Noise2Noise with masks along rows.

One scan of a burst, the base, is what the network has to predict. It sees the other scans, and of
the base every second row or nothing: whole rows are hidden, because the noise of a row is one. What
noise hidden rows have cannot be told from what is seen, so the best guess is the surface alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from upreel.data.scan_simulator import Settings, SimulatedScan, simulate_scan
from upreel.inference.denoising import BURST, denoise, weigh
from upreel.metrics.scans import scan_psnr
from upreel.models.denoiser import Evidence, ScanDenoiser
from upreel.scans.bursts import Burst, fit_rows, join
from upreel.training.fitting import fit
from upreel.training.optim import make_optimizers
from upreel.training.schedule import rate_at
from upreel.training.tables import Positive, Rate, Table

HELD_OUT = 3
"""Seed of the simulated movies that are looked at while training."""
_SHORTEST = 4


class DenoiserRecipe(Table):
    """All that a run depends on.

    Attributes:
        method: which of the recipes for scans this is.
        seed: of the simulated movies and of every random choice.
        channels: of the network.
        movies: how many simulated ones are learned from.
        bases: scans of each movie that are predicted.
        size: side of a scan.
        moving: part of the movies with molecules that wander about.
        steps: of the whole run.
        batch: scans in a step.
        rate: greatest learning rate.
        final_rate: last one.
        average: what the moving average of weights keeps of its past.
        rows: what errors of the offsets and slopes of rows count beside those of pixels.
        blind: part of the scans whose base is hidden wholly.
        save_every: steps between checkpoints.
        validate_every: steps between scores.
        scored: how many movies the result is scored on.
    """

    method: Literal["noise2noise"] = "noise2noise"
    seed: int = 1
    channels: Positive = 16
    movies: Positive = 40
    bases: Positive = 2
    size: Positive = 64
    moving: Rate = 0.25
    steps: Positive = 600
    batch: Positive = 2
    rate: Rate = 2e-3
    final_rate: Rate = 1e-5
    average: Annotated[float, Field(ge=0, lt=1)] = 0.998
    rows: Rate = 0.3
    blind: Rate = 0.2
    save_every: Positive = 50
    validate_every: Positive = 200
    scored: Positive = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """One burst to learn from: maps of 16 bits, divided by the roughness.

    Attributes:
        maps: `(7, H, W)`: the fields of `Evidence`, and the base as it was recorded.
        noise: standard deviation of the noise of its pixels.
        rows: the same of the offsets of its rows.
    """

    maps: Tensor
    noise: float
    rows: float


@dataclass(frozen=True, slots=True)
class Batch:
    """What a step sees.

    Attributes:
        evidence: of its bursts.
        visible: `(B, 1, H, 1)`, 1 for the rows of the base that may be looked at.
        recorded: `(B, 1, H, W)`, the base as it was recorded.
        noise: `(B,)`, standard deviation of its pixels.
        rows: `(B,)`, standard deviation of the offsets of its rows.
    """

    evidence: Evidence
    visible: Tensor
    recorded: Tensor
    noise: Tensor
    rows: Tensor


def train_denoiser(
    recipe: DenoiserRecipe, out: Path, *, progress: Callable[[str], None] = lambda line: None
) -> ScanDenoiser:
    """Train, or go on from the checkpoint in a folder.

    Args:
        recipe: of the run.
        out: its folder: `checkpoint.pt` and `metrics.jsonl`.
        progress: is told lines about what happens.

    Returns:
        The network with the average of its weights.
    """
    torch.manual_seed(recipe.seed)
    network = ScanDenoiser(channels=recipe.channels)
    pool = Pool(recipe)

    def loss_of(step: int) -> Tensor:
        batch = pool.draw(step)
        return compare_hidden(network(batch.evidence, batch.visible), batch, rows=recipe.rows)

    def rate_of(step: int) -> float:
        return rate_at(
            step, steps=recipe.steps, peak=recipe.rate, final=recipe.final_rate, warm_up=100
        )

    return fit(
        network,
        make_optimizers(network, "muon", recipe.rate),
        loss_of,
        rate_of,
        steps=recipe.steps,
        out=out,
        average=recipe.average,
        save_every=recipe.save_every,
        validate_every=recipe.validate_every,
        validate=partial(validate, size=recipe.size),
        progress=progress,
    )


def compare_hidden(output: Tensor, batch: Batch, *, rows: float) -> Tensor:
    """How far the output lies from the hidden rows of the base, in parts of its noise.

    Offset and slope of each row's difference are taken apart from the rest: the recorded ones are
    far noisier than pixels are. Both are squared while small and grow linearly beyond two standard
    deviations, so that scars and spikes do not count for much.

    Args:
        output: `(B, 1, H, W)`.
        batch: what it was made from.
        rows: what offsets and slopes count.
    """
    hidden = 1 - batch.visible[:, 0, :, 0]
    noise = batch.noise[:, None, None]
    difference = (output - batch.recorded)[:, 0] / noise
    x = torch.linspace(-1, 1, difference.shape[-1])
    offset = difference.mean(-1, keepdim=True)
    slope = (difference * x).mean(-1, keepdim=True) / (x * x).mean()
    limit = 2 * batch.rows[:, None, None] / noise
    of_pixels = _bounded(difference - offset - slope * x, torch.full_like(noise, 2)).mean(-1)
    of_rows = (_bounded(offset, limit) + _bounded(slope, limit) / 3)[..., 0]
    each = of_pixels + rows * of_rows
    return (each * hidden).sum() / hidden.sum()


def _bounded(value: Tensor, limit: Tensor) -> Tensor:
    """Half the square of small values, linear beyond the limit (pseudo-Huber)."""
    return limit**2 * ((1 + (value / limit) ** 2).sqrt() - 1)


class Pool:
    """The bursts that a run learns from; each is simulated when it is first drawn."""

    def __init__(self, recipe: DenoiserRecipe) -> None:
        """Make an empty one."""
        self._recipe = recipe
        self._kept: dict[int, list[Sample]] = {}

    def draw(self, step: int) -> Batch:
        """The batch of a step, always the same."""
        recipe = self._recipe
        random = np.random.default_rng((recipe.seed, 1, step))
        samples = []
        for _ in range(recipe.batch):
            samples_of_movie = self._movie(int(random.integers(recipe.movies)))
            samples.append(samples_of_movie[int(random.integers(len(samples_of_movie)))])
        maps = torch.stack([sample.maps for sample in samples]).float()
        axes = [axis for axis in (2, 3) if random.random() < 0.5]
        maps = maps.flip(axes)
        before, after = random.permutation((4, 5))
        row = torch.arange(recipe.size)
        parity = torch.from_numpy(random.integers(0, 2, (recipe.batch, 1)))
        visible = ((row + parity) % 2).float()
        visible[torch.from_numpy(random.random(recipe.batch) < recipe.blind)] = 0
        parts = [maps[:, index : index + 1] for index in (0, 1, 2, 3, before, after, 6)]
        return Batch(
            Evidence(*parts[:6]),
            visible[:, None, :, None],
            parts[6],
            torch.tensor([sample.noise for sample in samples]),
            torch.tensor([sample.rows for sample in samples]),
        )

    def _movie(self, index: int) -> list[Sample]:
        recipe = self._recipe
        if index not in self._kept:
            movie = simulate_scan(
                (recipe.size, recipe.size),
                BURST,
                seed=recipe.seed,
                index=index,
                settings=Settings(moving=recipe.moving),
            )
            random = np.random.default_rng((recipe.seed, 2, index))
            self._kept[index] = [_sample(movie, random) for _ in range(recipe.bases)]
        return self._kept[index]


def _sample(movie: SimulatedScan, random: np.random.Generator) -> Sample:
    """A burst out of a movie, whole as often as shorter, and one of its scans as the base."""
    length = BURST if random.random() < 0.5 else int(random.integers(_SHORTEST, BURST))
    first = int(random.integers(BURST - length + 1))
    return make_sample(join(movie.heights[first : first + length], int(random.integers(length))))


def make_sample(burst: Burst) -> Sample:
    """What is learned from a burst; nothing in it is clean."""
    evidence, scale = weigh(burst)
    base = torch.from_numpy(burst.base / np.float32(scale))[None, None]
    maps = torch.cat([getattr(evidence, field.name) for field in fields(evidence)] + [base], 1)
    rows = float(fit_rows(burst.base - burst.mean).mean(1).std()) / scale
    noise = burst.noise / scale
    return Sample(maps[0].half(), max(noise, 1e-3), max(rows, noise / 4))


@lru_cache(maxsize=1)
def _held_out(size: int) -> Sequence[tuple[SimulatedScan, Burst]]:
    movies = [simulate_scan((size, size), BURST, seed=HELD_OUT, index=i) for i in range(5)]
    return [(movie, join(movie.heights, BURST // 2)) for movie in movies]


def validate(network: ScanDenoiser, size: int) -> float:
    """Mean PSNR on five simulated movies that are not learned from, in dB; only to look at."""
    scores = [
        scan_psnr(denoise(burst, network), movie.truth[BURST // 2])
        for movie, burst in _held_out(size)
    ]
    return float(np.mean(scores))
