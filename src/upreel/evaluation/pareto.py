"""Which model is worth its time on this machine: quality over milliseconds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape

from rich import box
from rich.table import Table

from upreel.evaluation.html.page import cells, page, table
from upreel.evaluation.html.plots import plot_front

WISHES = (("real time (24 fps)", 24.0), ("5 fps", 5.0), ("best quality", 0.0))
"""What a model is recommended for, and how many frames in a second that takes."""


@dataclass(frozen=True, slots=True)
class Point:
    """One model on this machine.

    Attributes:
        model: its name.
        milliseconds: for a frame, from file to file.
        memory: bytes at most; `None` where the system does not tell.
        psnr: dB, under the protocol that is printed beside it.
    """

    model: str
    milliseconds: float
    memory: int | None
    psnr: float


def find_front(points: Sequence[Point]) -> tuple[Point, ...]:
    """Those that no other beats in both, fastest first."""
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.milliseconds, -point.psnr)):
        if not front or point.psnr > front[-1].psnr:
            front.append(point)
    return tuple(front)


def recommend(points: Sequence[Point]) -> dict[str, Point | None]:
    """The best model for each of `WISHES`; `None` where none is fast enough."""
    found: dict[str, Point | None] = {}
    for wish, fps in WISHES:
        fast = [point for point in points if point.milliseconds * fps <= 1000]
        found[wish] = max(fast, key=lambda point: point.psnr, default=None)
    return found


def to_table(points: Sequence[Point], title: str) -> Table:
    """All models, fastest first; those on the front are marked."""
    made = Table(title=title, box=box.SIMPLE)
    made.add_column("model")
    for header in ("ms", "peak memory, MB", "PSNR, dB", "front"):
        made.add_column(header, justify="right")
    for row in _rows(points):
        made.add_row(*row)
    return made


def to_lines(points: Sequence[Point]) -> list[str]:
    """The recommendations, a line each."""
    return [
        f"{wish}: {point.model} ({point.milliseconds:.1f} ms, {point.psnr:.2f} dB)"
        if point
        else f"{wish}: no model is fast enough on this machine"
        for wish, point in recommend(points).items()
    ]


def to_json(points: Sequence[Point], title: str) -> str:
    """The same for machines."""
    front = [point.model for point in find_front(points)]
    use = {wish: point and point.model for wish, point in recommend(points).items()}
    return json.dumps(
        {"title": title, "models": [asdict(p) for p in points], "front": front, "use": use},
        indent=2,
    )


def to_html(points: Sequence[Point], title: str) -> str:
    """The same as a page with a plot."""
    front = [point.model for point in find_front(points)]
    plot = plot_front({p.model: (p.milliseconds, p.psnr) for p in points}, front)
    advice = [cells(line.split(": ", 1)) for line in to_lines(points)]
    header = ("model", "ms", "peak memory, MB", "PSNR, dB", "front")
    return page(
        title,
        f"<h1>Quality over milliseconds</h1><p>{escape(title)}</p>{table(('', ''), advice)}"
        f"<figure>{plot}</figure>{table(header, [cells(row) for row in _rows(points)])}",
    )


def _rows(points: Sequence[Point]) -> list[tuple[str, ...]]:
    front = find_front(points)
    return [
        (
            point.model,
            f"{point.milliseconds:.1f}",
            "?" if point.memory is None else f"{point.memory / 1e6:.0f}",
            f"{point.psnr:.2f}",
            "yes" if point in front else "",
        )
        for point in sorted(points, key=lambda point: point.milliseconds)
    ]
