"""Score upscalers on clips, through the same loop that users run."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean

from torch import Tensor

from upreel.data.clips import find_clips
from upreel.errors import UsageError
from upreel.evaluation.baselines import find_baselines
from upreel.evaluation.pairs import Pair, read_pair
from upreel.evaluation.protocols import Protocol
from upreel.evaluation.report import ClipScore, Report, Row
from upreel.inference.loop import enlarge
from upreel.metrics import farneback, psnr, ssim, tof
from upreel.models.upscaler import Upscaler

log = logging.getLogger(__name__)


def evaluate(upscalers: Mapping[str, Upscaler], protocol: Protocol, data: Path) -> Report:
    """Score upscalers, below the baselines, on the validation clips of a folder.

    Args:
        upscalers: each with the name of its row.
        protocol: how.
        data: see `find_clips`.

    Raises:
        UsageError: an upscaler does not fit the protocol.
        MediaError: there are no clips, or one cannot be read.
    """
    return score({**find_baselines(protocol), **upscalers}, protocol, data)


def score(upscalers: Mapping[str, Upscaler], protocol: Protocol, data: Path) -> Report:
    """The same without baselines."""
    for name, upscaler in upscalers.items():
        check_fit(name, upscaler, protocol)
    rows: dict[str, list[ClipScore]] = {name: [] for name in upscalers}
    for clip in find_clips(data):
        log.info("scoring on %s", clip.name)
        scores = score_clip(upscalers.values(), read_pair(clip, protocol), protocol)
        for row, found in zip(rows.values(), scores, strict=True):
            row.append(found)
    return Report(protocol, tuple(Row(name, tuple(scores)) for name, scores in rows.items()))


def check_fit(name: str, upscaler: Upscaler, protocol: Protocol) -> None:
    """Refuse an upscaler that the protocol does not describe.

    Raises:
        UsageError: its scale, its rate or its colours are others.
    """
    spec = upscaler.spec
    if (spec.scale, spec.rate, spec.color) != (protocol.scale, 1, "luma"):
        raise UsageError(
            f"{protocol.name} scores luma at x{protocol.scale}, frame by frame, but {name} gives "
            f"{spec.color} at x{spec.scale} and {spec.rate} frame(s) for each; "
            "choose another model or --scale"
        )


def score_clip(
    upscalers: Iterable[Upscaler], pair: Pair, protocol: Protocol
) -> Iterator[ClipScore]:
    """Score upscalers on one clip, in their order; one that is given twice is run once."""
    motion = _motion(pair.high)
    done: dict[int, ClipScore] = {}
    for upscaler in upscalers:
        if id(upscaler) not in done:
            done[id(upscaler)] = _score(upscaler, pair, motion, protocol.border)
        yield done[id(upscaler)]


def _score(upscaler: Upscaler, pair: Pair, motion: Sequence[Tensor], border: int) -> ClipScore:
    enlarged = [
        (high * 255).round().clamp(0, 255) / 255
        for _, high in enlarge(upscaler, enumerate(pair.low))
    ]
    frames = list(zip(enlarged, pair.high, strict=True))
    flows = zip(_motion(enlarged), motion, strict=True)
    distances = [tof(output, truth, border=border) for output, truth in flows]
    return ClipScore(
        pair.name,
        fmean(psnr(output, truth, border=border) for output, truth in frames),
        fmean(ssim(output, truth, border=border) for output, truth in frames),
        fmean(distances) if distances else 0.0,
    )


def _motion(frames: Sequence[Tensor]) -> list[Tensor]:
    return [farneback(*both) for both in pairwise(frames)]
