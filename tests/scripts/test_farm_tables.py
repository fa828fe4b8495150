"""What is made of measured costs and published rates."""

from __future__ import annotations

import json
from dataclasses import replace
from math import exp, expm1, sqrt
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from scripts.farm_simulation.costs import SYNC, Costs, read_costs
from scripts.farm_simulation.model import Archive, simulate
from scripts.farm_simulation.rates import OWNED, PREEMPTIBLE, TRAINING, faults, slow_factors
from scripts.farm_simulation.tables import (
    archive,
    best_length,
    expected_loss,
    ledger_rows,
    limits,
)

MEASURED = {
    "start": 2.0, "take": 1e-9, "wait": 1e-6,
    "ledger": [
        {"segments": 10, "bytes": 3000, "seconds": 0.001},
        {"segments": 1010, "bytes": 303_000, "seconds": 0.003},
    ],
    "sizes": {
        "320x180": {
            "frame": 0.05, "segment": 0.5, "plan": 0.0005, "decode": 0.0004, "join": 0.0001,
            "bytes_in": 1000, "bytes_out": 4000,
        }
    },
}  # fmt: skip


@pytest.fixture
def costs(tmp_path: Path) -> Costs:
    path = tmp_path / "costs.json"
    path.write_text(json.dumps(MEASURED))
    return read_costs("320x180", path)


def test_an_archive_has_the_hours_that_were_asked_for() -> None:
    whole = archive(10_000, 400)
    assert (whole.files, whole.frames, whole.each) == (5000, 180_000, 450)
    assert archive(1, 400) == Archive(1, 90_000, 400)


def test_slow_segments_are_as_slow_as_published() -> None:
    found = slow_factors(np.random.default_rng(3), 500_000)
    assert found.mean() == pytest.approx(0.9 + 0.1 * (0.8 * 2 + 0.1 * 6.25 + 0.1 * 10), rel=0.005)
    assert (found == 1).mean() == pytest.approx(0.9, abs=0.002)
    assert ((found >= 1.5) & (found < 2.5)).mean() == pytest.approx(0.08, abs=0.002)
    assert (found == 10).mean() == pytest.approx(0.01, abs=0.001)


def test_two_sources_agree_on_machines_that_one_owns() -> None:
    year = 365 * 86_400
    assert OWNED * year == pytest.approx(1.64, abs=0.01)
    assert TRAINING * year == pytest.approx(1.38, abs=0.01)
    assert 1 - exp(-(PREEMPTIBLE * 86_400 - 1)) == pytest.approx(0.15)


def test_a_ledger_is_written_anew_for_each_segment(costs: Costs) -> None:
    seconds, written = costs.ledger(2020)
    assert seconds == pytest.approx(0.003)  # with half of them, on average
    assert written == pytest.approx(sum(300 * count for count in range(1, 2021)))
    assert ledger_rows(costs)[1][:2] == ("2 h", "450")


def test_simulated_losses_are_those_expected(costs: Costs) -> None:
    rate = 3e-3
    part = Archive(1, 400 * 5000, 400)
    bare = replace(costs, plan=0.0, join=0.0, decode=0.0)
    farm = replace(bare.farm(10, part), count=0.0, transfer=0.0)
    found = [simulate(part, farm, faults(rate), seed=seed).lost for seed in range(3)]
    assert np.mean(found) / 5000 == pytest.approx(expected_loss(costs, 400, rate), rel=0.12)


def test_the_best_length_is_where_overhead_and_loss_are_least(costs: Costs) -> None:
    rate = 1e-5

    def price(segment: float) -> float:  # for a frame, where nothing is slow
        time = costs.segment + segment * costs.frame
        return (costs.segment + expm1(rate * time) / rate - time) / segment

    least = minimize_scalar(price, bounds=(10, 1e5), method="bounded").x
    assert best_length(costs, rate) == pytest.approx(sqrt(2 * 0.5 / rate) / 0.05)
    assert best_length(costs, rate) == pytest.approx(least, rel=0.02)


def test_a_farm_has_the_designs_times(costs: Costs) -> None:
    whole = archive(4)
    seeking = costs.farm(100, whole)
    assert seeking.plan == pytest.approx(0.0005 / 8)
    assert costs.farm(20, whole).plan == pytest.approx(0.0005 / 3)
    assert seeking.segment == pytest.approx(0.5 + 125 * 0.0004)
    assert seeking.transfer * 10e9 / 8 == pytest.approx(7 * 1000 + 4000)  # seven machines read it
    expected = costs.ledger(450)[0] + 2 * SYNC + 100e-6 + 400 * 4000e-9
    assert seeking.count == pytest.approx(expected)
    slow = costs.farm(100, whole, design="from the start")
    assert (slow.segment, slow.skip) == (0.5, 0.0004)


def test_the_farm_slows_down_where_the_limits_say(costs: Costs) -> None:
    whole = archive(200)
    limit = limits(costs, whole)["planning, 1 to 8 threads of the driver"]
    assert limit == int((0.5 + 125 * 0.0004 + 400 * 0.05) / (400 * 0.0005 / 8))
    for workers, expected in ((limit // 2, 0.5), (2 * limit, 1.0)):
        farm = replace(costs.farm(workers, whole), join=0.0, count=0.0, transfer=0.0)
        planning = whole.files * whole.frames * farm.plan
        assert planning / simulate(whole, farm).makespan == pytest.approx(expected, rel=0.05)


def test_limits_that_grow_with_the_farm(costs: Costs) -> None:
    found = limits(costs, archive(200))

    def taken(workers: int) -> float:  # of a second, by the network
        return workers * 400 * (-(-workers // 16) * 1000 + 4000) / (20.55 * 10e9 / 8)

    network = found["network, 10 Gbit/s"]
    assert taken(network) <= 1 < taken(network + 1)
