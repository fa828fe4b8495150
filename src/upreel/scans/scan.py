"""A scan: one image of heights, or a movie of them, with its physical scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upreel.errors import MediaError

Fact = str | int | float | bool
"""A value of a file's header."""
Heights = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """Heights as the microscope measured them, and what they mean.

    The fast axis (the scan line) is the last one: rows were scanned one after the other.

    Attributes:
        heights: `(T, H, W)`, float32, finite, in `unit`; the first row is the top of the picture.
        pixel_size: width and height of a pixel in nm; None where the file does not say.
        unit: of the heights, such as `nm`, `V` or `deg`; empty where the file does not say.
        frame_time: seconds from one frame to the next; None for an image or where unknown.
        channel: what was measured, in the instrument's words, such as `Height Sensor`.
        direction: of the scan line, `trace` or `retrace`; empty where the file does not say.
        metadata: what else the file says, under the file's own names.
        source: the name of the file.
    """

    heights: Heights
    pixel_size: tuple[float, float] | None = None
    unit: str = ""
    frame_time: float | None = None
    channel: str = ""
    direction: str = ""
    metadata: Mapping[str, Fact] = field(default_factory=dict)
    source: str = ""

    def __post_init__(self) -> None:
        """Refuse what nothing below could work with.

        Raises:
            MediaError: heights are not float32, not `(T, H, W)`, empty, or not finite.
        """
        name, heights = self.source or "a scan", self.heights
        if heights.dtype != np.float32 or heights.ndim != 3 or not heights.size:
            raise MediaError(
                f"{name}: expected heights as float32 of (frames, rows, columns), "
                f"found {heights.dtype} of {heights.shape}"
            )
        bad = heights.size - int(np.isfinite(heights).sum())
        if bad:
            raise MediaError(
                f"{name}: expected finite heights, found {bad} values that are not "
                "(a scan that was stopped?). Crop the file to what was scanned."
            )

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        _, rows, columns = self.heights.shape
        return columns, rows


def as_heights(values: ArrayLike, source: str) -> Heights:
    """Make the heights of a scan from what a file holds: one image, or several.

    Args:
        values: `(H, W)` or `(T, H, W)`, real numbers.
        source: the name of the file, for the message.

    Raises:
        MediaError: they are something else.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiub" or array.ndim not in (2, 3):
        raise MediaError(
            f"{source}: expected numbers of one channel as (rows, columns) or (frames, rows, "
            f"columns), found {array.dtype} of {array.shape}"
        )
    return np.ascontiguousarray(array.reshape(-1, *array.shape[-2:]), np.float32)
