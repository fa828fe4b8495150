from __future__ import annotations

import json
from importlib import resources

import pytest
import torch
from rich.console import Console
from torch import Tensor

from upreel.errors import UsageError
from upreel.evaluation.network_cost import LargestTile, make_state, make_window, measure
from upreel.evaluation.networks import (
    SIZES,
    Cost,
    measure_apart,
    measure_networks,
    read_measured,
    read_published_costs,
    to_json,
    to_table,
)
from upreel.models import ZOO
from upreel.models.edvr import EDVR
from upreel.models.tiled import Tiled
from upreel.models.upscaler import Spec, State, Window

MEASURED = resources.files("upreel.evaluation") / "measured" / "epyc-zen5.json"


def make_costs() -> dict[str, list[Cost | None]]:
    """Of one network that needs a tile at the larger size, where another takes too long."""

    def run(name: str, size: tuple[int, int], limit: float) -> Cost | None:
        if name == "rbpn" and size == SIZES[1]:
            return None
        tile = 128 if size == SIZES[1] else None
        return Cost(name, size, 3_300_131, tile, limit, size[0] * 10**6)

    return measure_networks(["edvr", "rbpn"], limit=7, measure=run)


def test_the_table_has_both_sizes_and_what_papers_state() -> None:
    with (console := Console(width=240)).capture() as capture:
        console.print(to_table(make_costs(), "a machine"))
    text = capture.get()
    lines = [line.split() for line in text.splitlines() if line.strip()]
    rows = {line[0]: line for line in lines if "(measured)" not in line}
    assert "Networks on a machine" in text
    assert rows["edvr"] == ["edvr", "3,300,131", "128", "7", "320", "7", "960"]
    assert rows["rbpn"] == ["rbpn", "3,300,131", "7", "320", "-", "-"]
    assert rows["RSTT-S"][1:8] == ["(published)", "4.49", "M", "26.2", "frames", "per", "second;"]
    assert "MSITF (published)" in text
    (measured,) = (line for line in lines if line[:2] == ["rbpn", "(measured)"])
    assert measured[2:10] == [
        "12,771,943",
        "128",
        "103824",
        "2264",
        "1057161",
        "2654",
        "AMD",
        "EPYC",
    ]


def test_what_is_measured_here_can_stand_as_a_reference() -> None:
    found = json.loads(to_json(make_costs(), "a GPU"))
    assert set(found) >= set(json.loads(MEASURED.read_text("utf-8")))
    measured = read_measured()
    ours = json.loads(MEASURED.read_text("utf-8"))["device"]
    assert "EPYC" in ours
    for device, costs in measured.items():
        assert set(costs) <= set(ZOO)
        assert all(cost.size == size if cost else device != ours for each in costs.values()
                   for cost, size in zip(each, SIZES, strict=True))  # fmt: skip
    assert ours in measured


@pytest.mark.gpu
def test_a_network_is_measured_on_a_gpu() -> None:
    cost = measure("swift", SIZES[0])
    assert cost.memory is not None
    assert 4 * SIZES[0][0] * SIZES[0][1] < cost.memory < torch.cuda.mem_get_info()[1]
    assert cost.milliseconds > 0


def test_json_is_for_machines() -> None:
    found = json.loads(to_json(make_costs(), "a machine"))
    assert found["device"] == "a machine"
    assert found["networks"]["edvr"][1]["tile"] == 128
    assert found["networks"]["rbpn"][1] is None
    assert {"RSTT-S", "RSTT-M", "RSTT-L", "MSITF"} <= {
        each["method"] for each in found["published"]
    }


def test_published_costs_name_their_source() -> None:
    costs = {each.method: each for each in read_published_costs()}
    assert all(each.source for each in costs.values())
    assert costs["MSITF"].parameters == 5.585611
    assert costs["MSITF"].fps is None


def test_networks_that_are_not_there_are_refused() -> None:
    with pytest.raises(UsageError, match=r"expected networks out of swift, .*, found 'nothing'"):
        measure_networks(["nothing"], limit=1)


def test_a_process_that_takes_too_long_has_no_cost() -> None:
    assert measure_apart("bicubic", (16, 8), 0.01) is None


def test_a_filter_is_measured() -> None:
    cost = measure("bicubic", (24, 16))
    assert (cost.network, cost.size, cost.parameters, cost.tile) == ("bicubic", (24, 16), 0, None)
    assert cost.milliseconds > 0


class Plain:
    """Repeats each sample, and keeps the sizes that it was given."""

    spec = Spec(scale=2, color="luma", halo=2)

    def __init__(self) -> None:
        self.sizes: list[tuple[int, ...]] = []

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        self.sizes.append(tuple(window.clip.shape[-2:]))
        high = window.middle.repeat_interleave(2, -1).repeat_interleave(2, -2)
        return high, state


def test_the_largest_tile_alone_is_computed() -> None:
    inner = Plain()
    metered = LargestTile(inner)
    tiled = Tiled(metered, 8)
    window = Window(torch.rand(1, 1, 1, 10, 22))
    tiled.step(window, {})
    metered.look()
    assert inner.sizes == []
    tiled.step(window, {})
    assert inner.sizes == [(10, 12)]  # the middle one of the upper row, with its overlap
    assert metered.areas == [100, 120, 80, 40, 48, 32]
    assert metered.seconds > 0


def test_the_state_is_as_large_as_a_step_returns_it() -> None:
    network = EDVR(variant="tiny").eval().bfloat16()
    size, device = (9, 14), torch.device("cpu")
    with torch.inference_mode():
        _, real = network.step(make_window(network.spec, size, device), {})
        made = make_state(network, size, device)
    assert {k: (v.shape, v.dtype) for k, v in made.items()} == {
        k: (v.shape, v.dtype) for k, v in real.items()
    }


def test_an_interpolator_is_measured_too() -> None:
    cost = measure("glide", (48, 32))
    assert cost.parameters == 236_315
    assert cost.milliseconds > 0
