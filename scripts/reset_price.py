"""Measure what it costs to begin a segment from an empty state, by the frames of its run-in.

`python scripts/reset_price.py DATA [--model swift:real] [--protocol val-codec24-y8]`: for each
length of the run-in, the PSNR that frames after the border of a segment lose against one unbroken
run: the first frame, the first four, and all frames of a segment of 400, in dB. The clips of DATA
are those that are held out; borders are put where no scene begins, every eight frames.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from upreel.evaluation.evaluate import find_scored
from upreel.evaluation.pairs import read_pair
from upreel.evaluation.protocols import find_protocol
from upreel.evaluation.resets import Losses, find_losses, mean_of, segment_mean
from upreel.models.weights import load

RUN_INS = (0, 1, 2, 4, 6, 8, 12, 16, 24)


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
    total: dict[int, Losses] = defaultdict(list)
    for clip in find_scored(given.data, protocol):
        found = find_losses(upscaler, read_pair(clip, protocol), RUN_INS)
        if not found[0]:
            print(f"{clip.name}: too short", flush=True)
            continue
        first = ", ".join(f"{mean_of(found[w], 1):.3f}" for w in RUN_INS)
        print(f"{clip.name}: {len(found[0])} borders, first frame {first}", flush=True)
        for run_in, losses in found.items():
            total[run_in] += losses
    print("| run-in | first frame | worst first frame | first four | a segment of 400 |")
    print("|---|---|---|---|---|")
    for run_in, losses in total.items():
        worst = max(border[0] for border in losses)
        print(
            f"| {run_in} | {mean_of(losses, 1):.3f} | {worst:.3f} | {mean_of(losses, 4):.3f} | "
            f"{segment_mean(losses):.5f} |"
        )


if __name__ == "__main__":
    main()
