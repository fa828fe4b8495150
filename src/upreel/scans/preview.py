"""What a scan looks like before and after, side by side: a picture of one frame, or a video."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from upreel.core.files import PendingFile, failed
from upreel.errors import UsageError
from upreel.scans.corrections import remove_plane
from upreel.scans.scan import Heights, Scan

Picture = NDArray[np.uint8]
"""`(H, W, 3)`, RGB."""

_RATES = (5.0, 60.0)
"""Frames per second that can be watched; movies of another pace are shown at `_USUAL`."""
_USUAL = 10
_TALLEST = 400
"""Pixels are drawn so much larger that frames have about this height."""
_LABEL, _GAP = 28, 8
"""Rows above a frame for its name, and columns between two frames."""


def check_preview(target: Path) -> None:
    """Find out whether the ending of a preview is known.

    Raises:
        UsageError: it is not.
    """
    if target.suffix.lower() not in _WRITERS:
        raise UsageError(
            f"expected a preview to end in {' '.join(_WRITERS)}, found {target.name!r}"
        )


def write_preview(before: Scan, after: Scan, target: Path, *, overwrite: bool = False) -> Path:
    """Draw two scans side by side, without their planes and on one scale of heights.

    Args:
        before: the source.
        after: the result, as many frames of the same size.
        target: `.mp4` or `.mkv` for all frames, `.png` for the one in the middle.
        overwrite: whether an existing file may be replaced.

    Raises:
        UsageError: the ending is not known, or the file exists.
        OutputError: it cannot be written.
    """
    check_preview(target)
    with PendingFile(target, overwrite=overwrite) as pending:
        try:
            _WRITERS[target.suffix.lower()](before, after, pending.path)
        except (OSError, av.FFmpegError) as error:
            raise failed(target, error) from error
        return pending.commit()


def draw_beside(scans: Mapping[str, Scan], frames: slice = slice(None)) -> Iterator[Picture]:
    """Draw frames side by side, each with a bar that says how long it is.

    Args:
        scans: by what to write above them, frames of one size; the last one sets the scale of
            heights.
        frames: which to draw.
    """
    flat = [remove_plane(scan.heights[frames]) for scan in scans.values()]
    low, high = np.percentile(flat[-1], (0.5, 99.5))
    for heights in zip(*flat, strict=True):
        tiles: list[Picture] = []
        for (name, scan), frame in zip(scans.items(), heights, strict=True):
            zoom = max(1, round(_TALLEST / scan.size[1]))
            tile = _labelled(_drawn(frame, low, high, zoom), name, scan.pixel_size, zoom)
            tiles += [tile, np.full((tile.shape[0], _GAP, 3), 255, np.uint8)]
        picture = np.concatenate(tiles[:-1], axis=1)
        # 4:2:0 wants an even number of rows and columns.
        yield np.pad(picture, [(0, -n % 2) for n in picture.shape[:2]] + [(0, 0)], mode="edge")


def _write_picture(before: Scan, after: Scan, path: Path) -> None:
    middle = len(after.heights) // 2
    (picture,) = draw_beside(_named(before, after), slice(middle, middle + 1))
    path.write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())


def _write_video(before: Scan, after: Scan, path: Path) -> None:
    pace = 1 / after.frame_time if after.frame_time else 0.0
    rate = Fraction(pace).limit_denominator(1000) if _RATES[0] <= pace <= _RATES[1] else _USUAL
    with av.open(str(path), "w") as file:
        stream: av.VideoStream | None = None
        for picture in draw_beside(_named(before, after)):
            if stream is None:
                stream = file.add_stream("libx264", rate, options={"crf": "16"})
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        if stream is not None:
            file.mux(stream.encode(None))


def _named(before: Scan, after: Scan) -> Mapping[str, Scan]:
    return {"before": before, "after": after}


def _drawn(heights: Heights, low: float, high: float, zoom: int) -> Picture:
    """Black over brown and orange to white, as microscopes show heights."""
    part = np.clip((heights - low) / max(high - low, 1e-30), 0, 1)
    colors = np.stack([2 * part, 2 * part - 0.5, 2 * part - 1], axis=-1)
    codes: Picture = np.round(255 * np.clip(colors, 0, 1)).astype(np.uint8)
    return codes.repeat(zoom, axis=0).repeat(zoom, axis=1)


def _labelled(
    picture: Picture, name: str, pixel_size: tuple[float, float] | None, zoom: int
) -> Picture:
    """Put a name above, and beside it a bar of a round length where the scale is known."""
    whole = np.pad(picture, [(_LABEL, 0), (0, 0), (0, 0)], constant_values=255)
    _write(whole, name, 4)
    if pixel_size is not None:
        nanometres = _round_length(picture.shape[1] / zoom * pixel_size[0] / 3)
        length = round(nanometres / pixel_size[0] * zoom)
        start = picture.shape[1] - length - 4
        cv2.rectangle(whole, (start, 22), (start + length, 25), (0, 0, 0), -1)
        _write(whole, f"{nanometres:g} nm", start, 17, 0.45)
    return whole


def _write(picture: Picture, text: str, x: int, y: int = 20, size: float = 0.6) -> None:
    cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), 1, cv2.LINE_AA)


def _round_length(length: float) -> float:
    """The largest of 1, 2, 5, 10, 20, ... that is not longer."""
    power = 10.0 ** np.floor(np.log10(length))
    return float(max(step * power for step in (1, 2, 5) if step * power <= length))


_WRITERS: Mapping[str, Callable[[Scan, Scan, Path], None]] = {
    ".mp4": _write_video,
    ".mkv": _write_video,
    ".png": _write_picture,
}
