"""A reader with a mistake, which shows that fuzzing finds one: `python -m fuzz planted`."""

from __future__ import annotations

from pathlib import Path


def read(path: Path) -> None:
    """Read a file; one that begins with `bug` does harm."""
    content = path.read_bytes()
    if content.startswith(b"b") and content[:3] == b"bug":
        raise ZeroDivisionError("planted")
