"""Measure what the parts of a farm's work cost, for `scripts/simulate_farm.py`.

`python scripts/measure_segment_costs.py VIDEO [--sizes 320x180,480x270] [--out docs/scale.json]`
scales VIDEO to each size, encodes it as H.264, and enlarges it four times: in one segment and in
many, so that the difference is the price of a segment. All seconds are CPU time of one process
(user and system, all its threads), because the machine may be shared; network and encoder have one
thread. What the disk and the network take is not in them. Each is the median of the repetitions.
Sizes that an earlier run has written are kept, unless they are measured again.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path
from unittest.mock import patch

import av
import torch

from upreel.core.files import PendingFile
from upreel.inference.assembly import VideoAssembly
from upreel.inference.ledger import Ledger
from upreel.inference.options import DEFAULT_MODEL
from upreel.inference.pins import choose_pins
from upreel.inference.pipeline import Options, upscale
from upreel.inference.plan import MOST_FRAMES, Plan, Start, cut_into_segments
from upreel.inference.precision import Precision
from upreel.inference.work import Work
from upreel.video.encoding import Encoding
from upreel.video.frame import Frame
from upreel.video.packets import PacketWriter, checksum_of
from upreel.video.reader import Reader

SHORT = 20
"""Frames of a segment in the run with many."""

TAKEN = 4 << 20
"""Bytes of the segment that is written and checked."""

WAITED = 1000
"""Workers that are waited for."""

LEDGERS = (10, 100, 1000, 10_000)
"""Segments in the ledgers that are written."""


def main() -> None:
    """Measure, print, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path)
    parser.add_argument("--sizes", default="320x180,480x270", help="with commas between them")
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--skip", type=int, default=0, help="frames of VIDEO before those")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("docs/scale.json"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    pins = choose_pins("cpu", "auto", threads=1)
    costs = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else {}
    costs |= {
        "clip": given.video.name,
        "frames": [given.skip, given.skip + given.frames],
        "repetitions": given.repetitions,
        "threads": 1,
        "precision": pins.precision,
        "load": round(os.getloadavg()[0], 1),
        "wait": measure_wait(given.repetitions),
        "take": measure_take(given.repetitions),
        "ledger": measure_ledgers(given.video, given.repetitions, pins.precision),
        "start": round(_median(given.repetitions, start), 3),
    }
    costs["sizes"] = costs.get("sizes", {}) | {
        size: measure_size(
            given.video,
            size,
            skip=given.skip,
            frames=given.frames,
            repetitions=given.repetitions,
            precision=pins.precision,
        )
        for size in filter(None, given.sizes.split(","))
    }
    text = json.dumps(costs, indent=1)
    given.out.write_text(text + "\n", encoding="utf-8")
    print(text)


def measure_size(
    video: Path, size: str, *, skip: int, frames: int, repetitions: int, precision: Precision
) -> dict[str, object]:
    """What work on frames of one size costs, in seconds of CPU time and in bytes."""
    with tempfile.TemporaryDirectory(prefix="upreel-costs-") as name:
        folder = Path(name)
        source = folder / "source.mp4"
        encode(video, source, size, skip, frames)
        starts = plan(source, SHORT)  # warms up, too
        plans = _median(repetitions, lambda: plan(source))
        decodes = _median(repetitions, lambda: decode(source))
        opens = _median(repetitions, lambda: decode(source, most=1))
        whole, short = [], []
        for number in range(repetitions + 1):  # in turn, so that other work falls on both
            whole.append(enlarge(source, folder / "whole.mp4", precision, segment=frames))
            short.append(enlarge(source, folder / "short.mp4", precision, segment=SHORT))
            print(
                f"{size}, run {number} (0 does not count): {whole[-1].seconds:.2f} s in one "
                f"segment, {short[-1].seconds:.2f} s in {starts}",
                flush=True,
            )
        join = statistics.median(run.join for run in whole[1:])
        seconds = statistics.median(run.seconds for run in whole[1:])
        more = statistics.median(run.seconds for run in short[1:]) - seconds
        return {
            "frame": round((seconds - join) / frames, 6),
            "segment": round(more / (starts - 1), 4),
            "plan": round(plans / frames, 6),
            "decode": round(decodes / frames, 6),
            "open": round(opens, 5),
            "join": round(join / frames, 7),
            "bytes_in": round(source.stat().st_size / frames),
            "bytes_out": round(whole[0].written / frames),
        }


