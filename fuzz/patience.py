"""An end to what has none: a limit of the processor's time; a busy machine's clock says little."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SECONDS = 10.0
"""Of the processor, for one file."""
WAITING = 6 * SECONDS
"""Seconds of the clock, for what waits, or does not come back to Python."""


class OvertimeError(BaseException):
    """A file takes too long. No `Exception`: readers make an error of theirs out of any."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """End the block, a loop of Python without an end too, after so much time of the processor.

    In the main thread only. What does not come back to Python meanwhile is ended late, or not.

    Raises:
        OvertimeError: it took longer, also where the block itself has caught this error.
    """

    def end(number: int, frame: FrameType | None) -> None:
        raise OvertimeError(f"longer than {seconds:g} s")

    before, began = signal.signal(signal.SIGPROF, end), time.process_time()
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    if time.process_time() - began > seconds:
        raise OvertimeError(f"longer than {seconds:g} s")
