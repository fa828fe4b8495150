"""How much more memory this process needed at most, since a moment."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def reset_peak() -> int:
    """Begin anew, where the system lets a process do that (Linux).

    Returns:
        The memory that is held now, in bytes: see `read_growth`.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # a locked-down container: then the peak is that since the start
            _CLEAR.write_text("5")
    return _read("VmRSS")


def read_growth(before: int) -> int:
    """By how much the peak is above what was held; 0 where the system does not tell."""
    return max(0, _read("VmHWM") - before)


def _read(field: str) -> int:
    try:
        found = re.search(rf"{field}:\s+(\d+) kB", _STATUS.read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0
