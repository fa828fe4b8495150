"""Measure what docs/models.md says of the models that ship: docs/models.json.

    python -m scripts.measure_models DATA [--also NAME=FILE ...] [--only TEXT ...] [--no-speed]

DATA has the validation clips. Every model that enlarges is scored under the protocols that its file
states, those for compressed video also over the strength of the compression; then each is timed
from file to file. Weights that do not ship stand beside them with `--also`. Scores of an earlier
run are taken where nothing has changed. With `--only`, models and protocols without one of these
texts in their names keep what the file says of them.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import cv2
import torch
from pydantic import TypeAdapter

from upreel.cli.doctor import processor_name
from upreel.core.download import checksum
from upreel.evaluation.bench import SIZES, Case, bench
from upreel.evaluation.evaluate import evaluate
from upreel.evaluation.protocols import CRFS, find_protocol
from upreel.evaluation.results import Results
from upreel.models import ZOO
from upreel.models.weights import folder, load, manifest, read

TARGET = Path(__file__).parent.parent / "docs" / "models.json"
REAL = "val-codec24-y8"
"""The protocol of models for compressed video."""
LINEAR = "linear:"
"""How the best linear filters are called: one of a scale is timed for all."""
STEADY = ("psnr", "tof", "warp-difference", "flicker")
USUAL = ("psnr", "ssim", *STEADY[1:])
SLOW = 300.0
"""Milliseconds for a small frame from which on speed is measured on a few frames only."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that is measured.

    Attributes:
        name: in tables.
        model: what loads it: its name, or a file.
        scale: of it.
        protocols: that its file states.
        sha256: of its file.
    """

    name: str
    model: str
    scale: int
    protocols: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model or a filter scores under a protocol.

    Attributes:
        protocol: by its name.
        scale: how many times larger.
        model: its name.
        sha256: of its file; empty for a filter.
        parameters: how many numbers it computes with.
        means: of each metric, over frames, then over clips.
        clips: PSNR of each clip.
        milliseconds: that the network took for a frame of these clips, with other work beside.
    """

    protocol: str
    scale: int
    model: str
    sha256: str
    parameters: int
    means: dict[str, float]
    clips: dict[str, float]
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Timed:
    """What a model takes from file to file.

    Attributes:
        model: its name.
        scale: how many times larger.
        sha256: of its file; empty for a filter.
        size: (width, height) of the frames that go in.
        milliseconds: for a frame, by the clock.
        cpu: milliseconds for a frame of all cores together.
        memory: bytes at most; `None` where the system does not tell.
    """

    model: str
    scale: int
    sha256: str
    size: tuple[int, int]
    milliseconds: float
    cpu: float
    memory: int | None


@dataclass(frozen=True, slots=True)
class Measured:
    """All of the file."""

    date: str = ""
    processor: str = ""
    cores: int = 0
    scores: tuple[Scored, ...] = ()
    speeds: tuple[Timed, ...] = ()


