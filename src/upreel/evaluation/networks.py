"""What each network of the zoo costs: weights, time and memory at two sizes of frames.

Every measurement runs in a process of its own (`evaluation.network_cost`), so that its peak memory
is its own, and takes a bounded time: one step at most. Of a frame that has to be cut into tiles,
the largest tile is measured, and its time counts as often as its area fits into all tiles.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import resources

from pydantic import TypeAdapter
from rich import box
from rich.table import Table

from upreel.errors import UsageError
from upreel.models import ZOO

SIZES = ((320, 180), (960, 540))
"""(width, height) of the frames that networks are measured with."""

_CAPTION = (
    "ms: processor time (on a GPU: time) of a frame that comes out; MB: the process at most. "
    "Of frames in tiles, one tile was measured and counted as often as it fits. -: not in time"
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one step of a network took.

    Attributes:
        network: its name in the zoo.
        size: (width, height) of the frames.
        parameters: how many weights it has.
        tile: the side of its tiles; `None` where whole frames were measured.
        milliseconds: for each frame that comes out, of all cores together; on a GPU, of the clock.
        memory: bytes that the process (on a GPU, its tensors there) held at most; `None` where the
            system does not tell.
    """

    network: str
    size: tuple[int, int]
    parameters: int
    tile: int | None
    milliseconds: float
    memory: int | None


@dataclass(frozen=True, slots=True)
class PublishedCost:
    """What a paper states of a network's size and speed.

    Attributes:
        method: its name in the field.
        parameters: millions.
        fps: frames that come out in a second; `None` where nobody published it.
        source: who says so, and on which frames and machine.
    """

    method: str
    parameters: float
    source: str
    fps: float | None = None


Measure = Callable[[str, tuple[int, int], float], Cost | None]


def measure_networks(
    names: Sequence[str],
    *,
    limit: float,
    measure: Measure | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, list[Cost | None]]:
    """Measure networks of the zoo as published (`paper`) where they come in several sizes.

    Args:
        names: in the zoo.
        limit: seconds that one measurement may take.
        measure: what measures one; a process of its own without it.
        progress: is told what comes next.

    Returns:
        For each name a cost for each of `SIZES`; `None` where time or memory did not suffice.

    Raises:
        UsageError: a name is not in the zoo.
    """
    measure = measure or measure_apart
    for name in names:
        if name not in ZOO:
            raise UsageError(f"expected networks out of {', '.join(ZOO)}, found {name!r}")
    costs: dict[str, list[Cost | None]] = {}
    for name in names:
        for size in SIZES:
            progress(f"{name} {size[0]}x{size[1]}, {limit:.0f} s at most")
            costs.setdefault(name, []).append(measure(name, size, limit))
    return costs


def measure_apart(name: str, size: tuple[int, int], limit: float) -> Cost | None:
    """Measure a network in a process of its own; `None` where that fails or takes too long."""
    command = [sys.executable, "-m", "upreel.evaluation.network_cost", json.dumps([name, size])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=limit)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return None
    values = json.loads(done.stdout.splitlines()[-1])
    return Cost(**(values | {"size": tuple(values["size"])}))


def read_published_costs() -> tuple[PublishedCost, ...]:
    """All costs of `published.toml`."""
    text = (resources.files("upreel.evaluation") / "published.toml").read_text(encoding="utf-8")
    return TypeAdapter(tuple[PublishedCost, ...]).validate_python(tomllib.loads(text)["costs"])


def read_measured() -> dict[str, dict[str, list[Cost | None]]]:
    """What was measured before, by device: each file of `measured` is what `to_json` made there."""
    folder = resources.files("upreel.evaluation") / "measured"
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    found = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    costs = TypeAdapter(dict[str, list[Cost | None]])
    return {each["device"]: costs.validate_python(each["networks"]) for each in found}


def to_table(costs: dict[str, list[Cost | None]], device: str) -> Table:
    """The costs, what the same networks cost on other devices, and what papers state of theirs."""
    made = Table(title=f"Networks on {device}", caption=_CAPTION, box=box.SIMPLE)
    made.add_column("network")
    for header in ("weights", "tile"):
        made.add_column(header, justify="right")
    for width, height in SIZES:
        for header in ("ms", "MB"):
            made.add_column(f"{header}\n{width}x{height}", justify="right")
    made.add_column("where")
    for row in _rows(costs):
        made.add_row(*row)
    return made


def to_json(costs: dict[str, list[Cost | None]], device: str) -> str:
    """The same for machines."""
    measured = {name: [cost and asdict(cost) for cost in each] for name, each in costs.items()}
    published = [asdict(each) for each in read_published_costs()]
    return json.dumps({"device": device, "networks": measured, "published": published}, indent=2)


def _rows(costs: dict[str, list[Cost | None]]) -> list[tuple[str, ...]]:
    rows = [_row(name, each) for name, each in costs.items()]
    for device, others in read_measured().items():
        rows += [
            _row(f"{name} (measured)", others[name], device) for name in costs if name in others
        ]
    for entry in read_published_costs():
        weights = f"{entry.parameters:.2f} M"
        speed = "no speed" if entry.fps is None else f"{entry.fps:g} frames per second"
        blank = ("",) * (2 * len(SIZES) + 1)
        rows.append((f"{entry.method} (published)", weights, *blank, f"{speed}; {entry.source}"))
    return rows


def _row(name: str, costs: list[Cost | None], source: str = "") -> tuple[str, ...]:
    known = [cost for cost in costs if cost]
    weights = f"{known[0].parameters:,}" if known else ""
    tile = next((str(cost.tile) for cost in known if cost.tile), "")
    return (name, weights, tile, *(figure for cost in costs for figure in _figures(cost)), source)


def _figures(cost: Cost | None) -> tuple[str, str]:
    if cost is None:
        return "-", "-"
    return f"{cost.milliseconds:.0f}", "?" if cost.memory is None else f"{cost.memory / 1e6:.0f}"
