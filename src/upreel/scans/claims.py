"""How much a file says it holds, from its header alone: a small one can claim, or inflate to, much.

Other formats than these store their values as they are, and cannot hold more than their bytes.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Mapping
from os import SEEK_CUR
from pathlib import Path
from typing import IO

import numpy as np

from upreel.errors import MediaError
from upreel.scans.facts import require

MAX_PIXELS = 2**28
"""Of all frames of a scan together: 1 GiB of heights."""
_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_CUT = "{} says it is larger than it is; check that it is complete"


def refuse_claims(path: Path, most: int) -> None:
    """Refuse a file that claims more pixels than that.

    Raises:
        MediaError: it does.
        Exception: its header cannot be read.
    """
    count = _COUNTS.get(path.suffix.lower())
    claimed = count(path) if count else 0
    if claimed > most:
        raise MediaError(
            f"{path} says it has {claimed} pixels in all; at most {most} are read, because a small "
            f"file can claim any number: --max-pixels {claimed} if you trust it"
        )


def _count_npy(path: Path) -> int:
    with path.open("rb") as file:
        return _count_array(file)


def _count_array(file: IO[bytes]) -> int:
    version = np.lib.format.read_magic(file)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    return math.prod(read(file)[0])


def _count_npz(path: Path) -> int:
    total = 0
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            with archive.open(member) as file:
                total += _count_array(file)
    return total


def _count_png(path: Path) -> int:
    """Those of its size; but refuse a chunk larger than the file: OpenCV makes room for it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(24)  # signature, length and name of the first chunk, width, height
        if head[:16] != _PNG:
            raise MediaError(f"{path}: expected a PNG, found something else")
        file.seek(8)
        while len(begin := file.read(8)) == 8 and begin[4:] != b"IEND":
            if file.seek(int.from_bytes(begin[:4], "big") + 4, SEEK_CUR) > size:
                raise MediaError(_CUT.format(path))
    return int.from_bytes(head[16:20], "big") * int.from_bytes(head[20:24], "big")


def _count_tiff(path: Path) -> int:
    """Those of all pages, which tifffile reads for ever where one leads to one before it."""
    total, found = 0, set[int]()
    with require("tifffile", path.suffix).TiffFile(path) as file:
        for page in file.pages:
            if page.offset in found:
                raise MediaError(f"{path}: expected one page after the other, found a circle")
            found.add(page.offset)
            total += int(page.size)
    return total


def _count_h5(path: Path) -> int:
    h5py = require("h5py", ".h5-jpk")
    sizes: list[int] = []
    with h5py.File(path) as file:
        file.visititems(
            lambda name, each: sizes.append(each.size) if isinstance(each, h5py.Dataset) else None
        )
    return sum(sizes)


def _count_igor(path: Path) -> int:
    """Nothing, but refuse a wave of Igor's version 5 whose parts are larger than the file.

    Its reader asks for as many bytes as the header says, before it sees whether there are any.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(64)
    for order in "<>":
        if head[:2] == np.array(5, f"{order}i2").tobytes() and len(head) == 64:
            parts = np.frombuffer(head[4:], f"{order}i4").astype(np.int64)
            if parts.min() < 0 or parts.sum() > size:
                raise MediaError(_CUT.format(path))
    return 0


_COUNTS: Mapping[str, Callable[[Path], int]] = {
    ".h5-jpk": _count_h5,
    ".ibw": _count_igor,
    ".jpk": _count_tiff,
    ".npy": _count_npy,
    ".npz": _count_npz,
    ".png": _count_png,
    ".tif": _count_tiff,
    ".tiff": _count_tiff,
}
