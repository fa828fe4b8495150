"""Sizes of frames that are written: even ones, cut ones, and the shape of their pixels."""

from __future__ import annotations

from fractions import Fraction
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from upreel.video.frame import PixelLayout, Plane

Number = TypeVar("Number", bound=np.unsignedinteger)
Size = tuple[int, int]
"""Width and height."""

MAX_SIDE = 16384
"""Frames wider or higher than this are neither read nor made."""


def whole_chroma(size: Size, layout: PixelLayout) -> Size:
    """The size without the last column or row where its chroma would stand for half a pixel."""
    width, height = (
        max(length - length % step, step)
        for length, step in zip(size, layout.subsample, strict=True)
    )
    return width, height


def crop(planes: tuple[Plane, ...], layout: PixelLayout, size: Size) -> tuple[Plane, ...]:
    """The planes of a picture without what lies beyond a size, at the right and the bottom."""
    width, height = size
    across, down = layout.subsample
    chroma = {1, 2} if layout.family == "yuv" else set()
    return tuple(
        plane[: -(-height // down), : -(-width // across)]
        if index in chroma
        else plane[:height, :width]
        for index, plane in enumerate(planes)
    )


def turned(picture: NDArray[Number], rotation: int, *, mirrored: bool) -> NDArray[Number]:
    """A picture as players show it.

    Args:
        picture: rows and columns first.
        rotation: degrees counterclockwise; what is no multiple of 90 becomes the nearest.
        mirrored: whether the picture is put upside down before.
    """
    return np.rot90(np.flipud(picture) if mirrored else picture, round(rotation / 90))


def shown_size(size: Size, rotation: int) -> Size:
    """The size of a picture after it was turned."""
    return size[::-1] if round(rotation / 90) % 2 else size


def sample_aspect_ratio(ratio: Fraction | None, source: Size, target: Size) -> Fraction | None:
    """The shape of a pixel of the output: another one where the picture is stretched.

    Args:
        ratio: that of the source; `None` where unknown.
        source: size of the source.
        target: size of the output before it was made even.
    """
    exact = Fraction(source[0] * target[1], source[1] * target[0])
    # Whole pixels that are nearest to the shape of the source do not stretch it.
    if abs(target[0] - Fraction(source[0] * target[1], source[1])) <= 1:
        return ratio
    return ((ratio or 1) * exact).limit_denominator(255)
