"""Score upscalers on clips, through the same loop that users run."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from upreel.data.clips import Clip, Split, find_clips, is_indexed
from upreel.errors import UsageError
from upreel.evaluation.baselines import find_baselines
from upreel.evaluation.colors import Colored, from_seen, to_scored, to_seen
from upreel.evaluation.memory import read_growth, reset_peak
from upreel.evaluation.pairs import Pair, read_pair
from upreel.evaluation.protocols import ANY, Protocol
from upreel.evaluation.published import find_published
from upreel.evaluation.relay import Model, as_relay
from upreel.evaluation.report import ClipScore, Report, Row
from upreel.evaluation.results import Results, clip_fingerprint, fingerprint, versions
from upreel.evaluation.uniform import uniform_ssim
from upreel.inference.loop import CPU, enlarge
from upreel.inference.stages import Stages
from upreel.metrics import Mean, Metric, Motion, Seen, make_metrics
from upreel.models.interpolator import Interpolator
from upreel.models.upscaler import Upscaler
from upreel.video.trust import TRUST, Trust

log = logging.getLogger(__name__)


def evaluate(
    upscalers: Mapping[str, Model],
    protocol: Protocol,
    data: Path,
    *,
    clips: Sequence[Clip] | None = None,
    results: Results | None = None,
    trust: Trust = TRUST,
) -> Report:
    """Score upscalers, below the baselines, on the validation clips of a folder.

    Args:
        upscalers: each with the name of its row.
        protocol: how.
        data: see `find_clips`.
        clips: which of them; all if not given.
        results: where scores are kept, clip by clip, so that a run that broke off goes on.
        trust: what the clips of `data` may cost, and where they may lead.

    Raises:
        UsageError: an upscaler does not fit the protocol.
        MediaError: there are no clips, or one cannot be read.
    """
    upscalers = {**find_baselines(protocol), **upscalers}
    return score(upscalers, protocol, data, clips=clips, results=results, trust=trust)


def score(
    upscalers: Mapping[str, Model],
    protocol: Protocol,
    data: Path,
    *,
    clips: Sequence[Clip] | None = None,
    results: Results | None = None,
    trust: Trust = TRUST,
) -> Report:
    """The same without baselines.

    A metric of the protocol that cannot be had here is left out, and the report says why.
    """
    metrics, unavailable = find_metrics(protocol)
    # Scores that are kept are those of the metrics that could be had.
    protocol = replace(protocol, metrics=tuple(metrics))
    for name, upscaler in upscalers.items():
        check_fit(name, upscaler, protocol)
    marks = {name: fingerprint(upscaler) for name, upscaler in upscalers.items()}
    rows: dict[str, list[ClipScore]] = {name: [] for name in upscalers}
    for clip in find_scored(data, protocol, trust) if clips is None else clips:
        found = _score_or_find(upscalers, marks, clip, protocol, metrics, results)
        for name, score_of_clip in found.items():
            rows[name].append(replace(score_of_clip, group=clip.group))
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
        unavailable,
        protocol.rate,
    )


def find_scored(data: Path, protocol: Protocol, trust: Trust = TRUST) -> list[Clip]:
    """The clips that a protocol scores of a folder.

    Those that are held out; of a benchmark that `upreel data prepare` has indexed, those that
    papers test on.

    Raises:
        MediaError: there are none.
        UsageError: the folder has none of the clips that the protocol is named after.
    """
    split: Split = "test" if protocol.data != ANY and is_indexed(data) else "val"
    clips = find_clips(data, split, trust=trust)
    if protocol.names and {clip.name.split("-")[-1] for clip in clips} != set(protocol.names):
        raise UsageError(
            f"expected the clips {', '.join(protocol.names)} for {protocol.name}, found "
            f"{', '.join(sorted(clip.name for clip in clips)[:8])} in {data}; name a folder with "
            f"those of {protocol.data} alone, or run: upreel data prepare"
        )
    return clips


def find_metrics(protocol: Protocol) -> tuple[dict[str, Metric], dict[str, str]]:
    """The metrics of a protocol, and why others of it cannot be had.

    Raises:
        UsageError: there is none of a name.
    """
    metrics, unavailable = make_metrics(protocol.metrics)
    if protocol.window == "uniform7" and "ssim" in metrics:
        metrics["ssim"] = Mean("ssim", True, lambda seen: uniform_ssim(*seen.both))
    return metrics, unavailable


def _score_or_find(
    upscalers: Mapping[str, Model],
    marks: Mapping[str, str],
    clip: Clip,
    protocol: Protocol,
    metrics: Mapping[str, Metric],
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
        scores = score_clip([upscalers[name] for name in missing], pair, protocol, metrics)
        for name, score_of_clip in zip(missing, scores, strict=True):
            found[name] = score_of_clip
            if results and marks[name]:
                results.keep(marks[name], mark, protocol, score_of_clip)
    return {name: found[name] for name in upscalers}


def count_parameters(model: Model) -> int:
    """How many numbers a model computes with."""
    networks = [stage for stage in as_relay(model).stages if isinstance(stage, nn.Module)]
    return sum(value.numel() for network in networks for value in network.state_dict().values())


def check_fit(name: str, model: Model, protocol: Protocol) -> None:
    """Refuse an upscaler that the protocol does not describe.

    Raises:
        UsageError: its scale or its rate are others, or it wants two views.
    """
    found = as_relay(model)
    if (found.scale, found.rate, found.views) != (protocol.scale, protocol.rate, 1):
        raise UsageError(
            f"{protocol.name} scores x{protocol.scale} with {protocol.rate} frame(s) for each that "
            f"is given, but {name} gives x{found.scale}, {found.rate} frame(s) and {found.views} "
            "view(s); choose another model, --protocol or --scale"
        )


def score_clip(
    upscalers: Iterable[Model],
    pair: Pair,
    protocol: Protocol,
    metrics: Mapping[str, Metric],
) -> Iterator[ClipScore]:
    """Score upscalers on one clip, in their order; one that is given twice is run once."""
    truth = Truth(pair, protocol)
    done: dict[int, ClipScore] = {}
    for upscaler in upscalers:
        if id(upscaler) not in done:
            done[id(upscaler)] = _score(upscaler, pair, truth, protocol, metrics)
        yield done[id(upscaler)]


class Truth:
    """What all upscalers are compared with on one clip, made once."""

    def __init__(self, pair: Pair, protocol: Protocol) -> None:
        self.numbers = range(len(pair.high)) if pair.scored is None else pair.scored
        self.crop = protocol.crop
        self.frames = [
            to_scored(pair.high[number], protocol, output=False) for number in self.numbers
        ]
        self.motion = [None, *(Motion(*both) for both in pairwise(self.frames))]

    def beside(self, outputs: Sequence[Tensor]) -> list[Seen]:
        """What metrics see of an upscaler's frames, those of `numbers`."""
        both = list(zip(outputs, self.frames, strict=True))
        return [
            Seen(output, truth, before, self.crop, motion)
            for (output, truth), before, motion in zip(
                both, [None, *both[:-1]], self.motion, strict=True
            )
        ]


