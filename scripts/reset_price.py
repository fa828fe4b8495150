"""Measure what it costs to begin a segment from an empty state, by the frames of its run-in.

`python scripts/reset_price.py DATA [--model swift:real] [--protocol val-codec24-y8]`: for each
length of the run-in, the PSNR that frames after the border of a segment lose against one unbroken
run: the first frame, the first four, and all frames of a segment of 400, in dB. The clips of DATA
are those that are held out; borders are put where no scene begins, every eight frames.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from upreel.evaluation.evaluate import find_scored
from upreel.evaluation.pairs import Pair, read_pair
from upreel.evaluation.protocols import find_protocol
from upreel.inference.loop import enlarge
from upreel.inference.plan import MOST_FRAMES
from upreel.metrics.fidelity import psnr
from upreel.models.upscaler import Upscaler
from upreel.models.weights import load

RUN_INS = (0, 1, 2, 4, 6, 8, 12, 16, 24)
AFTER = 16
"""Frames after a border that are looked at; what remains of the reset then is nothing."""


def scores(upscaler: Upscaler, low: Sequence[Tensor], high: Sequence[Tensor]) -> list[float]:
    """PSNR of every frame when a run begins with the first."""
    outputs = enlarge(upscaler, enumerate(low))
    return [psnr(output.clamp(0, 1), high[index], border=8) for index, output in outputs]


def losses(upscaler: Upscaler, pair: Pair) -> dict[int, list[list[float]]]:
    """For each run-in, for each border, what the frames after it lose, in dB."""
    unbroken = scores(upscaler, pair.low, pair.high)
    found: dict[int, list[list[float]]] = defaultdict(list)
    for border in range(max(RUN_INS), len(unbroken) - 3, 8):
        end = min(border + AFTER, len(unbroken))
        for run_in in RUN_INS:
            seen = slice(border - run_in, end)
            broken = scores(upscaler, pair.low[seen], pair.high[seen])[run_in:]
            pairs = zip(unbroken[border:end], broken, strict=True)
            found[run_in].append([one - other for one, other in pairs])
    return found


def main() -> None:
    """Print a table for Markdown, and a line for each clip."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="swift:real")
    parser.add_argument("--protocol", default="val-codec24-y8")
    parser.add_argument("--frames", type=int, default=104, help="of a clip, at most")
    given = parser.parse_args()
    protocol = replace(find_protocol(given.protocol), frames=given.frames)
    upscaler = load(given.model, protocol.scale)
    total: dict[int, list[list[float]]] = defaultdict(list)
    for clip in find_scored(given.data, protocol):
        found = losses(upscaler, read_pair(clip, protocol))
        if not found:
            print(f"{clip.name}: too short", flush=True)
            continue
        first = ", ".join(f"{_mean([row[:1] for row in found[w]]):.3f}" for w in RUN_INS)
        print(f"{clip.name}: {len(found[0])} borders, first frame {first}", flush=True)
        for run_in, rows in found.items():
            total[run_in] += rows
    print("| run-in | first frame | worst first frame | first four | a segment of 400 |")
    print("|---|---|---|---|---|")
    for run_in, rows in total.items():
        whole = sum(map(sum, rows)) / len(rows) / MOST_FRAMES
        print(
            f"| {run_in} | {_mean([row[:1] for row in rows]):.3f} | "
            f"{max(row[0] for row in rows):.3f} | {_mean([row[:4] for row in rows]):.3f} | "
            f"{whole:.5f} |"
        )


def _mean(rows: list[list[float]]) -> float:
    values = [value for row in rows for value in row]
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