ADAPTER = TypeAdapter(Measured)
Task = tuple[str, int, tuple[Candidate, ...], tuple[str, ...]]
"""A protocol, a scale, what is scored beside filters, and by which metrics."""


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--also", nargs="*", default=[], metavar="NAME=FILE")
    parser.add_argument("--only", nargs="*", default=[""], metavar="TEXT")
    parser.add_argument("--no-speed", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    candidates = find_candidates(arguments.also)
    before = ADAPTER.validate_json(TARGET.read_bytes()) if TARGET.exists() else Measured()

    def wanted(*names: str) -> bool:
        return any(text in name for name in names for text in arguments.only)

    tasks = [
        # The linear filter is a row of every report: its mark has to be known.
        (protocol, scale, tuple(dict.fromkeys((*kept, *linear_of(models)))), metrics)
        for protocol, scale, models, metrics in plan(candidates)
        if (kept := [m for m in models if wanted(protocol, m.name)])
    ]
    scores: list[Scored] = []
    with ProcessPoolExecutor(arguments.jobs, get_context("spawn")) as pool:
        for found in pool.map(partial(score, arguments.data), tasks):
            scores += found
            print(found[0].protocol, f"x{found[0].scale}", flush=True)
            write(replace(before, scores=merge(before.scores, scores)))
    whole = arguments.only == [""]
    measured = replace(before, scores=merge(() if whole else before.scores, scores))
    if not arguments.no_speed:
        timed = time([model for model in candidates if wanted(model.name)], scores)
        measured = replace(
            measured,
            date=datetime.date.today().isoformat(),
            processor=processor_name(),
            cores=os.cpu_count() or 1,
            speeds=merge(() if whole else before.speeds, timed),
        )
    write(measured)


def write(measured: Measured) -> None:
    """Write the file."""
    TARGET.write_text(json.dumps(asdict(measured), indent=1) + "\n", encoding="utf-8")


def find_candidates(also: Sequence[str] = ()) -> list[Candidate]:
    """What ships and enlarges, and files that do not ship, each `NAME=FILE`."""
    shipped = [
        Candidate(header.name, header.name, header.scale, tuple(header.scores), weights.sha256)
        for weights in manifest()
        if (header := weights.provenance).network in ZOO and header.scale > 1
    ]
    others = []
    for pair in also:
        name, _, file = pair.partition("=")
        header = read(Path(file))[0]
        protocols = tuple(header.scores)
        others.append(Candidate(name, file, header.scale, protocols, checksum(Path(file))))
    return shipped + others


def plan(candidates: Sequence[Candidate]) -> Iterator[Task]:
    """Everything that is scored."""
    for protocol, scale in dict.fromkeys((p, c.scale) for c in candidates for p in c.protocols):
        models = tuple(c for c in candidates if c.scale == scale and protocol in c.protocols)
        yield protocol, scale, models, USUAL
        if protocol != REAL:
            continue
        networks = tuple(model for model in models if not model.name.startswith(LINEAR))
        for coded, crfs in CRFS.items():
            if coded == "codec" or scale == 4:
                metrics = STEADY if (coded, scale) == ("codec", 4) else STEADY[:1]
                others = (f"val-{coded}{crf}-y8" for crf in crfs)
                yield from ((name, scale, networks, metrics) for name in others if name != REAL)


def linear_of(models: Iterable[Candidate]) -> list[Candidate]:
    """The linear filters among them."""
    return [model for model in models if model.name.startswith(LINEAR)]


def score(data: Path, task: Task) -> list[Scored]:
    """Score models beside filters."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    protocol, scale, models, metrics = task
    found = find_protocol(protocol, scale).measuring(metrics)
    # A linear filter that ships is the row `linear` of every report already.
    loaded = {m.name: load(m.model, scale) for m in models if not m.name.startswith(LINEAR)}
    marks = {model.name: model.sha256 for model in models}
    linear = next((model.sha256 for model in linear_of(models)), "")
    rows = evaluate(loaded, found, data, results=Results()).rows
    marks["linear"] = linear
    return [
        Scored(
            protocol, scale, row.name, marks.get(row.name, ""), row.parameters, row.means,
            {clip.clip: round(clip.mean("psnr"), 3) for clip in row.clips},
            round(row.milliseconds, 1),
        )
        for row in rows
    ]  # fmt: skip


def time(models: Sequence[Candidate], scores: Sequence[Scored]) -> list[Timed]:
    """Measure speed, all on one picture and to about 1280x720."""
    slow = {row.model for row in scores if row.milliseconds > SLOW}
    marks = {
        (model.model, model.scale): (model.name, model.sha256)
        for model in models
        if not model.name.startswith(LINEAR)
    }
    scales = sorted({model.scale for model in models})
    marks |= {("bicubic", scale): ("bicubic", "") for scale in scales}
    marks |= {
        (model.model, model.scale): ("linear", model.sha256)
        for model in {each.scale: each for each in linear_of(models)}.values()
    }
    cases = [
        Case(model, SIZES[scale], 3 if name in slow else 48, scale)
        for (model, scale), (name, _) in marks.items()
    ]
    sample = folder().parent / "sample" / "sample.mp4"
    return [
        Timed(
            marks[case.model, case.scale][0], case.scale, marks[case.model, case.scale][1],
            case.size, round(1000 / timing.fps, 2), round(1000 * timing.cpu / timing.frames, 2),
            timing.memory,
        )
        for case, timing in bench(cases, sample, progress=lambda line: print(line, flush=True))
    ]  # fmt: skip


Row = TypeVar("Row", bound=Scored | Timed)


def merge(before: Sequence[Row], now: Sequence[Row]) -> tuple[Row, ...]:
    """What was measured before where it is not measured again."""
    found = {key(row): row for row in (*before, *now)}
    return tuple(found.values())


def key(row: Scored | Timed) -> tuple[str, int, str]:
    """What a row is about."""
    return (row.protocol if isinstance(row, Scored) else "", row.scale, row.model)


if __name__ == "__main__":
    main()
