"""From a file of scans to one without noise."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from upreel.errors import MediaError, UsageError
from upreel.inference.denoising import BURST, denoise_movie, load_denoiser
from upreel.inference.pipeline import Progress
from upreel.scans.bursts import average, join
from upreel.scans.claims import MAX_PIXELS
from upreel.scans.corrections import CORRECTIONS, correct
from upreel.scans.preview import check_preview, write_preview
from upreel.scans.readers import read_scan
from upreel.scans.registration import Combination, burst_around, combine_each
from upreel.scans.scan import Heights, Scan
from upreel.scans.writers import check_place, check_scan_target, write_scan

log = logging.getLogger(__name__)

USUAL = "denoise:afm"
"""The shipped network."""
_ALIGNED = "burst-mean"
_NOTE = "denoised by"
_COMBINATIONS: dict[str, Combination] = {"mean": "mean", "median": "median"}

Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Result:
    """What was written."""

    path: Path
    scan: Scan
    seconds: float


def denoise_scan(
    source: Path,
    target: Path,
    *,
    method: str = USUAL,
    burst: int = BURST,
    channel: str | None = None,
    max_pixels: int = MAX_PIXELS,
    preview: Path | None = None,
    overwrite: bool = False,
    progress: Report | None = None,
) -> Result:
    """Read a scan, take its noise off, and write it; scale and metadata stay.

    Args:
        source: a file, or a folder of files whose frames follow one another.
        target: `.gwy`, `.npz` or `.tif`.
        method: names with `+` between them: see `apply_method`.
        burst: how many frames are looked at for each, itself among them.
        channel: its name in the source; the height where it is not given.
        max_pixels: of all frames of a file together; what claims more is refused.
        preview: a picture or a video of both, side by side.
        overwrite: whether existing files may be replaced.
        progress: is told after every frame.

    Raises:
        UsageError: a name or a combination of names cannot be.
        MediaError: the source cannot be read.
        OutputError: the target cannot be written.
    """
    began = time.monotonic()
    check_scan_target(target, source, overwrite=overwrite)
    if preview is not None:
        check_preview(preview)
        check_place(preview, source, overwrite=overwrite)
    _parts(method)
    scan = read_scan(source, channel, max_pixels=max_pixels)
    log.info("%s: %s", source, summary(scan))
    heights = apply_method(scan.heights, method, burst=burst, progress=progress)
    done = f"upreel {version('upreel')}, {method}, burst of {min(burst, len(heights))}"
    before = scan.metadata.get(_NOTE)
    note = {_NOTE: f"{before}; {done}" if before else done}
    clean = replace(scan, heights=heights, metadata={**scan.metadata, **note})
    path = write_scan(clean, target, overwrite=overwrite)
    if preview is not None:
        write_preview(scan, clean, preview, overwrite=overwrite)
    return Result(path, clean, time.monotonic() - began)


def summary(scan: Scan) -> str:
    """What a scan is, in a line."""
    columns, rows = scan.size
    frames = f"{len(scan.heights)} frames of {columns}x{rows}"
    pixel = "unknown size"
    if scan.pixel_size is not None:
        pixel = "{:.4g} x {:.4g} nm".format(*scan.pixel_size)
    time_ = "" if scan.frame_time is None else f", {scan.frame_time:g} s a frame"
    return f"{frames}, pixels of {pixel}, heights in {scan.unit or 'an unknown unit'}{time_}"


def apply_method(
    heights: Heights, method: str, *, burst: int = BURST, progress: Report | None = None
) -> Heights:
    """Take the noise off every frame.

    Args:
        heights: `(T, H, W)`.
        method: what follows one another, with `+` between: classical corrections (see
            `CORRECTIONS`), `mean` or `median` of the registered burst, `burst-mean` (rows aligned
            over the burst, outliers left out), `denoise:afm` or a file of weights for the network.
        burst: how many frames are looked at for each, itself among them.
        progress: is told after every frame of a part that takes long.

    Raises:
        UsageError: there is no such method.
        MediaError: the network needs more frames.
    """
    for part in _parts(method):
        if part in CORRECTIONS:
            heights = correct(heights, part)
        else:
            frames = _frames(heights, part, burst)
            heights = np.stack(list(_counted(frames, len(heights), progress)))
    return heights


def _frames(heights: Heights, part: str, burst: int) -> Iterator[Heights]:
    if part in _COMBINATIONS:
        return combine_each(heights, _COMBINATIONS[part], burst=burst)
    if part == _ALIGNED:
        return _averages(heights, burst)
    network = load_denoiser(None if part == USUAL else Path(part))
    return denoise_movie(heights, network, burst=burst)


def _averages(heights: Heights, burst: int) -> Iterator[Heights]:
    if len(heights) < 2:
        raise MediaError("expected a burst of at least 2 scans for burst-mean, found 1")
    for number in range(len(heights)):
        around = burst_around(number, len(heights), max(2, burst))
        joined = join(heights[around], number - around.start)
        yield average(joined) + joined.plane


def _parts(method: str) -> list[str]:
    parts = method.split("+")
    names = (USUAL, _ALIGNED, *_COMBINATIONS, *CORRECTIONS)
    for part in parts:
        if part not in names and not part.endswith(".safetensors"):
            known = ", ".join(names)
            raise UsageError(
                f"expected a method, or several with + between them ({known}, or a .safetensors "
                f"file), found {part!r}"
            )
    return parts


def _counted(frames: Iterator[Heights], total: int, progress: Report | None) -> Iterator[Heights]:
    began = time.monotonic()
    for count, frame in enumerate(frames, 1):
        yield frame
        if progress is not None:
            progress(Progress(count, total, time.monotonic() - began))
