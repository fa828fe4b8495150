"""What it costs to begin a segment from an empty state, in decibels against one unbroken run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from torch import Tensor

from upreel.data.clips import Clip
from upreel.evaluation.evaluate import run
from upreel.evaluation.pairs import Pair, read_pair
from upreel.evaluation.protocols import find_protocol
from upreel.inference.plan import MOST_FRAMES, Plan
from upreel.inference.stages import Stages
from upreel.metrics.fidelity import psnr
from upreel.models.upscaler import Upscaler

AFTER = 16
"""Frames after a border that are looked at; what remains of the reset then is nothing."""
EVERY = 8
"""Frames from one border that is tried to the next, and at least before the first."""
FRAMES = 64
"""How many `measure_price` reads: the first scene of the bundled sample."""
PROTOCOL = "val-codec24-y8"
"""How low frames are made for `measure_price`: what users enlarge has been through a codec."""

Losses = list[list[float]]
"""For each border, what each of the frames after it loses, in dB."""


@dataclass(frozen=True, slots=True)
class Price:
    """What the frames after a border lose on average, in dB; below zero they gain.

    Attributes:
        borders: how many were tried.
        run_in: frames before a segment that are stepped first, as `Plan` wants them.
        bare: what the first frame loses without a run-in.
        first: what it loses with it.
        segment: what all frames of a segment of the usual length lose with it.
    """

    borders: int
    run_in: int
    bare: float
    first: float
    segment: float

    def __str__(self) -> str:
        return (
            f"the first frame of a segment loses {_round(self.first, 3)} dB against one unbroken "
            f"run, with a run-in of {self.run_in} frames ({_round(self.bare, 3)} dB without it); a "
            f"segment of {MOST_FRAMES} loses {_round(self.segment, 4)} dB (mean of {self.borders} "
            f"borders, {PROTOCOL})"
        )


def measure_price(upscaler: Upscaler, clip: Path) -> Price:
    """Measure what a border costs in the first frames of a clip, which have to be one scene.

    Args:
        upscaler: that is run, on the CPU.
        clip: a video; it is the truth, and what is enlarged is made of it.

    Raises:
        MediaError: the clip cannot be read.
    """
    protocol = replace(find_protocol(PROTOCOL, upscaler.spec.scale), frames=FRAMES)
    run_in = Plan.of(upscaler.spec).warm_up
    lost = find_losses(upscaler, read_pair(Clip(clip.name, clip), protocol), {0, run_in})
    usual = lost[run_in]
    return Price(len(usual), run_in, mean_of(lost[0], 1), mean_of(usual, 1), segment_mean(usual))


def find_losses(upscaler: Upscaler, pair: Pair, run_ins: Collection[int]) -> dict[int, Losses]:
    """Try borders in a clip of one scene, each with several lengths of the run-in.

    Args:
        upscaler: that is run.
        pair: of the scene.
        run_ins: frames before a segment that are stepped first.

    Returns:
        For each of them what is lost; nothing if the clip is too short for any border.
    """
    unbroken = _scores(upscaler, pair.low, pair.high)
    ahead = Plan.of(upscaler.spec).ahead
    found: dict[int, Losses] = {run_in: [] for run_in in run_ins}
    for border in range(max(EVERY, *run_ins), len(unbroken) - 3, EVERY):
        end = min(border + AFTER, len(unbroken))
        for run_in in run_ins:
            seen = slice(border - run_in, end + ahead)
            broken = _scores(upscaler, pair.low[seen], pair.high[seen])[run_in:]
            pairs = zip(unbroken[border:end], broken, strict=False)
            found[run_in].append([whole - other for whole, other in pairs])
    return found


def mean_of(losses: Losses, first: int) -> float:
    """The mean over the first frames after each border, in dB."""
    return fmean(loss for border in losses for loss in border[:first])


def segment_mean(losses: Losses) -> float:
    """The mean over a segment of the usual length, most of which loses nothing, in dB."""
    return sum(map(sum, losses)) / len(losses) / MOST_FRAMES


def _scores(upscaler: Upscaler, low: Sequence[Tensor], high: Sequence[Tensor]) -> list[float]:
    """PSNR of every frame when a run begins with the first."""
    outputs = run(upscaler, low, 0.0, Stages())
    return [
        psnr(output.clamp(0, 1), truth, border=8)
        for output, truth in zip(outputs, high, strict=True)
    ]


def _round(value: float, digits: int) -> str:
    """A figure without a minus before nothing but zeros."""
    return f"{round(value, digits) + 0.0:.{digits}f}"
