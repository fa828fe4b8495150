"""Score upscalers on clips, through the same loop that users run."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from torch import Tensor

from upreel.errors import MediaError, UsageError
from upreel.evaluation.protocols import Protocol
from upreel.evaluation.report import ClipScore, Report, Row
from upreel.inference.loop import enlarge
from upreel.metrics import farneback, psnr, ssim, tof
from upreel.models.bicubic import Bicubic
from upreel.models.upscaler import Upscaler
from upreel.models.weights import build, folder

log = logging.getLogger(__name__)

_LINEAR = {"bi": "bi", "bd-duf": "bd", "codec24": "codec"}


@dataclass(frozen=True, slots=True)
class Pair:
    """A clip as it is and as an upscaler sees it.

    Attributes:
        name: of the clip.
        low: frames `(1, H, W)`, luma, multiples of 1/255 in 0..1.
        high: as many frames `(1, H * scale, W * scale)`.
    """

    name: str
    low: Sequence[Tensor]
    high: Sequence[Tensor]


def evaluate(
    upscalers: Mapping[str, Upscaler], protocol: Protocol, data: Path, *, baselines: bool = True
) -> Report:
    """Score upscalers on the validation clips of a folder.

    Args:
        upscalers: each with the name of its row.
        protocol: how.
        data: see `data.clips.find_clips`.
        baselines: whether to put bicubic, aligned bicubic and the best linear filter first.

    Raises:
        UsageError: an upscaler does not fit the protocol.
        MediaError: there are no clips.
    """
    everyone = {**(find_baselines(protocol) if baselines else {}), **upscalers}
    for name, upscaler in everyone.items():
        check_fit(name, upscaler, protocol)
    rows: dict[str, list[ClipScore]] = {name: [] for name in everyone}
    for pair in read_pairs(protocol, data):
        log.info("scoring on %s", pair.name)
        for name, score in zip(rows, score_all(everyone.values(), pair, protocol), strict=True):
            rows[name].append(score)
    if not any(rows.values()):
        raise MediaError(f"expected clips in {data}, found none")
    return Report(protocol, tuple(Row(name, tuple(scores)) for name, scores in rows.items()))


def find_baselines(protocol: Protocol) -> dict[str, Upscaler]:
    """What every table compares with; the linear filter only where one ships."""
    scale = protocol.scale
    bicubic = Bicubic(scale)
    found: dict[str, Upscaler] = {"bicubic": bicubic, "bicubic aligned": bicubic}
    if protocol.phase:
        found["bicubic aligned"] = Bicubic(scale, phase=protocol.phase)
    file = folder() / f"linear-{_LINEAR[protocol.degradation]}-x{scale}.safetensors"
    if file.exists():
        found["linear"] = build(file)
    return found


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


def score_all(
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
    return [farneback(*both) for both in zip(frames, frames[1:], strict=False)]
