"""The pictures of an evaluation: its clips once more, and what is worth showing of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from torch import Tensor

from upreel.evaluation.baselines import find_baselines
from upreel.evaluation.evaluate import find_scored, run
from upreel.evaluation.html.page import render, write
from upreel.evaluation.html.pictures import Exhibit, Gallery, Rgb
from upreel.evaluation.pairs import read_pair
from upreel.evaluation.protocols import Protocol
from upreel.evaluation.relay import Model
from upreel.evaluation.report import Report
from upreel.inference.stages import Stages
from upreel.ops.color import code_range
from upreel.video.trust import TRUST, Trust

SHOWN = 3
"""How many clips are shown with pictures: those where the best model is worst, median and best."""


def write_report(
    report: Report,
    upscalers: Mapping[str, Model],
    protocol: Protocol,
    data: Path,
    target: Path,
    trust: Trust = TRUST,
) -> Path:
    """Write what an evaluation found as one HTML file.

    Args:
        report: the scores, of `evaluate`.
        upscalers: as they were given to it.
        protocol: as it was given to it.
        data: as it was given to it.
        target: the file; one that is there is replaced.
        trust: as it was given to it.

    Raises:
        MediaError: a clip can no longer be read.
        OutputError: the file cannot be written.
    """
    ways = {**find_baselines(protocol), **upscalers}
    leader = report.leader
    rows = [*(row for row in report.rows if row is not leader), leader]
    ways = {row.name: ways[row.name] for row in rows}
    clips = {clip.name: clip for clip in find_scored(data, protocol, trust)}
    crops: list[Exhibit] = []
    profiles: list[Exhibit] = []
    for name in _choose(report):
        pair = read_pair(clips[name], protocol)
        gallery = Gallery(name)
        scored = next(clip for clip in leader.clips if clip.clip == name)
        psnr = dict(zip(scored.frames, scored.scores["psnr"], strict=True))
        made = [run(way, pair.low, protocol.phase, Stages()) for way in ways.values()]
        for number, frames in enumerate(zip(*made, strict=True)):
            if number in psnr:
                shown = [to_rgb(frame) for frame in (*frames, pair.high[number])]
                labels = (*ways, "truth")
                gallery.offer(number, dict(zip(labels, shown, strict=True)), psnr[number])
        crops += gallery.crops(f"dB of {leader.name}")
        if profile := gallery.profile():
            profiles.append(profile)
    return write(render(report, crops, profiles), target)


def _choose(report: Report) -> list[str]:
    clips = sorted(report.leader.clips, key=lambda clip: clip.mean("psnr"))
    if len(clips) <= SHOWN:
        return [clip.clip for clip in clips]
    return [clips[index].clip for index in (0, len(clips) // 2, -1)]


def to_rgb(frame: Tensor) -> Rgb:
    """A frame `(C, H, W)` as it is shown: RGB, or luma of studio range as grey."""
    if len(frame) == 1:
        black, span, _ = code_range("tv", 8)
        frame = ((frame - black) / span).expand(3, -1, -1)
    codes = (frame * 255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    return np.ascontiguousarray(codes)
