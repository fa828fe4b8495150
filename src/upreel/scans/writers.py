"""Writes scans: TIFF stacks, `.npz` and `.gwy`; each can be read again without a loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from upreel.core.files import PendingFile, failed
from upreel.errors import UsageError
from upreel.scans.arrays import write_npz
from upreel.scans.facts import require
from upreel.scans.gwyddion import write_gwy
from upreel.scans.scan import Scan
from upreel.scans.stacks import write_tiff

WRITERS: Mapping[str, Callable[[Scan, Path], None]] = {
    ".gwy": write_gwy,
    ".npz": write_npz,
    ".tif": write_tiff,
    ".tiff": write_tiff,
}
"""What writes a file of this ending."""
_NEEDS: Mapping[str, str] = {".gwy": "gwyfile.objects", ".tif": "tifffile", ".tiff": "tifffile"}


def check_scan_target(target: Path, source: Path, *, overwrite: bool = False) -> None:
    """Find out before any work whether a scan can be written.

    Raises:
        UsageError: the ending is not known, its writer is not installed, the target is the source,
            or it exists.
        OutputError: its folder cannot be written to.
    """
    suffix = target.suffix.lower()
    if suffix not in WRITERS:
        raise UsageError(f"expected OUT to end in {' '.join(WRITERS)}, found {target.name!r}")
    if suffix in _NEEDS:
        require(_NEEDS[suffix], suffix)
    check_place(target, source, overwrite=overwrite)


def check_place(target: Path, source: Path, *, overwrite: bool) -> None:
    """Find out whether a file may be written where it is to be.

    Raises:
        UsageError: the target is the source, or it exists.
        OutputError: its folder cannot be written to.
    """
    if target.exists() and source.exists() and target.samefile(source):
        raise UsageError(f"expected another file to write to than the source, found {target} twice")
    if target.exists() and not overwrite:
        raise UsageError(f"{target} exists already. Name another file, or pass --overwrite.")
    with PendingFile(target, overwrite=overwrite):
        pass


def write_scan(scan: Scan, target: Path, *, overwrite: bool = False) -> Path:
    """Write a scan under a hidden name, and give it its own when it is complete.

    Raises:
        UsageError: the ending is not known, a writer is not installed, or the file exists.
        OutputError: the disk is full.
    """
    with PendingFile(target, overwrite=overwrite) as pending:
        try:
            WRITERS[target.suffix.lower()](scan, pending.path)
        except OSError as error:
            raise failed(target, error) from error
        return pending.commit()
