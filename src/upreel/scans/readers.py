"""Reads scans: one file, or a folder of them that are the frames of a movie or a burst."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from upreel.core.files import reason
from upreel.errors import MediaError, UpreelError, UsageError
from upreel.scans.arrays import read_npy, read_npz
from upreel.scans.claims import MAX_PIXELS, refuse_claims
from upreel.scans.gwyddion import read_gwy
from upreel.scans.instruments import read_asd, read_h5_jpk, read_ibw, read_jpk, read_spm
from upreel.scans.scan import Scan, as_heights
from upreel.scans.stacks import read_tiff
from upreel.scans.wsxm import read_wsxm


def read_png(path: Path, channel: str | None) -> Scan:
    """Read an image of 8 or 16 bits; its code values are the heights.

    Raises:
        MediaError: it is coloured: which height a colour stands for, nobody knows.
    """
    image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise MediaError(f"{path}: expected an image, found something else")
    if image.ndim == 3:
        if np.ptp(image[..., :3], axis=-1).any():
            raise MediaError(
                f"{path}: expected grey, found colours, which cannot be turned into heights. "
                "Export the heights from the instrument's program."
            )
        image = image[..., 0]
    return Scan(as_heights(image, path.name), source=path.name)


READERS: Mapping[str, Callable[[Path, str | None], Scan]] = {
    ".asd": read_asd,
    ".gwy": read_gwy,
    ".h5-jpk": read_h5_jpk,
    ".ibw": read_ibw,
    ".jpk": read_jpk,
    ".npy": read_npy,
    ".npz": read_npz,
    ".png": read_png,
    ".spm": read_spm,
    ".stp": read_wsxm,
    ".tif": read_tiff,
    ".tiff": read_tiff,
    ".top": read_wsxm,
}
"""What reads a file of this ending: from its name and a channel, or None for the usual one."""


def read_scan(source: Path, channel: str | None = None, *, max_pixels: int = MAX_PIXELS) -> Scan:
    """Read a scan.

    Args:
        source: a file; or a folder of files of one kind, whose frames follow one another in the
            order that people count in.
        channel: its name in the file; the height where it is not given.
        max_pixels: of all frames of a file together; what claims more is refused.

    Raises:
        UsageError: the ending is not known, or a reader is not installed.
        MediaError: the file cannot be read, or the files of a folder do not fit together.
    """
    if not source.is_dir():
        return _read(source, channel, max_pixels)
    files = [file for file in source.iterdir() if file.suffix.lower() in READERS]
    kinds = sorted({file.suffix.lower() for file in files})
    if len(kinds) != 1:
        found = ", ".join(kinds) or "none"
        raise MediaError(f"{source}: expected scans of one kind in this folder, found {found}")
    return _joined(
        source, [_read(file, channel, max_pixels) for file in sorted(files, key=_natural)]
    )


def _read(path: Path, channel: str | None, max_pixels: int) -> Scan:
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise UsageError(
            f"expected a scan ({' '.join(READERS)}) or a folder of scans, found {path.name!r}"
        )
    try:
        refuse_claims(path, max_pixels)
        return READERS[suffix](path, channel)
    except UpreelError:
        raise
    # Readers of others raise anything where a file is damaged, assertions and key errors included.
    except Exception as error:
        raise MediaError(f"{path} cannot be read as {suffix}: {reason(error)}") from error


def _joined(folder: Path, scans: Sequence[Scan]) -> Scan:
    first = scans[0]
    for scan in scans[1:]:
        if (scan.size, scan.unit, scan.pixel_size) != (first.size, first.unit, first.pixel_size):
            raise MediaError(
                f"{folder}: expected scans of one size and scale, found {first.source} of "
                f"{_size(first)} and {scan.source} of {_size(scan)}"
            )
    heights = np.concatenate([scan.heights for scan in scans])
    return replace(first, heights=heights, source=folder.name)


def _size(scan: Scan) -> str:
    pixels = (
        "" if scan.pixel_size is None else " with pixels of {:g} x {:g} nm".format(*scan.pixel_size)
    )
    return "{}x{}".format(*scan.size) + pixels


def _natural(path: Path) -> tuple[tuple[int, int, str], ...]:
    """`frame2` before `frame10`."""
    parts = re.findall(r"\d+|\D+", path.name)
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)
