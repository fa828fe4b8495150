"""Score upscalers on clips, through the same loop that users run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from torch import Tensor, nn

from upreel.data.clips import Clip, find_clips
from upreel.errors import UsageError
from upreel.evaluation.baselines import find_baselines
from upreel.evaluation.colors import from_seen, to_luma, to_scored, to_seen
from upreel.evaluation.memory import read_peak, reset_peak
from upreel.evaluation.pairs import Pair, read_pair
from upreel.evaluation.protocols import Protocol
from upreel.evaluation.published import find_published
from upreel.evaluation.report import ClipScore, Report, Row
from upreel.evaluation.results import Results, clip_fingerprint, fingerprint, versions
from upreel.evaluation.uniform import uniform_ssim
from upreel.inference.loop import enlarge
from upreel.inference.stages import Stages
from upreel.metrics import farneback, psnr, ssim, tof
from upreel.models.upscaler import Upscaler

log = logging.getLogger(__name__)


def evaluate(
    upscalers: Mapping[str, Upscaler],
    protocol: Protocol,
    data: Path,
    *,
    results: Results | None = None,
) -> Report:
    """Score upscalers, below the baselines, on the validation clips of a folder.

    Args:
        upscalers: each with the name of its row.
        protocol: how.
        data: see `find_clips`.
        results: where scores are kept, clip by clip, so that a run that broke off goes on.

    Raises:
        UsageError: an upscaler does not fit the protocol.
        MediaError: there are no clips, or one cannot be read.
    """
    return score({**find_baselines(protocol), **upscalers}, protocol, data, results=results)


def score(
    upscalers: Mapping[str, Upscaler],
    protocol: Protocol,
    data: Path,
    *,
    results: Results | None = None,
) -> Report:
    """The same without baselines."""
    for name, upscaler in upscalers.items():
        check_fit(name, upscaler, protocol)
    marks = {name: fingerprint(upscaler) for name, upscaler in upscalers.items()}
    rows: dict[str, list[ClipScore]] = {name: [] for name in upscalers}
    for clip in find_clips(data):
        found = _score_or_find(upscalers, marks, clip, protocol, results)
        for name, score_of_clip in found.items():
            rows[name].append(score_of_clip)
    return Report(
        protocol.name,
        protocol.scale,
        protocol.description,
        tuple(
            Row(name, tuple(scores), marks[name], count_parameters(upscalers[name]))
            for name, scores in rows.items()
        ),
        find_published(protocol.name),
        versions(),
        str(data),
    )


def _score_or_find(
    upscalers: Mapping[str, Upscaler],
    marks: Mapping[str, str],
    clip: Clip,
    protocol: Protocol,
    results: Results | None,
) -> dict[str, ClipScore]:
    """Scores on one clip: those that were kept, and the others, each kept at once."""
    mark = clip_fingerprint(clip) if results else ""
    found: dict[str, ClipScore] = {}
    for name in upscalers:
        kept = results.find(marks[name], mark, protocol) if results and marks[name] else None
        if kept is not None:
            found[name] = kept
    missing = [name for name in upscalers if name not in found]
    if missing:
        log.info("scoring %s on %s", ", ".join(missing), clip.name)
        pair = read_pair(clip, protocol)
        scores = score_clip([upscalers[name] for name in missing], pair, protocol)
        for name, score_of_clip in zip(missing, scores, strict=True):
            found[name] = score_of_clip
            if results and marks[name]:
                results.keep(marks[name], mark, protocol, score_of_clip)
    return {name: found[name] for name in upscalers}


def count_parameters(upscaler: Upscaler) -> int:
    """How many numbers an upscaler computes with."""
    if not isinstance(upscaler, nn.Module):
        return 0
    return sum(value.numel() for value in upscaler.state_dict().values())


def check_fit(name: str, upscaler: Upscaler, protocol: Protocol) -> None:
    """Refuse an upscaler that the protocol does not describe.

    Raises:
        UsageError: its scale or its rate are others, or it wants two views.
    """
    spec = upscaler.spec
    if (spec.scale, spec.rate, spec.views) != (protocol.scale, protocol.rate, 1):
        raise UsageError(
            f"{protocol.name} scores x{protocol.scale} with {protocol.rate} frame(s) for each that "
            f"is given, but {name} gives x{spec.scale}, {spec.rate} frame(s) and {spec.views} "
            "view(s); choose another model, --protocol or --scale"
        )


def score_clip(
    upscalers: Iterable[Upscaler], pair: Pair, protocol: Protocol
) -> Iterator[ClipScore]:
    """Score upscalers on one clip, in their order; one that is given twice is run once."""
    truth = Truth(pair, protocol)
    done: dict[int, ClipScore] = {}
    for upscaler in upscalers:
        if id(upscaler) not in done:
            done[id(upscaler)] = _score(upscaler, pair, truth, protocol)
        yield done[id(upscaler)]


class Truth:
    """What all upscalers are compared with on one clip, made once."""

    def __init__(self, pair: Pair, protocol: Protocol) -> None:
        self.numbers = range(len(pair.high)) if pair.scored is None else pair.scored
        self.frames = {
            number: to_scored(pair.high[number], protocol, output=False) for number in self.numbers
        }
        self.motion: list[Tensor] = []
        if "tof" in protocol.metrics:
            self.motion = _motion(list(self.frames.values()))


def _score(upscaler: Upscaler, pair: Pair, truth: Truth, protocol: Protocol) -> ClipScore:
    stages = Stages()
    reset_peak()
    outputs = {
        number: to_scored(frame, protocol)
        for number, frame in enumerate(run(upscaler, pair.low, protocol.phase, stages))
        if number in truth.frames
    }
    memory = read_peak()
    compared = [(outputs[number], truth.frames[number]) for number in truth.numbers]
    scores: dict[str, tuple[float, ...]] = {}
    for metric, function in FIDELITY[protocol.window].items():
        if metric in protocol.metrics:
            scores[metric] = tuple(
                function(_inner(output, protocol), _inner(high, protocol))
                for output, high in compared
            )
    if "tof" in protocol.metrics:
        flows = zip(_motion(list(outputs.values())), truth.motion, strict=True)
        scores["tof"] = tuple(
            tof(_inner(found, protocol), _inner(wanted, protocol)) for found, wanted in flows
        )
    height, width = compared[0][0].shape[-2:]
    return ClipScore(
        pair.name, tuple(truth.numbers), scores, (width, height),
        stages.seconds.get("network", 0.0), len(pair.low), memory,
    )  # fmt: skip


def run(
    upscaler: Upscaler, low: Sequence[Tensor], phase: float, stages: Stages
) -> Iterator[Tensor]:
    """Enlarge frames as users do, in the colours that `low` has."""
    color = upscaler.spec.color
    seen = ((frame, to_seen(frame, color)) for frame in low)
    for frame, high in enlarge(upscaler, seen, stages=stages):
        yield from_seen(high, frame, phase=phase)


FIDELITY: dict[str, dict[str, Callable[[Tensor, Tensor], float]]] = {
    "gaussian11": {"psnr": psnr, "ssim": ssim},
    "uniform7": {"psnr": psnr, "ssim": uniform_ssim},
}
"""What compares single frames, by the window of SSIM."""


def _inner(image: Tensor, protocol: Protocol) -> Tensor:
    top, left, bottom, right = protocol.crop
    height, width = image.shape[-2:]
    return image[..., top : height - bottom, left : width - right]


def _motion(frames: Sequence[Tensor]) -> list[Tensor]:
    luma = [to_luma(frame) if len(frame) == 3 else frame for frame in frames]
    return [farneback(*both) for both in pairwise(luma)]