def _score(
    upscaler: Model,
    pair: Pair,
    truth: Truth,
    protocol: Protocol,
    metrics: Mapping[str, Metric],
) -> ClipScore:
    stages = Stages()
    before = reset_peak()
    outputs = [
        to_scored(frame, protocol)
        for number, frame in enumerate(run(upscaler, pair.low, protocol.phase, stages))
        if number in truth.numbers
    ]
    memory = read_growth(before)
    seen = truth.beside(outputs)
    scores = {name: metric.values(seen) for name, metric in metrics.items()}
    height, width = outputs[0].shape[-2:]
    return ClipScore(
        pair.name, tuple(truth.numbers), scores, (width, height),
        stages.seconds.get("network", 0.0), len(pair.low), memory,
    )  # fmt: skip


def run(model: Model, low: Sequence[Tensor], phase: float, stages: Stages) -> Iterator[Tensor]:
    """Enlarge frames as users do, in the colours that `low` has."""
    frames, channels = iter(low), len(low[0])
    for stage in as_relay(model).stages:
        spec = stage.spec
        between = (spec.scale, spec.rate, spec.color) == (1, 2, "luma")
        upscaler = Colored(cast(Interpolator, stage)) if between and channels == 3 else stage
        place = phase if spec.scale > 1 else 0.0
        frames = _run(upscaler, frames, place, stages, _device_of(stage))
    return frames


def _device_of(upscaler: Upscaler) -> torch.device:
    """Where its weights are; one without any computes on the CPU."""
    weights = upscaler.parameters() if isinstance(upscaler, nn.Module) else ()
    return next((weight.device for weight in weights), CPU)


def _run(
    upscaler: Upscaler, low: Iterator[Tensor], phase: float, stages: Stages, device: torch.device
) -> Iterator[Tensor]:
    color = upscaler.spec.color
    seen = ((frame, to_seen(frame, color)) for frame in low)
    for frame, high in enlarge(upscaler, seen, stages=stages, device=device):
        yield from_seen(high, frame, phase=phase)
