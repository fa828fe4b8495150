"""The lines that say how far a farm is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.status import Status

from upreel.cli.console import say
from upreel.cli.progress import QUIET_INTERVAL

if TYPE_CHECKING:
    from upreel.farm.orders import Event


@contextmanager
def shown() -> Iterator[Callable[[Event], None]]:
    """Show what happens: a line for each file, and how far all is, in place on a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(None)
        return
    with console.status("starting Ray ...") as status:
        yield _Lines(status)


class _Lines:
    def __init__(self, status: Status | None) -> None:
        self._status = status
        self._printed = time.monotonic()
        self._speeds: dict[str, float] = {}  # of workers

    def __call__(self, event: Event) -> None:
        match event.event:
            case "progress":
                self._progress(event)
            case "segment":
                self._speeds[event.worker or ""] = event.fps or 0.0
            case "lost":
                self._speeds.pop(event.worker or "", None)
                where = "" if event.source is None else f" over {event.source}"
                say(f"{event.worker}{where}: {event.message}")
            case "done":
                self._line(f"{event.target}: {event.frames} frames{_files(event)}")
            case "skipped":
                self._line(f"{event.target}: is there already, skipped{_files(event)}")
            case "failed":
                self._line(f"{event.target}: failed{_files(event)}")  # why, is told at the end
            case _:
                pass

    def _line(self, text: str) -> None:
        sys.stderr.write(f"{text}\n")

    def _progress(self, event: Event) -> None:
        total = "" if event.total is None else f"/{event.total}"
        left = "" if event.seconds_left is None else f", ETA {event.seconds_left:.0f} s"
        speeds = sorted(self._speeds.values())
        each = f" ({speeds[0]:.1f} to {speeds[-1]:.1f} per worker)" if speeds else ""
        text = f"{event.frames}{total} frames, {event.fps:.1f} fps{each}{left}{_files(event)}"
        if self._status is not None:
            self._status.update(text)
        elif time.monotonic() - self._printed >= QUIET_INTERVAL:
            self._printed = time.monotonic()
            self._line(text)


def _files(event: Event) -> str:
    return "" if event.files is None else f"; {event.files[0]} of {event.files[1]} files"
