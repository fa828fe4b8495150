"""What was measured, as a farm of the model; and what is assumed of its network and disk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from scripts.farm_simulation.model import Archive, Farm

MEASURED = Path(__file__).parents[2] / "docs" / "scale.json"

MOST_PLANNERS, PER_PLANNER = 8, 8
"""Threads of the driver that plan, at most, and workers for each: as in `upreel.farm.driver`."""

NETWORK = 10e9 / 8
"""Bytes in a second that all workers and the driver share: assumed, 10 Gbit/s."""

SYNC = 0.005
"""Seconds until a disk has a small file for good: assumed. The driver waits for a segment's and
for the ledger's."""

WRITES = 3500
"""Objects that can be written in a second under one name of a folder: S3, as AWS says."""

CORES = 16
"""Workers of a machine; each machine fetches the files that its workers read: assumed."""

HELPERS = 32
"""Processes that plan, and as many that join, in the design that is not built."""

GOP = 250
"""Frames between two that can be decoded alone, x264's default; half of them come in vain."""

Design = Literal["from the start", "seeking", "helpers"]
"""How workers come to a segment: by decoding all before it; by seeking; and where the driver leaves
planning and joining to others, and each machine fetches only what its segments need."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of CPU time on one core, and bytes; `written` for numbers of segments.

    Attributes:
        frame: for a frame of the source that is enlarged.
        segment: more, for each segment: its run-in, its encoder.
        start: of a worker.
        plan: for a frame that the driver decodes to find segments.
        decode: for a frame that is decoded and not looked at.
        join: for a frame of a finished file.
        fetched: bytes of the source for a frame.
        made: bytes of the result for a frame.
        take: of the driver, for a byte of a segment that it writes and checks.
        wait: of the driver, to hear of the next segment, for each worker.
        written: seconds and bytes of a ledger with so many segments.
    """

    frame: float
    segment: float
    start: float
    plan: float
    decode: float
    join: float
    fetched: float
    made: float
    take: float
    wait: float
    written: dict[int, tuple[float, int]]

    def ledger(self, segments: int) -> tuple[float, float]:
        """Seconds for one segment, and bytes for all, where a ledger grows to so many of them."""
        (few, (fewest, _)), *_, (many, (most, size)) = sorted(self.written.items())
        slope = (most - fewest) / (many - few)
        mean = max(fewest, fewest + slope * (segments / 2 - few))
        return mean, size / many * segments * (segments + 1) / 2

    def farm(
        self,
        workers: int,
        archive: Archive,
        *,
        design: Design = "seeking",
        speculate: bool = False,
    ) -> Farm:
        """A farm whose workers have one core each."""
        helpers = design == "helpers"
        machines = 1 if helpers else min(-(-workers // CORES), archive.each)
        return Farm(
            workers,
            self.frame,
            self.segment + (0.0 if design == "from the start" else GOP / 2 * self.decode),
            start=self.start,
            skip=self.decode if design == "from the start" else 0.0,
            plan=self.plan
            / (HELPERS if helpers else min(MOST_PLANNERS, 1 + workers // PER_PLANNER)),
            count=self.ledger(archive.each)[0]
            + 2 * SYNC
            + workers * self.wait
            + archive.segment * self.made * self.take,
            transfer=(machines * self.fetched + self.made) / NETWORK,
            join=self.join / (HELPERS if helpers else 1),
            speculate=speculate,
        )


def read_costs(size: str, path: Path = MEASURED) -> Costs:
    """What `scripts/measure_segment_costs.py` has written for frames of a size."""
    measured = json.loads(path.read_text(encoding="utf-8"))
    found = measured["sizes"][size]
    return Costs(
        frame=found["frame"],
        segment=found["segment"],
        start=measured["start"],
        plan=found["plan"],
        decode=found["decode"],
        join=found["join"],
        fetched=found["bytes_in"],
        made=found["bytes_out"],
        take=measured["take"],
        wait=measured["wait"],
        written={row["segments"]: (row["seconds"], row["bytes"]) for row in measured["ledger"]},
    )
