"""What was measured, as a farm of the model; and what is assumed of its network and disk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from scripts.farm_simulation.model import Farm

MEASURED = Path(__file__).parents[2] / "docs" / "scale.json"

NETWORK = 10e9 / 8
"""Bytes in a second that all workers and the driver share: assumed, 10 Gbit/s."""

SYNC = 0.005
"""Seconds that a disk takes to keep a ledger for good: assumed."""

WRITES = 3500
"""Objects that can be written in a second under one name of a folder: S3, as AWS says."""

HELPERS = 32
"""Processes that plan, and as many that join, in the design that is not built."""

Design = Literal["one driver", "helpers"]


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of CPU time on one core, and bytes; `ledger` for a number of segments.

    Attributes:
        frame: for a frame of the source that is enlarged.
        segment: more, for each segment: its run-in, its encoder.
        start: of a worker.
        plan: for a frame that the driver decodes to find segments.
        decode: for a frame that is decoded and not looked at.
        join: for a frame of a finished file.
        moved: bytes that go over the network for a frame, there and back.
        written: seconds and bytes of a ledger with so many segments.
    """

    frame: float
    segment: float
    start: float
    plan: float
    decode: float
    join: float
    moved: float
    written: dict[int, tuple[float, int]]

    def ledger(self, segments: int) -> tuple[float, float]:
        """Seconds for one segment, and bytes for all, where a ledger grows to so many of them."""
        (few, (fewest, _)), *_, (many, (most, size)) = sorted(self.written.items())
        slope = (most - fewest) / (many - few)
        mean = max(fewest, fewest + slope * (segments / 2 - few))
        return mean + SYNC, size / many * segments * (segments + 1) / 2

    def farm(
        self,
        workers: int,
        *,
        segments: int,
        design: Design = "one driver",
        speculate: bool = False,
    ) -> Farm:
        """A farm whose workers have one core each; `segments` in a file."""
        helpers = 1 if design == "one driver" else HELPERS
        return Farm(
            workers,
            self.frame,
            self.segment,
            start=self.start,
            plan=self.plan / helpers,
            count=self.ledger(segments)[0],
            transfer=self.moved / NETWORK,
            join=self.join / helpers,
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
        moved=found["bytes_in"] + found["bytes_out"],
        written={row["segments"]: (row["seconds"], row["bytes"]) for row in found["ledger"]},
    )
