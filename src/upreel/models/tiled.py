"""Frames in tiles: the same values with a bounded amount of memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from torch import Tensor

from upreel.models.upscaler import Spec, State, Upscaler, Window


@dataclass(frozen=True, slots=True)
class _Interval:
    """A stretch of one axis: what is read, and the part of it that is kept."""

    start: int
    stop: int
    core_start: int
    core_stop: int

    def padded(self, multiple: int) -> _Interval:
        """The same for the state, which the network pads to a multiple."""
        stop, core_stop = (-(-end // multiple) * multiple for end in (self.stop, self.core_stop))
        return _Interval(self.start, stop, self.core_start, core_stop)

    def read(self, scale: Fraction = Fraction(1)) -> slice:
        return slice(int(self.start * scale), int(self.stop * scale))

    def core(self, scale: Fraction = Fraction(1)) -> slice:
        return slice(int(self.core_start * scale), int(self.core_stop * scale))

    def core_in_read(self, scale: Fraction = Fraction(1)) -> slice:
        core, offset = self.core(scale), self.read(scale).start
        return slice(core.start - offset, core.stop - offset)


def _intervals(size: int, tile: int, halo: int, multiple: int) -> Iterator[_Interval]:
    for start in range(0, size, tile):
        stop = min(start + tile, size)
        read_start = max(0, (start - halo) // multiple * multiple)
        read_stop = min(-(-(stop + halo) // multiple) * multiple, size)
        yield _Interval(read_start, read_stop, start, stop)


class Tiled:
    """An upscaler that gives a network one tile of the frame after the other.

    Tiles overlap by the network's halo and the largest motion of the window (but by no more than
    the side of a tile), so that no seam shows. The state is kept for the whole
    frame; it can be taken over by another tiling, or by the network without tiles.
    """

    def __init__(self, inner: Upscaler, tile: int) -> None:
        """Wrap `inner`; `tile` is the side of a tile in input pixels, without its overlap."""
        spec = inner.spec
        self.inner = inner
        self.halo = 32 if spec.halo is None else spec.halo
        self.tile = max(tile // spec.multiple, 1) * spec.multiple

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
        high = middle.new_empty(
            batch, count * spec.rate, channels, height * spec.scale, width * spec.scale
        )
        after: State = {}
        halo = self.halo + self._motion(window)
        for rows in _intervals(height, self.tile, halo, spec.multiple):
            for columns in _intervals(width, self.tile, halo, spec.multiple):
                out, out_state = self.inner.step(
                    self._cut_window(window, rows, columns), self._cut_state(state, rows, columns)
                )
                scale = Fraction(spec.scale)
                high[..., rows.core(scale), columns.core(scale)] = out[
                    ..., rows.core_in_read(scale), columns.core_in_read(scale)
                ]
                self._paste_state(after, out_state, rows, columns, (height, width))
        return high, after

    def _motion(self, window: Window) -> int:
        flow = window.inputs.get("flow")
        return 0 if flow is None else min(math.ceil(flow.abs().max()), self.tile)

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
            scale = self.spec.state[name].scale
            if name not in whole:
                height, width = (int(-(-side // multiple) * multiple * scale) for side in size)
                whole[name] = value.new_empty(*value.shape[:-2], height, width)
            whole[name][..., rows.core(scale), columns.core(scale)] = value[
                ..., rows.core_in_read(scale), columns.core_in_read(scale)
            ]
