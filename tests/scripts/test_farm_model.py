"""The simulated farm against closed forms."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle, islice
from math import ceil, exp

import numpy as np
import pytest
from numpy.typing import NDArray

from scripts.farm_simulation.model import Archive, Factors, Farm, Faults, simulate

ARCHIVE = Archive(files=3, frames=1000, segment=300)  # 300, 300, 300 and 100
FARM = Farm(1, frame=0.02, segment=0.5, start=3.0)
ONE = 0.5 + 300 * 0.02


def repeated(*factors: float) -> Factors:
    def made(random: np.random.Generator, count: int) -> NDArray[np.float64]:
        return np.fromiter(islice(cycle(factors), count), np.float64)

    return made


def test_one_worker_takes_the_sum() -> None:
    found = simulate(ARCHIVE, FARM)
    assert ARCHIVE.total == 12
    assert found.makespan == pytest.approx(3 + 3000 * 0.02 + 12 * 0.5)
    assert found.worked == pytest.approx(found.makespan - 3)
    assert found.lost == 0


def test_what_lies_before_a_segment_is_read_each_time() -> None:
    found = simulate(ARCHIVE, replace(FARM, skip=0.001))
    before = 3 * (300 + 600 + 900) * 0.001
    assert found.makespan == pytest.approx(3 + 3000 * 0.02 + 12 * 0.5 + before)


@pytest.mark.parametrize("workers", [2, 5, 40])
def test_workers_take_segments_in_waves(workers: int) -> None:
    archive = Archive(files=4, frames=3000, segment=300)
    found = simulate(archive, replace(FARM, workers=workers))
    assert found.makespan == pytest.approx(3 + ceil(40 / workers) * ONE)


@pytest.mark.parametrize("repair", [0.0, 20.0])
def test_restarts_take_as_long_as_expected(repair: float) -> None:
    # A segment of length L under a rate r is done after (exp(r L) - 1) / r on average.
    count, rate = 10_000, 0.08
    archive, farm = Archive(1, 300 * count, 300), replace(FARM, start=0.0)
    found = simulate(archive, farm, Faults(rate, repair), seed=1)
    failures = exp(rate * ONE) - 1
    assert found.failures / count == pytest.approx(failures, rel=0.04)
    assert found.makespan / count == pytest.approx(failures * (1 / rate + repair), rel=0.04)
    assert found.lost / count == pytest.approx(failures / rate - ONE, rel=0.05)


def test_a_driver_that_counts_too_slowly_holds_all_up() -> None:
    archive = Archive(files=10, frames=3000, segment=300)
    found = simulate(archive, replace(FARM, workers=50, count=0.4))
    assert found.makespan == pytest.approx(3 + ONE + 100 * 0.4)  # 50 of them take longer than ONE


def test_a_driver_that_plans_too_slowly_holds_all_up() -> None:
    archive = Archive(files=10, frames=3000, segment=300)
    found = simulate(archive, replace(FARM, workers=50, plan=0.01))
    assert found.makespan == pytest.approx(30_000 * 0.01 + ONE)
    assert found.starved > 10_000


def test_a_network_that_is_too_slow_holds_all_up() -> None:
    archive = Archive(files=10, frames=3000, segment=300)
    found = simulate(archive, replace(FARM, workers=50, transfer=0.001))
    assert found.makespan == pytest.approx(3 + 30_000 * 0.001 + ONE)


def test_files_are_joined_one_after_the_other() -> None:
    archive = Archive(files=4, frames=300, segment=300)
    found = simulate(archive, replace(FARM, workers=4, join=0.1))
    assert found.enlarged == pytest.approx(3 + ONE)
    assert found.makespan == pytest.approx(3 + ONE + 4 * 30)
    slow = simulate(archive, replace(FARM, join=0.001))  # only the last is waited for
    assert slow.makespan == pytest.approx(3 + 4 * ONE + 0.3)


def test_slow_segments_stay_within_grahams_bound() -> None:
    archive = Archive(files=1, frames=300 * 997, segment=300)
    factors = (1.0, 2.0, 1.0, 5.0, 1.0, 1.0, 10.0)
    found = simulate(
        archive, replace(FARM, workers=20, start=0), Faults(factors=repeated(*factors))
    )
    work = sum(islice(cycle(factors), 997)) * ONE
    assert found.worked == pytest.approx(work)
    assert work / 20 <= found.makespan <= work / 20 + 10 * ONE


def test_an_idle_worker_begins_the_slowest_segment_again() -> None:
    archive = Archive(files=1, frames=600, segment=300)
    farm, faults = replace(FARM, workers=2, start=0), Faults(factors=repeated(10, 1, 1))
    assert simulate(archive, farm, faults).makespan == pytest.approx(10 * ONE)
    found = simulate(archive, replace(farm, speculate=True), faults)
    assert found.makespan == pytest.approx(2 * ONE)
    assert found.twice == pytest.approx(2 * ONE)  # what the slow one had done until then
    assert found.worked == pytest.approx(4 * ONE)


@pytest.mark.parametrize("seed", range(20))
def test_every_second_of_work_is_accounted_for(seed: int) -> None:
    archive = Archive(files=7, frames=2100, segment=300)
    farm = replace(FARM, workers=9, speculate=True, plan=0.002, count=0.1, transfer=1e-4)
    found = simulate(archive, farm, Faults(rate=0.05, repair=4.0), seed=seed)
    assert found.failures > 0
    assert found.worked - found.lost - found.twice == pytest.approx(49 * ONE)
    assert found.worked <= 9 * found.makespan


def test_a_seed_decides() -> None:
    farm, faults = replace(FARM, workers=3), Faults(rate=0.02, repair=1.0)
    first, same, other = (simulate(ARCHIVE, farm, faults, seed=seed) for seed in (4, 4, 5))
    assert first == same
    assert first != other
