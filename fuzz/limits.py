"""What reading a file may cost: the processor's time (the clock's says little); memory.

Linux counts the latter.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

SECONDS = 10.0
"""Of the processor, for one file."""
WAITING = 6 * SECONDS
"""Seconds of the clock, for what waits, or does not come back to Python."""
MEMORY = 1 << 30
"""Bytes beyond what the process had before."""


class OvertimeError(BaseException):
    """A file takes too long. No `Exception`: readers make an error of theirs out of any."""


class OverweightError(Exception):
    """A file took too much memory."""


@contextmanager
def within(seconds: float = SECONDS, memory: int = MEMORY) -> Iterator[None]:
    """End the block, a loop of Python without an end too, after so much time of the processor.

    In the main thread only. What does not come back to Python meanwhile is ended late, or not.

    Raises:
        OvertimeError: it took longer, also where the block itself has caught this error.
        OverweightError: at some time it had more bytes of memory than before.
    """
    late = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal late
        late = True
        raise OvertimeError(f"longer than {seconds:g} s")

    handler, held = signal.signal(signal.SIGPROF, end), begin_peak()
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, handler)
    if late:
        raise OvertimeError(f"longer than {seconds:g} s")
    if (used := counted("VmHWM") - held) > memory:
        raise OverweightError(f"took {used >> 20} MB")


def begin_peak() -> int:
    """Let the peak of this process's memory, `VmHWM`, begin anew; bytes that it has now."""
    Path("/proc/self/clear_refs").write_text("5")
    return counted("VmRSS")


def counted(name: str) -> int:
    """Bytes of memory of this process, as the system counts them under a name."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1024
