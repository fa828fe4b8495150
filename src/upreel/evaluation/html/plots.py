"""Plots as inline SVG: values over frames, and quality over time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 14, 40
COLORS = 6
"""How many colours the style sheet has for series."""

Points = Sequence[tuple[float, float]]
Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of the drawing."""


def plot_lines(series: Mapping[str, Points], *, across: str, up: str) -> str:
    """One line for each series, with a legend.

    Args:
        series: points by name; those that are not finite are left out.
        across: what the horizontal axis says.
        up: what the vertical axis says.
    """
    kept = {name: _finite(points) for name, points in series.items()}
    drawn = []
    scales = _Scales([point for points in kept.values() for point in points])
    for index, points in enumerate(kept.values()):
        path = " ".join(f"{scales.x(x):.1f},{scales.y(y):.1f}" for x, y in points)
        drawn.append(f'<polyline class="line c{index % COLORS}" points="{path}"/>')
        if len(points) == 1:
            x, y = points[0]
            drawn.append(_dot(scales, x, y, index))
    return _frame(scales, drawn, across, up) + legend(list(kept))


def plot_front(points: Mapping[str, tuple[float, float]], front: Sequence[str]) -> str:
    """Models as dots, quality over milliseconds; the Pareto front is a stair.

    The stair is the best quality that can be had within a time: below and right of it every dot
    is beaten.

    Args:
        points: milliseconds for a frame and PSNR in dB, by model.
        front: the names on the front, fastest first.
    """
    placed = {name: (math.log10(max(x, 1e-3)), y) for name, (x, y) in points.items()}
    scales = _Scales(list(placed.values()), logarithmic=True)
    corners = [placed[name] for name in front]
    stair = corners[:1]
    for (_, low), (x, y) in pairwise(corners):
        stair += [(x, low), (x, y)]
    stair = [(scales.x(x), scales.y(y)) for x, y in stair]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in stair)
    drawn = [f'<polyline class="front" points="{path}"/>']
    dots = [(scales.x(x), scales.y(y)) for x, y in placed.values()]
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in dots]
    taken += [
        (x - 1, min(y, to) - 1, beyond + 1, max(y, to) + 1)
        for (x, y), (beyond, to) in pairwise(stair)
    ]
    for index, (name, (x, y)) in enumerate(placed.items()):
        drawn.append(_dot(scales, x, y, index))
        taken.append(_find_room(name, *dots[index], taken))
        drawn.append(_write_name(name, *dots[index], taken[-1]))
    return _frame(scales, drawn, "milliseconds for a frame (logarithmic)", "PSNR, dB")


def legend(names: Sequence[str]) -> str:
    """The colours of series."""
    items = "".join(
        f'<li><span class="key c{index % COLORS}"></span>{escape(name)}</li>'
        for index, name in enumerate(names)
    )
    return f'<ul class="legend">{items}</ul>'


class _Scales:
    """From values to places in the drawing."""

    def __init__(self, points: Points, *, logarithmic: bool = False) -> None:
        xs, ys = [x for x, _ in points] or [0.0], [y for _, y in points] or [0.0]
        self.logarithmic = logarithmic
        self.across = _widen(min(xs), max(xs), 0.12 if logarithmic else 0.0)
        if logarithmic:
            self.across = _enclose(*self.across)
        self.up = _widen(min(ys), max(ys), 0.12)

    def x(self, value: float) -> float:
        low, high = self.across
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        low, high = self.up
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def _frame(scales: _Scales, drawn: Sequence[str], across: str, up: str) -> str:
    ticks = []
    for value in _ticks(*scales.up):
        y = scales.y(value)
        ticks.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        )
    for value in (_log_ticks if scales.logarithmic else _ticks)(*scales.across):
        text = f"{10**value:g}" if scales.logarithmic else f"{value:g}"
        ticks.append(
            f'<text x="{scales.x(value):.1f}" y="{HEIGHT - BOTTOM + 18}" '
            f'text-anchor="middle">{text}</text>'
        )
    ticks.append(
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end">{escape(across)}</text>'
        f'<text x="{LEFT + 4}" y="{TOP + 4}">{escape(up)}</text>'
    )
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(up)} over {escape(across)}">{"".join((*ticks, *drawn))}</svg>'
    )


def _dot(scales: _Scales, x: float, y: float, index: int) -> str:
    return (
        f'<circle class="dot c{index % COLORS}" r="5" '
        f'cx="{scales.x(x):.1f}" cy="{scales.y(y):.1f}"/>'
    )


def _find_room(name: str, x: float, y: float, taken: Sequence[Box]) -> Box:
    """Where the name of a dot covers nothing, as near as can be; beside it if there is no room."""
    width = 7.5 * len(name)
    spots = [
        (left, y + down, left + width, y + down + 14)
        for down in (-7, -21, 7, -35, 21, -49, 35, -63, 49)
        for left in (x + 9, x - 9 - width)
    ]
    inside = [
        spot
        for spot in spots
        if spot[0] >= LEFT and spot[2] <= WIDTH and spot[1] >= TOP and spot[3] <= HEIGHT - BOTTOM
    ]
    free = (spot for spot in inside if not any(_overlap(spot, other) for other in taken))
    return next(free, spots[0])


def _write_name(name: str, x: float, y: float, room: Box) -> str:
    """The name of a dot, and a line to it unless the name stands right beside."""
    left, top, right, bottom = room
    edge, anchor = (right, "end") if left < x else (left, "start")
    line = (
        f'<line class="leader" x1="{x:.1f}" y1="{y:.1f}" '
        f'x2="{edge:.1f}" y2="{(top + bottom) / 2:.1f}"/>'
    )
    text = (
        f'<text class="name" x="{edge:.1f}" y="{bottom - 3:.1f}" text-anchor="{anchor}">'
        f"{escape(name)}</text>"
    )
    return text if top < y < bottom else line + text


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _finite(points: Points) -> list[tuple[float, float]]:
    return [(x, y) for x, y in points if math.isfinite(y)]


def _widen(low: float, high: float, share: float) -> tuple[float, float]:
    if high - low < 1e-9:
        return low - 0.5, high + 0.5
    return low - share * (high - low), high + share * (high - low)


def _ticks(low: float, high: float) -> list[float]:
    """Round values, about five of them."""
    rough = (high - low) / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step)
    return [round(index * step, 10) for index in range(first, math.floor(high / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Logarithms of the numbers 1, 2, 5 times a power of ten within a range of logarithms."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    ticks = [power + math.log10(factor) for power in powers for factor in (1, 2, 5)]
    return [tick for tick in ticks if low - 1e-9 <= tick <= high + 1e-9]


def _enclose(low: float, high: float) -> tuple[float, float]:
    """The smallest range from one tick to another around a range of logarithms."""
    return _log_ticks(low - 1, low)[-1], _log_ticks(high, high + 1)[0]
