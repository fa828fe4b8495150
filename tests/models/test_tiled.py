"""Tiles against the whole frame."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn

from upreel.models.clear import Clear
from upreel.models.swift import Swift
from upreel.models.tiled import Tiled
from upreel.models.upscaler import Spec, State, StateSpec, Window


class Recurrent(nn.Module):
    """A small recurrent network whose state has another size than the frame."""

    def __init__(self, multiple: int = 2) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.enter = nn.Conv2d(1 + 2 + 4, 8, 3, stride=2, padding=1, padding_mode="replicate")
        self.leave = nn.Conv2d(8, 16, 3, padding=1, padding_mode="replicate")
        self.spec = Spec(
            scale=2,
            color="luma",
            inputs=frozenset({"flow"}),
            past=1,
            state={"hidden": StateSpec(4, Fraction(1, 2))},
            multiple=multiple,
            halo=6,
        )

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        now = window.middle[:, 0]
        height, width = now.shape[-2:]
        m = self.spec.multiple
        pad = (0, -width % m, 0, -height % m)
        padded = nn.functional.pad(now, pad, mode="replicate")
        flow = nn.functional.pad(window.inputs["flow"][:, 0, 0], pad, mode="replicate")
        hidden = state.get("hidden")
        if hidden is None:
            hidden = padded.new_zeros(1, 4, padded.shape[-2] // 2, padded.shape[-1] // 2)
        wide = nn.functional.interpolate(hidden, scale_factor=2.0)
        features = torch.relu(self.enter(torch.cat([padded, flow, wide], 1)))
        high = nn.functional.pixel_shuffle(self.leave(features), 4)
        return high[:, None, :, : 2 * height, : 2 * width], {"hidden": features[:, :4]}


@pytest.mark.parametrize("size", [(32, 48), (37, 51), (16, 70)])
@pytest.mark.parametrize("tile", [16, 24])
@pytest.mark.parametrize("multiple", [2, 4])
def test_tiles_equal_the_whole(size: tuple[int, int], tile: int, multiple: int) -> None:
    network = Recurrent(multiple)
    tiled = Tiled(network, tile)
    generator = torch.Generator().manual_seed(1)
    states: list[State] = [{}, {}]
    with torch.inference_mode():
        for _ in range(3):
            clip = torch.rand(1, 2, 1, *size, generator=generator)
            flow = torch.rand(1, 1, 1, 2, *size, generator=generator)
            window = Window(clip, past=1, inputs={"flow": flow})
            whole, states[0] = network.step(window, states[0])
            parts, states[1] = tiled.step(window, states[1])
            torch.testing.assert_close(parts, whole)
            torch.testing.assert_close(states[1]["hidden"], states[0]["hidden"])


def test_the_state_moves_between_tilings() -> None:
    network = Recurrent()
    window = Window(torch.rand(1, 1, 1, 40, 40), inputs={"flow": torch.zeros(1, 1, 1, 2, 40, 40)})
    with torch.inference_mode():
        _, state = Tiled(network, 16).step(window, {})
        expected, _ = network.step(window, state)
        found, _ = Tiled(network, 24).step(window, state)
    torch.testing.assert_close(found, expected)


def test_motion_may_be_larger_than_the_halo() -> None:
    """What moves into a tile was outside it a frame ago."""
    torch.manual_seed(0)
    network = Swift(2, channels=8, hidden=8, blocks=1).eval()
    torch.nn.init.normal_(network.out.weight, std=0.3)
    flow = torch.zeros(1, 1, 2, 2, 40, 96)
    flow[:, :, 0, 0], flow[:, :, 1, 0] = -14, 14
    states: list[State] = [{}, {}]
    with torch.inference_mode():
        for time in range(3):
            clip = torch.rand(1, 3 if time else 2, 1, 40, 96)
            window = Window(clip, int(time > 0), 1, {"flow": flow})
            whole, states[0] = network.step(window, states[0])
            parts, states[1] = Tiled(network, 32).step(window, states[1])
            torch.testing.assert_close(parts, whole, atol=1e-5, rtol=0)


def test_motion_counts_where_it_is_known_between_frames_of_a_window() -> None:
    """As above, for a network that goes both ways: seams are small, as its halo has no bound."""
    torch.manual_seed(0)
    network = Clear(2, channels=8, back=1, blocks=1, chunk=4, future=0).eval()
    torch.nn.init.normal_(network.out.weight, std=0.3)
    flow = torch.zeros(1, 3, 2, 2, 40, 256)
    flow[:, :, 0, 0], flow[:, :, 1, 0] = 30, -30
    window = Window(torch.rand(1, 4, 1, 40, 256), 0, 0, {"flow_along": flow})
    with torch.inference_mode():
        whole, _ = network.step(window, {})
        parts, _ = Tiled(network, 64).step(window, {})
    assert (parts - whole)[:, 1:3].square().mean() < 1e-5


class Dyed:
    """An enlargement with something added that differs from tile to tile: its mean."""

    spec = Spec(scale=2, color="luma")

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        high = window.middle.repeat_interleave(2, -1).repeat_interleave(2, -2)
        return high + window.clip.mean(), state


@pytest.mark.parametrize("size", [(40, 131), (16, 100), (97, 65)])
def test_where_the_halo_has_no_bound_tiles_pass_into_each_other(size: tuple[int, int]) -> None:
    width = torch.linspace(0, 1, size[1]).expand(1, 1, 1, *size)
    with torch.inference_mode():
        high, _ = Tiled(Dyed(), 32).step(Window(width), {})
    added = high - width.repeat_interleave(2, -1).repeat_interleave(2, -2)
    assert added.max() - added.min() > 0.05, "tiles do differ"
    # Neighbouring tiles have means that differ by 0.4 at most, and 64 large pixels to change in.
    assert added.diff(dim=-1).abs().max() < 0.4 / 64 * 1.05
    assert added.diff(dim=-2).abs().max() < 0.4 / 64 * 1.05


def test_what_all_tiles_count_is_one_everywhere() -> None:
    flat = torch.full((1, 1, 1, 70, 115), 0.7)

    class Repeated:
        spec = Spec(scale=3, color="luma")

        def step(self, window: Window, state: State) -> tuple[Tensor, State]:
            return window.middle.repeat_interleave(3, -1).repeat_interleave(3, -2), state

    for tile in (16, 20, 32, 64):
        high, _ = Tiled(Repeated(), tile).step(Window(flat), {})
        torch.testing.assert_close(high, torch.full((1, 1, 1, 210, 345), 0.7))