def encode(video: Path, target: Path, size: str, skip: int, frames: int) -> None:
    """Some frames of a video as H.264 of another size, as it may come from anywhere."""
    width, height = map(int, size.split("x"))
    with av.open(video) as source, av.open(target, "w") as output:
        rate = source.streams.video[0].average_rate
        stream = output.add_stream("libx264", rate=rate, options={"crf": "23", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        found = 0
        for frame in islice(source.decode(video=0), skip, skip + frames):
            output.mux(stream.encode(frame.reformat(width, height, "yuv420p")))
            found += 1
        output.mux(stream.encode(None))
    if found < frames:
        sys.exit(f"expected {skip + frames} frames in {video}, found {skip + found}; pass --frames")


def plan(source: Path, most: int = MOST_FRAMES) -> int:
    """Lay a source out as segments, as a driver does; how many there are."""
    starts = [Start()]
    with Reader(source) as reader:
        for _ in cut_into_segments(reader, Plan(most), found=starts.append):
            pass
    return len(starts)


def decode(source: Path, most: int | None = None) -> None:
    """Decode a source, or its beginning."""
    with Reader(source) as reader:
        for number, _ in enumerate(reader, 1):
            if number == most:
                break


def start() -> None:
    """What a new worker does before its first segment: the interpreter, PyTorch, the model."""
    code = f"from upreel.models.weights import load; load({DEFAULT_MODEL!r}, 4)"
    subprocess.run([sys.executable, "-c", code], check=True)


def measure_take(repetitions: int) -> float:
    """Seconds for a byte of a segment that the driver writes and checks."""
    with tempfile.TemporaryDirectory(prefix="upreel-costs-") as name:
        made = Path(name) / "made"
        with PacketWriter(made, Fraction(1, 25)) as writer:
            writer.write((av.Packet(bytes(TAKEN)),))
            checksum = writer.finish()
        data = made.read_bytes()

        def take() -> None:
            with PendingFile(Path(name) / "000000.packets", overwrite=True) as pending:
                pending.path.write_bytes(data)
                path = pending.commit()
            assert checksum_of(path) == checksum

        return float(f"{_median(repetitions, take) / TAKEN:.3g}")


def measure_wait(repetitions: int) -> float:
    """Seconds that Ray takes to say which of many workers is ready, for each of them."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # before ray is imported
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")  # this machine may be busy
    import ray

    ray.init("local", num_cpus=1, include_dashboard=False, logging_level=logging.ERROR)
    try:
        never = ray.remote(num_cpus=2)(start)  # there is no second core
        waiting = [ray.put(0), *(never.remote() for _ in range(WAITED))]
        seconds = _median(repetitions, lambda: ray.wait(waiting, timeout=1))
    finally:
        ray.shutdown()
    return float(f"{seconds / WAITED:.3g}")


@dataclass(frozen=True, slots=True)
class Run:
    """What one video took: seconds for all and for joining, bytes of its segments, its ledger."""

    seconds: float
    join: float
    written: int
    ledger: Ledger


def enlarge(source: Path, target: Path, precision: Precision, *, segment: int) -> Run:
    """Enlarge a video four times, in segments."""
    joins: list[tuple[float, int, Ledger]] = []
    join = VideoAssembly.join

    def timed(
        self: VideoAssembly, first: Frame, work: Work, check: Callable[[], None], *, partial: bool
    ) -> Path:
        written = sum(file.stat().st_size for file in work.path.glob("*.packets"))
        began = time.process_time()
        path = join(self, first, work, check, partial=partial)
        joins.append((time.process_time() - began, written, work.ledger))
        return path

    options = Options(
        scale=4, device="cpu", precision=precision, encoding=Encoding(threads=1), overwrite=True,
        segment=segment,
    )  # fmt: skip
    began = time.process_time()
    with patch.object(VideoAssembly, "join", timed):
        upscale(source, target, options)
    return Run(time.process_time() - began, *joins[0])


def measure_ledgers(video: Path, repetitions: int, precision: Precision) -> list[dict[str, float]]:
    """What it costs to write a ledger of so many segments, and how large it is."""
    found = []
    with tempfile.TemporaryDirectory(prefix="upreel-costs-") as name:
        folder = Path(name)
        source = folder / "source.mp4"
        encode(video, source, "160x90", 0, 3 * SHORT)
        ledger = enlarge(source, folder / "large.mp4", precision, segment=SHORT).ledger
        (place := folder / "work").mkdir()
        for count in LEDGERS:
            long = ledger.model_copy(update={"segments": ledger.segments[:1] * count})
            seconds = _median(repetitions, partial(long.write, place))
            size = sum(file.stat().st_size for file in place.iterdir())
            found.append({"segments": count, "bytes": size, "seconds": round(seconds, 6)})
    return found


def _median(repetitions: int, call: Callable[[], object]) -> float:
    """Seconds of CPU time of a call, its child processes included."""
    found = []
    for _ in range(repetitions):
        before = _spent()
        call()
        found.append(_spent() - before)
    return statistics.median(found)


def _spent() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
