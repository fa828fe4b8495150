"""Speed, memory and quality of several models, each measured once as users meet it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from upreel.evaluation.bench import SCALE, SIZES, Case, bench
from upreel.evaluation.evaluate import score
from upreel.evaluation.pareto import Point
from upreel.evaluation.protocols import find_protocol
from upreel.evaluation.results import Results
from upreel.models.weights import load
from upreel.models.weights import names as known
from upreel.video.trust import TRUST, Trust

FRAMES = 48
"""How many frames speed is measured with."""


def place(
    models: str,
    source: Path,
    data: Path,
    protocol: str,
    *,
    scale: int = SCALE,
    repetitions: int = 3,
    trust: Trust = TRUST,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[list[Point], str]:
    """Measure models, and say in one line what the figures mean.

    Args:
        models: names with commas between them, or `all`: the networks that ship, and filters.
        source: a video that speed is measured on.
        data: clips that quality is measured on.
        protocol: how.
        scale: how many times larger; the result is about 1280x720.
        repetitions: of the measurement of speed.
        trust: what the video and the clips may cost, and where they may lead.
        progress: is told what comes next.

    Raises:
        UsageError: a model, the protocol or the scale is not known.
        UpreelError: a measurement failed.
    """
    names = [name.strip() for name in models.split(",")]
    if models == "all":
        names = [name for name, scales in known().items() if scale in scales]
    found = find_protocol(protocol, scale)
    progress(f"quality of {', '.join(names)}")
    upscalers = {name: load(name, scale) for name in names}
    report = score(upscalers, found, data, results=Results(), trust=trust)
    cases = [Case(name, SIZES[scale], FRAMES, scale) for name in names]
    timings = bench(cases, source, repetitions=repetitions, trust=trust, progress=progress)
    points = [
        Point(case.model, 1000 / timing.fps, timing.memory, report[case.model].psnr)
        for case, timing in timings
    ]
    (width, height), large = SIZES[scale], [scale * side for side in SIZES[scale]]
    way = f"{width}x{height} to {large[0]}x{large[1]}"
    return points, f"{report.title} on {data.name}, time from file to file {way}"
