"""Frames in tiles: the same values with a bounded amount of memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import torch
from torch import Tensor

from upreel.models.upscaler import Spec, State, Upscaler, Window

_FAR = 32
"""Input pixels that tiles overlap by, where what a pixel depends on has no bound."""
_FEATHER = 16
"""Input pixels on each side of a seam over which such tiles then pass into each other."""


@dataclass(frozen=True, slots=True)
class _Interval:
    """A stretch of one axis: what is read, and the part of it that is kept.

    Attributes:
        feather: over so many pixels on each side of its ends, the kept part passes into the next.
    """

    start: int
    stop: int
    core_start: int
    core_stop: int
    feather: int = 0

    def padded(self, multiple: int) -> _Interval:
        """The same for the state, which the network pads to a multiple."""
        stop, core_stop = (-(-end // multiple) * multiple for end in (self.stop, self.core_stop))
        return _Interval(self.start, stop, self.core_start, core_stop)

    def blended(self) -> _Interval:
        """The same with all that counts in the kept part."""
        first = max(self.core_start - self.feather, self.start)
        return replace(
            self, core_start=first, core_stop=min(self.core_stop + self.feather, self.stop)
        )

    def weight(self, scale: int) -> Tensor:
        """What each output sample of `blended` counts; at each place all tiles together give 1."""
        wide = self.blended()
        if wide == self:
            return torch.ones(())
        at = torch.arange(wide.core_start * scale, wide.core_stop * scale).add(0.5) / scale
        weight = torch.ones_like(at)
        if self.core_start > self.start:
            weight *= ((at - self.core_start) / (2 * self.feather) + 0.5).clamp(0, 1)
        if self.core_stop < self.stop:
            weight *= ((self.core_stop - at) / (2 * self.feather) + 0.5).clamp(0, 1)
        return weight

    def read(self, scale: Fraction = Fraction(1)) -> slice:
        return slice(int(self.start * scale), int(self.stop * scale))

    def core(self, scale: Fraction = Fraction(1)) -> slice:
        return slice(int(self.core_start * scale), int(self.core_stop * scale))

    def core_in_read(self, scale: Fraction = Fraction(1)) -> slice:
        core, offset = self.core(scale), self.read(scale).start
        return slice(core.start - offset, core.stop - offset)


def _intervals(size: int, tile: int, halo: int, multiple: int, feather: int) -> Iterator[_Interval]:
    for start in range(0, size, tile):
        stop = min(start + tile, size)
        read_start = max(0, (start - halo) // multiple * multiple)
        read_stop = min(-(-(stop + halo) // multiple) * multiple, size)
        yield _Interval(read_start, read_stop, start, stop, feather)


class Tiled:
    """An upscaler that gives a network one tile of the frame after the other.

    Tiles overlap by the network's halo and, where there is a state or frames are made between
    others, the largest motion of the window (but by no more than the side of a tile), so that no
    seam shows. Where the halo has no bound, they pass into each other gradually. The state is kept
    for the whole frame; it can be taken over by another tiling, or by the network without tiles.
    Caches are not kept, so that memory stays bounded.
    """

    def __init__(self, inner: Upscaler, tile: int) -> None:
        """Wrap `inner`; `tile` is the side of a tile in input pixels, without its overlap."""
        spec = inner.spec
        self.inner = inner
        self.tile = max(tile // spec.multiple, 1) * spec.multiple
        self.feather = min(_FEATHER, self.tile // 2) if spec.halo is None else 0
        self.halo = _FAR + self.feather if spec.halo is None else spec.halo

    @property
    def spec(self) -> Spec:
        """That of the network inside."""
        return self.inner.spec

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge the middle of a window: see `Upscaler.step`."""
        height, width = window.clip.shape[-2:]
        if height <= self.tile and width <= self.tile:
            return self.inner.step(window, state)
        spec, middle = self.spec, window.middle
        batch, count, channels = middle.shape[:3]
        high = middle.new_zeros(
            batch, count * spec.rate, channels, height * spec.scale, width * spec.scale
        )
        after: State = {}
        halo = self.halo + self._motion(window)
        for rows in _intervals(height, self.tile, halo, spec.multiple, self.feather):
            for columns in _intervals(width, self.tile, halo, spec.multiple, self.feather):
                out, out_state = self.inner.step(
                    self._cut_window(window, rows, columns), self._cut_state(state, rows, columns)
                )
                self._blend(high, out, rows, columns)
                self._paste_state(after, out_state, rows, columns, (height, width))
        return high, after

    def _blend(self, high: Tensor, out: Tensor, rows: _Interval, columns: _Interval) -> None:
        """Add what a tile gave, weighted."""
        scale, (wide_rows, wide_columns) = (
            Fraction(self.spec.scale),
            (rows.blended(), columns.blended()),
        )
        weight = rows.weight(self.spec.scale)[..., None] * columns.weight(self.spec.scale)
        part = out[..., wide_rows.core_in_read(scale), wide_columns.core_in_read(scale)]
        high[..., wide_rows.core(scale), wide_columns.core(scale)] += part * weight.to(part)

    def _motion(self, window: Window) -> int:
        moves = self.spec.recurrent or self.spec.rate > 1  # the state, or frames, along the flow
        flows = [flow for flow in window.inputs.values() if moves and flow.numel()]
        return min(max((math.ceil(flow.abs().max()) for flow in flows), default=0), self.tile)

    def _cut_window(self, window: Window, rows: _Interval, columns: _Interval) -> Window:
        inputs = {
            name: value[..., rows.read(), columns.read()] for name, value in window.inputs.items()
        }
        clip = window.clip[..., rows.read(), columns.read()]
        return Window(clip, window.past, window.future, inputs)

    def _cut_state(self, state: State, rows: _Interval, columns: _Interval) -> State:
        rows, columns = rows.padded(self.spec.multiple), columns.padded(self.spec.multiple)
        part = {}
        for name, value in state.items():
            scale = self.spec.state[name].scale
            part[name] = value[..., rows.read(scale), columns.read(scale)]
        return part

    def _paste_state(
        self,
        whole: State,
        part: State,
        rows: _Interval,
        columns: _Interval,
        size: tuple[int, int],
    ) -> None:
        multiple = self.spec.multiple
        rows, columns = rows.padded(multiple), columns.padded(multiple)
        for name, value in part.items():
            if self.spec.state[name].cache:
                continue
            scale = self.spec.state[name].scale
            if name not in whole:
                height, width = (int(-(-side // multiple) * multiple * scale) for side in size)
                whole[name] = value.new_empty(*value.shape[:-2], height, width)
            whole[name][..., rows.core(scale), columns.core(scale)] = value[
                ..., rows.core_in_read(scale), columns.core_in_read(scale)
            ]
