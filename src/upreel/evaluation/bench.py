"""Speed and memory of the whole way: decode, enlarge, encode.

Every measurement runs in a process of its own, so that its peak memory is its own. Repetitions of
all rows take turns, so that other work on the machine hits all of them, and medians are shown.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from statistics import median

from rich import box
from rich.table import Table

from upreel.errors import UpreelError
from upreel.evaluation.media import make_clip
from upreel.video.trust import TRUST, Trust

STAGES = ("decode", "to tensor", "inputs", "network", "to frame", "encode")
PEER = "compact"
LANCZOS = "lanczos"
SCALE = 4
SIZES = {4: (320, 180), 3: (426, 240), 2: (640, 360)}
"""(width, height) that each scale brings to about 1280x720."""


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table.

    Attributes:
        model: a model by name, `compact` (random weights serve for speed), or `lanczos` (of
            libswscale).
        size: (width, height) of the input.
        frames: how many.
        scale: how many times larger the output is.
    """

    model: str
    size: tuple[int, int] = SIZES[SCALE]
    frames: int = 240
    scale: int = SCALE


@dataclass(frozen=True, slots=True)
class Timing:
    """What one run, or the median of several, took.

    Attributes:
        frames: that were enlarged.
        seconds: from the first frame to the finished file.
        stages: milliseconds per frame that each stage was busy. Stages overlap.
        memory: bytes, the peak of the process; `None` where the system does not tell.
        cpu: seconds that all cores together were busy; hardly changes with other work around.
    """

    frames: int
    seconds: float
    stages: dict[str, float]
    memory: int | None
    cpu: float = 0.0

    @property
    def fps(self) -> float:
        """Frames per second, end to end."""
        return self.frames / self.seconds


Runner = Callable[[Case, Path], Timing]


def default_cases(model: str) -> tuple[Case, ...]:
    """Speed from 320x180 to 1280x720 beside the two peers, then memory up to 3840x2160."""
    return (
        Case(model),
        Case(PEER, frames=60),
        Case(LANCZOS),
        Case("bicubic"),
        Case(model, size=(960, 540), frames=36),
    )


def bench(
    cases: Sequence[Case],
    source: Path,
    *,
    repetitions: int = 3,
    trust: Trust = TRUST,
    run: Runner | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> list[tuple[Case, Timing]]:
    """Measure all cases on the picture of one video.

    Args:
        cases: the rows.
        source: any video; it is scaled to the size of each case, and repeated where it is short.
        repetitions: of each case.
        trust: what the video may cost, and where it may lead.
        run: what runs a case; a process of its own without it.
        progress: is told what comes next.

    Raises:
        MediaError: the video cannot be read.
        UpreelError: a process failed; the message is its last line.
    """
    run = run or run_apart
    runs: dict[Case, list[Timing]] = {case: [] for case in cases}
    with tempfile.TemporaryDirectory(prefix="upreel-bench-") as folder:
        clips: dict[Case, Path] = {}
        for index, case in enumerate(cases):
            clips[case] = Path(folder) / f"{index}.mp4"
            make_clip(source, clips[case], case.size, frames=case.frames, trust=trust)
        for repetition in range(repetitions):
            for case in cases:
                width, height = case.size
                progress(f"{case.model} {width}x{height}, run {repetition + 1} of {repetitions}")
                runs[case].append(run(case, clips[case]))
    return [(case, _median(timings)) for case, timings in runs.items()]


def run_apart(case: Case, source: Path) -> Timing:
    """Measure one case in a process of its own.

    Raises:
        UpreelError: it failed.
    """
    request = json.dumps({"case": asdict(case), "source": str(source)})
    command = [sys.executable, "-m", "upreel.evaluation.measure", request]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UpreelError(f"expected a measurement of {case.model}, but its process says: {last}")
    return Timing(**json.loads(done.stdout.splitlines()[-1]))


def _median(timings: Sequence[Timing]) -> Timing:
    memories = [timing.memory for timing in timings if timing.memory is not None]
    stages = set(chain.from_iterable(timing.stages for timing in timings))
    return Timing(
        timings[0].frames,
        median(timing.seconds for timing in timings),
        {name: median(timing.stages.get(name, 0.0) for timing in timings) for name in stages},
        max(memories, default=None),
        median(timing.cpu for timing in timings),
    )


def to_table(measured: Sequence[tuple[Case, Timing]]) -> Table:
    """The measurements, for people; ratios are to the peers of the same size."""
    table = Table("", title="Decode, enlarge x4, encode with x264 veryfast", box=box.SIMPLE)
    columns = [_figures(case, timing, measured) for case, timing in measured]
    for case, _ in measured:
        width, height = (case.scale * side for side in case.size)
        table.add_column(f"{case.model}\n{width}x{height}", justify="right")
    for name in columns[0]:
        table.add_row(name, *(column[name] for column in columns))
    return table


def _figures(case: Case, timing: Timing, measured: Sequence[tuple[Case, Timing]]) -> dict[str, str]:
    """One column of the table."""
    peers = {other.model: its.fps for other, its in measured if other.size == case.size}
    figures = {
        f"{name}, ms": f"{timing.stages[name]:.1f}" if name in timing.stages else ""
        for name in STAGES
    }
    figures["all cores, ms"] = f"{1e3 * timing.cpu / timing.frames:.1f}"
    figures["frames per second"] = f"{timing.fps:.1f}"
    for peer in (PEER, LANCZOS):
        figures[f"x {peer}"] = f"{timing.fps / peers[peer]:.2f}" if peer in peers else ""
    figures["peak memory, MB"] = "?" if timing.memory is None else f"{timing.memory / 1e6:.0f}"
    return figures


def to_json(measured: Sequence[tuple[Case, Timing]]) -> str:
    """The measurements, for machines."""
    rows = [asdict(case) | asdict(timing) | {"fps": timing.fps} for case, timing in measured]
    return json.dumps(rows, indent=2)
