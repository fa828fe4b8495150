"""The line that says how far the work is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from upreel.inference.pipeline import Progress as Report

QUIET_INTERVAL = 5.0
"""Seconds between two lines where the output is no terminal."""


@contextmanager
def shown(title: str) -> Iterator[Callable[[Report], None]]:
    """Show progress with frames per second and an estimate: a bar on a terminal, else lines."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(title)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[fps]:.1f} fps"),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=None, fps=0.0)

        def update(report: Report) -> None:
            bar.update(task, completed=report.frames, total=report.total, fps=report.fps)

        yield update


class _Lines:
    """Prints a line every few seconds, and one for the last frame."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._printed = time.monotonic()

    def __call__(self, report: Report) -> None:
        now = time.monotonic()
        if report.frames != report.total and now - self._printed < QUIET_INTERVAL:
            return
        self._printed = now
        left = "" if report.remaining is None else f", ETA {report.remaining:.0f} s"
        total = "" if report.total is None else f"/{report.total}"
        sys.stderr.write(
            f"{self._title}: {report.frames}{total} frames, {report.fps:.1f} fps{left}\n"
        )
