"""The questions of docs/scale.md, each answered with a table."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from math import sqrt
from statistics import mean

import numpy as np

from scripts.farm_simulation.costs import WRITES, Costs, Design
from scripts.farm_simulation.model import Archive, Farm, Faults, Outcome, simulate
from scripts.farm_simulation.rates import OWNED, PREEMPTIBLE, SPOT, faults, slow_factors

FPS = 25
HOUR = 3600
FILE_HOURS = 2
MOST_WORKERS = 1_000_000
SHIPPED = 400
"""Frames of a segment as `upreel.inference.plan` cuts them, where no scene ends."""

WORKERS = (1, 10, 100, 1000)
LENGTHS = (50, 100, 200, 400, 800, 1600, 3200, 6400)
FLEETS = {"owned": OWNED, "spot": SPOT, "preemptible": PREEMPTIBLE}
SEEDS = 40

Rows = list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Case:
    """One simulation."""

    archive: Archive
    farm: Farm
    faults: Faults
    seed: int = 0

    def outcome(self) -> Outcome:
        """What comes of it."""
        return simulate(self.archive, self.farm, self.faults, seed=self.seed)


def run(cases: Sequence[Case]) -> list[Outcome]:
    """Simulate cases, on all cores."""
    with ProcessPoolExecutor() as pool:
        return list(pool.map(Case.outcome, cases))


def archive(hours: float, segment: int = SHIPPED) -> Archive:
    """So many hours of video, in files of two hours or in a shorter one."""
    files = max(1, round(hours / FILE_HOURS))
    return Archive(files, round(hours / files * HOUR * FPS), segment)


@dataclass(frozen=True, slots=True)
class Scaled:
    """How a number of workers does.

    Attributes:
        workers: how many.
        fleet: whose; `none`: nothing fails and nothing is slow.
        design: of the farm.
        outcome: of the simulation.
        efficiency: what one unbroken process would need of one core, of what all workers were
            there for.
    """

    workers: int
    fleet: str
    design: Design
    outcome: Outcome
    efficiency: float


def scale(costs: Costs, hours: float) -> list[Scaled]:
    """An archive on more and more workers."""
    whole = archive(hours)
    most = WORKERS[-1]
    keys: list[tuple[int, str, Design]] = [
        *((workers, "owned", "seeking") for workers in WORKERS),
        (most, "none", "seeking"),
        (most, "preemptible", "seeking"),
        (most, "owned", "from the start"),
        (most, "owned", "helpers"),
    ]
    outcomes = run(
        [
            Case(
                whole,
                costs.farm(workers, whole, design=design),
                Faults() if fleet == "none" else faults(FLEETS[fleet]),
            )
            for workers, fleet, design in keys
        ]
    )
    work = whole.files * whole.frames * costs.frame
    return [
        Scaled(*key, outcome, work / (key[0] * outcome.makespan))
        for key, outcome in zip(keys, outcomes, strict=True)
    ]


def scaling_rows(found: Iterable[Scaled]) -> Rows:
    """For each number of workers: days, efficiency, and why not more."""
    head = ("design", "fleet", "workers", "days", "efficiency", "waiting for the plan",
            "failures", "lost, worker-hours")  # fmt: skip
    rows: Rows = [head]
    for one in found:
        outcome = one.outcome
        rows.append(
            (
                one.design,
                one.fleet,
                f"{one.workers:,}",
                f"{outcome.makespan / 86400:,.2f}",
                f"{one.efficiency:.1%}",
                f"{outcome.starved / one.workers / outcome.makespan:.0%}",
                f"{outcome.failures:,}",
                f"{outcome.lost / HOUR:,.1f}",
            )
        )
    return rows


@dataclass(frozen=True, slots=True)
class Length:
    """What a length of segments costs, in worker-hours.

    Attributes:
        segment: frames.
        overhead: run-ins, encoders and so on.
        lost: to failures, as expected, by fleet.
        simulated: the same of the preemptible fleet, simulated.
    """

    segment: int
    overhead: float
    lost: dict[str, float]
    simulated: float


def compare_lengths(costs: Costs, hours: float) -> list[Length]:
    """Lost work by the length of segments; the driver holds nobody up here."""
    parts = [archive(hours / 10, segment) for segment in LENGTHS]  # a tenth is simulated
    cases = [
        Case(
            part,
            replace(costs.farm(100, part), plan=0.0, join=0.0, transfer=0.0),
            faults(PREEMPTIBLE),
        )
        for part in parts
    ]
    return [
        Length(
            part.segment,
            10 * part.total * costs.segment / HOUR,
            {
                fleet: 10 * part.total * expected_loss(costs, part.segment, rate) / HOUR
                for fleet, rate in FLEETS.items()
            },
            10 * outcome.lost / HOUR,
        )
        for part, outcome in zip(parts, run(cases), strict=True)
    ]


def expected_loss(costs: Costs, segment: int, rate: float) -> float:
    """Seconds lost for a segment on average, until it is done: the closed form.

    An attempt that takes `t` fails with probability `1 - exp(-rate t)`; each is as slow as it
    happens to be.
    """
    factors = slow_factors(np.random.default_rng(0), 1 << 18)
    times = factors * (costs.segment + segment * costs.frame)
    done = np.exp(-rate * times)
    lost = -np.expm1(-rate * times) / rate - times * done
    return float(lost.mean() / done.mean())


def length_rows(found: Iterable[Length]) -> Rows:
    """Overhead and lost work for each length."""
    rows: Rows = [("frames", "overhead", *(f"lost, {fleet}" for fleet in FLEETS), "simulated",
                   *(f"both, {fleet}" for fleet in FLEETS))]  # fmt: skip
    for one in found:
        lost = [f"{hours:,.2f}" for hours in one.lost.values()]
        both = [f"{one.overhead + hours:,.0f}" for hours in one.lost.values()]
        rows.append(
            (f"{one.segment:,}", f"{one.overhead:,.0f}", *lost, f"{one.simulated:,.2f}", *both)
        )
    return rows


def best_length(costs: Costs, rate: float) -> float:
    """Frames of a segment at which overhead and lost work together are least.

    Young (1974): an interval of sqrt(2 cost / rate) seconds between two checkpoints.
    """
    return sqrt(2 * costs.segment / rate) / costs.frame


@dataclass(frozen=True, slots=True)
class Film:
    """Minutes that one film takes, means over seeds, on workers that nobody holds up."""

    segment: int
    steady: float
    slow: float
    twice: float


def compare_films(costs: Costs, workers: int = 100) -> list[Film]:
    """One file of two hours: without slow segments, with them, and where they begin twice."""
    cases = []
    for segment in LENGTHS:
        film = archive(FILE_HOURS, segment)
        farm = replace(costs.farm(workers, film), plan=0.0, join=0.0, transfer=0.0)
        cases.append(Case(film, farm, Faults()))
        for speculate in (False, True):
            farm = replace(farm, speculate=speculate)
            cases += [Case(film, farm, faults(OWNED), seed) for seed in range(SEEDS)]
    outcomes = iter(run(cases))
    found = []
    for segment in LENGTHS:
        steady, *slow = [next(outcomes).makespan / 60 for _ in range(2 * SEEDS + 1)]
        found.append(Film(segment, steady, mean(slow[:SEEDS]), mean(slow[SEEDS:])))
    return found


def film_rows(found: Iterable[Film]) -> Rows:
    """Minutes for each length."""
    rows: Rows = [("frames", "no faults", "slow segments", "with a second attempt", "saved")]
    for one in found:
        saved = f"{1 - one.twice / one.slow:.0%}"
        rows.append(
            (f"{one.segment:,}", f"{one.steady:.1f}", f"{one.slow:.1f}", f"{one.twice:.1f}", saved)
        )
    return rows


def limit_rows(costs: dict[str, Costs], segment: int = SHIPPED) -> Rows:
    """From how many workers on each part holds the others up, for frames of some sizes."""
    rows: Rows = [
        ("part", *(f"{size}, {cost.frame * 1000:.0f} ms" for size, cost in costs.items()))
    ]
    columns = [limits(cost, archive(FILE_HOURS, segment)) for cost in costs.values()]
    rows += [(name, *(f"{column[name]:,}" for column in columns)) for name in columns[0]]
    return rows


def limits(costs: Costs, whole: Archive) -> dict[str, int]:
    """The most workers that each part keeps busy; some take longer with more of them."""
    parts: dict[str, Callable[[Farm], float]] = {
        "planning, 1 to 8 threads of the driver": lambda farm: whole.segment * farm.plan,
        "the driver takes in segments": lambda farm: farm.count,
        "joining, 1 thread of the driver": lambda farm: whole.segment * farm.join,
        "network, 10 Gbit/s": lambda farm: whole.segment * farm.transfer,
        "object store, 3,500 writes a second": lambda farm: 1 / WRITES,
    }

    def keeps_up(busy: Callable[[Farm], float], workers: int) -> bool:
        farm = costs.farm(workers, whole)
        return workers * busy(farm) <= farm.segment + whole.segment * farm.frame

    return {
        name: bisect_left(range(1, MOST_WORKERS), True, key=lambda w: not keeps_up(busy, w))
        for name, busy in parts.items()
    }


def ledger_rows(costs: Costs) -> Rows:
    """What a ledger costs that is written anew for every segment, by the length of the file."""
    rows: Rows = [("file", "segments", "ledger, MB", "written, GB", "driver, ms a segment")]
    for hours in (2, 24, 100, 1000, 10_000):
        segments = hours * HOUR * FPS // SHIPPED
        seconds, written = costs.ledger(segments)
        last = 2 * written / (segments + 1)
        rows.append((f"{hours:,} h", f"{segments:,}", f"{last / 1e6:,.1f}",
                     f"{written / 1e9:,.1f}", f"{seconds * 1e3:,.0f}"))  # fmt: skip
    return rows


def to_markdown(rows: Rows) -> str:
    """A table."""
    head, *body = rows
    lines = ["|".join(row) for row in (head, ["---"] * len(head), *body)]
    return "\n".join(f"|{line}|" for line in lines)
