"""How well scans are freed of noise: simulated movies, whose truth is known, and many methods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial

import numpy as np

from upreel.data.pseudo_truth import choose_scans, scale_burst
from upreel.data.scan_simulator import Settings, SimulatedScan, simulate_scan
from upreel.inference.denoising import BURST, denoise
from upreel.metrics.scans import (
    level,
    roughness,
    row_offset_variance,
    scan_psnr,
    scan_ssim,
    stripe_score,
)
from upreel.models.denoiser import ScanDenoiser
from upreel.scans.bursts import Burst, average, join
from upreel.scans.corrections import correct
from upreel.scans.registration import Combination, combine, find_shift, move
from upreel.scans.scan import Heights

Method = Callable[[Heights, int], Heights]
"""From a burst and the number of the scan in question to that scan without noise, `(H, W)`."""

SEED = 5
"""Of the movies that methods are compared on: nothing is trained on them, nor chosen by them but
the best of the classical chains, which is in their favour. 4 was looked at while this was made."""

_ROWS = (
    "rows-median",
    "rows-modus",
    "rows-polynomial-0",
    "rows-polynomial-1",
    "rows-polynomial-2",
    "rows-median-of-differences",
    "rows-median-of-differences+rows-facet",
)
CHAINS = (*_ROWS, "scars", *(f"{rows}+scars" for rows in _ROWS))
"""Classical corrections of a single scan. Planes are not in them: scores do not see these."""


@dataclass(frozen=True, slots=True)
class ScanScores:
    """What one method reaches on one movie.

    Attributes:
        psnr: in dB; the peak is the truth's range.
        ssim: structural similarity.
        stripes: absolute stripe score, heights scaled by the truth's range.
        row_offsets: variance of the offsets of rows in the error, as a part of the truth's Sq
            squared.
        roughness: Sq as a part of the truth's.
    """

    psnr: float
    ssim: float
    stripes: float
    row_offsets: float
    roughness: float


def score_scan(output: Heights, truth: Heights) -> ScanScores:
    """Compare one scan with its truth."""
    flat, flat_truth = (level(heights).astype(np.float32) for heights in (output, truth))
    scale = float(flat_truth.max() - flat_truth.min())
    return ScanScores(
        scan_psnr(output, truth),
        scan_ssim(output, truth),
        abs(stripe_score(flat / np.float32(scale))),
        row_offset_variance(flat - flat_truth) / roughness(truth) ** 2,
        roughness(output) / roughness(truth),
    )


def simulated_movies(count: int, *, moving: bool = False, seed: int = SEED) -> list[SimulatedScan]:
    """The movies to compare on: bursts of ten scans of 128x128.

    Args:
        count: how many; five are one of each kind of surface.
        moving: whether molecules wander about in all of them.
        seed: of the set.
    """
    settings = Settings(moving=1.0 if moving else 0.0)
    return [simulate_scan(seed=seed, index=index, settings=settings) for index in range(count)]


def score_methods(
    methods: Mapping[str, Method], movies: Iterable[SimulatedScan]
) -> dict[str, list[ScanScores]]:
    """Score every method on the middle scan of every movie."""
    scores: dict[str, list[ScanScores]] = {name: [] for name in methods}
    for movie in movies:
        middle = len(movie.heights) // 2
        for name, method in methods.items():
            output = method(movie.heights, middle)
            scores[name].append(score_scan(output, movie.truth[middle]))
    return scores


def mean_scores(scores: Sequence[ScanScores]) -> ScanScores:
    """The mean over movies, of the roughness too."""
    means = (np.mean([getattr(one, field.name) for one in scores]) for field in fields(ScanScores))
    return ScanScores(*map(float, means))


def baselines() -> Iterator[tuple[str, Method]]:
    """All that needs no training: the scan itself, means and medians, corrections, and both."""
    yield "base frame", _as_it_is
    combinations: tuple[Combination, ...] = ("mean", "median")
    for chain in CHAINS:
        yield chain, partial(_correct_one, chain=chain)
    for how in combinations:
        yield f"registered {how}", partial(combine, how=how)
        for chain in CHAINS:
            yield f"{chain}, then {how}", partial(_correct_then_combine, chain=chain, how=how)
            yield f"{how}, then {chain}", partial(_combine_then_correct, chain=chain, how=how)


def align_burst(heights: Heights, base: int) -> Heights:
    """Rows aligned over the whole burst, and the mean without outliers; no network."""
    return average(join(heights, base))


def with_network(network: ScanDenoiser) -> Method:
    """What `upreel denoise` does."""

    def method(heights: Heights, base: int) -> Heights:
        burst: Burst = join(heights[:BURST], base)
        return denoise(burst, network)

    return method


def take_best(heights: Heights, base: int) -> Heights:
    """The scan that would serve as the truth of this burst, see `data.pseudo_truth`, registered."""
    images = scale_burst(heights).images
    best = choose_scans(images, np.random.default_rng(0)).target
    if best == base:
        return np.asarray(heights[base])
    across, down = find_shift(heights[best], heights[base])
    moved = move(heights[best], -across, -down)
    return np.where(np.isnan(moved), heights[base], moved).astype(np.float32)


def _as_it_is(heights: Heights, base: int) -> Heights:
    return np.asarray(heights[base])


def _correct_one(heights: Heights, base: int, *, chain: str) -> Heights:
    return np.asarray(correct(heights[base : base + 1], chain)[0])


def _correct_then_combine(heights: Heights, base: int, *, chain: str, how: Combination) -> Heights:
    return combine(correct(heights, chain), base, how)


def _combine_then_correct(heights: Heights, base: int, *, chain: str, how: Combination) -> Heights:
    return np.asarray(correct(combine(heights, base, how)[None], chain)[0])
