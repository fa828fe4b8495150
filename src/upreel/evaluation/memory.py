"""How much memory this process needed at most, since a moment."""

from __future__ import annotations

import re
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def reset_peak() -> None:
    """Begin anew, where the system lets a process do that (Linux)."""
    if sys.platform == "linux":
        try:
            _CLEAR.write_text("5")
        except OSError:
            return  # a locked-down container: then the peak is that since the start


def read_peak() -> int:
    """Peak memory since `reset_peak`, in bytes; 0 where the system does not tell."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0
