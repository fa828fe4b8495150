"""NumPy's files: `.npy` for bare heights, `.npz` with all that is known about them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from upreel.errors import MediaError
from upreel.scans.facts import describe, described
from upreel.scans.scan import Scan, as_heights


def read_npy(path: Path, channel: str | None) -> Scan:
    """Read one array, which has no channels and says nothing about itself."""
    return Scan(as_heights(np.load(path, allow_pickle=False), path.name), source=path.name)


def read_npz(path: Path, channel: str | None) -> Scan:
    """Read the array `heights`, or the one named, or the only one.

    Raises:
        MediaError: there is no such array.
    """
    # NumPy leaves a file open that it has opened and cannot read.
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        arrays = [name for name in file.files if name != "scan"]
        wanted = channel if channel in arrays else "heights"
        name = arrays[0] if len(arrays) == 1 else wanted
        if name not in arrays:
            raise MediaError(f"{path}: expected an array 'heights', found {', '.join(arrays)}")
        heights = as_heights(file[name], path.name)
        if "scan" in file.files:
            return described(heights, str(file["scan"]))
    return Scan(heights, source=path.name)


def write_npz(scan: Scan, path: Path) -> None:
    """Write `heights`, and what is known about them as the text `scan`."""
    with path.open("wb") as file:
        np.savez_compressed(file, heights=scan.heights, scan=np.array(describe(scan)))
