"""Measure how a farm on this machine compares with one process: docs/scale.md has the table.

`python scripts/measure_scaling.py VIDEO [--segment 100] [--repetitions 3] [--cores 2]`: enlarges
VIDEO four times by one process with all its threads (`upreel upscale --no-resume`), and by
`upreel farm` with one worker of one core, one worker of all cores, and one worker for each core.
The ways take turns; medians count. Seconds are those of the clock, from the command to its end, so
the machine has to be quiet; busy seconds are those of all its cores (Linux), whoever used them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True)
class Way:
    """How a video is enlarged: by a farm, or by one process where there are no workers."""

    name: str
    workers: int = 0
    threads: int = 0

    def command(self, video: Path, folder: Path, segment: int) -> list[str]:
        """The arguments of `upreel`."""
        if not self.workers:
            return ["upscale", str(video), str(folder / video.name), "--no-resume"]
        return [
            "farm", str(video), "--out", str(folder), "--workers", str(self.workers),
            "--threads", str(self.threads), "--segment", str(segment), "--json",
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took.

    Attributes:
        seconds: from the command to its end.
        around: of those, what the farm does not count: starting Ray, the workers, and ending them.
        busy: seconds of all cores.
        digest: of the result.
    """

    seconds: float
    around: float
    busy: float
    digest: str


def main() -> None:
    """Print a table for Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path)
    parser.add_argument("--segment", type=int, default=400, help="frames, at most")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    cores = given.cores
    ways = [
        Way("one process"),
        Way("farm, 1 worker of 1 core", 1, 1),
        Way(f"farm, 1 worker of {cores} cores", 1, cores),
        Way(f"farm, {cores} workers of 1 core", cores, 1),
    ]
    runs: dict[Way, list[Run]] = {way: [] for way in ways}
    for number in range(given.repetitions):
        for way in ways:
            runs[way].append(measure(way, given.video, given.segment))
            print(f"{number + 1}. {way.name}: {runs[way][-1].seconds:.1f} s", file=sys.stderr)
    for line in to_table(runs, cores):
        print(line)


def measure(way: Way, video: Path, segment: int) -> Run:
    """Enlarge the video once."""
    with tempfile.TemporaryDirectory(prefix="upreel-scaling-") as name:
        folder = Path(name)
        command = [sys.executable, "-m", "upreel", *way.command(video, folder, segment)]
        busy, began = busy_seconds(), time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        seconds = time.perf_counter() - began
        busy = busy_seconds() - busy
        (result,) = (path for path in folder.iterdir() if not path.name.startswith("."))
        digest = hashlib.sha256(result.read_bytes()).hexdigest()
        return Run(seconds, around(done.stdout, seconds) if way.workers else 0.0, busy, digest)


def around(events: str, seconds: float) -> float:
    """Seconds of a run that the farm's own clock leaves out."""
    told = (json.loads(line) for line in events.splitlines())
    return float(seconds - next(event["seconds"] for event in told if event["event"] == "end"))


def busy_seconds() -> float:
    """Seconds that all cores together were not idle, since the machine began."""
    user, nice, system, _, _, irq, soft, *_ = map(
        int, Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def to_table(runs: dict[Way, list[Run]], cores: int) -> list[str]:
    """A row for each way.

    `against one process` is how much of its speed is left; both have the same cores, where the farm
    has all. `against one worker` is the speed for each core, where more workers share the work.
    """
    seconds = {way: median(run.seconds for run in found) for way, found in runs.items()}
    whole = next(seconds[way] for way in runs if not way.workers)
    single = next(seconds[way] for way in runs if (way.workers, way.threads) == (1, 1))
    digests = {run.digest for way, found in runs.items() if way.threads == 1 for run in found}
    lines = [
        "| way | seconds | start and end of Ray | busy, core-seconds | against one process | "
        "against one worker |",
        "|---|---|---|---|---|---|",
    ]
    for way, found in runs.items():
        waited, busy = (median(getattr(run, name) for run in found) for name in ("around", "busy"))
        each = f"{single / seconds[way] / way.workers:.0%}" if way.threads == 1 else ""
        lines.append(
            f"| {way.name} | {seconds[way]:.1f} | {waited:.1f} | {busy:.1f} | "
            f"{whole / seconds[way]:.0%} | {each} |"
        )
    same = "the same file" if len(digests) == 1 else f"{len(digests)} different files"
    return [*lines, "", f"Workers of 1 core, 1 of them and {cores}: {same}."]


if __name__ == "__main__":
    main()
