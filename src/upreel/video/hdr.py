"""What a file says of the display it was mastered on (HDR10), read from side data of a frame."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

import av
from av.sidedata.sidedata import Type

Point = tuple[Fraction, Fraction]


@dataclass(frozen=True, slots=True)
class Hdr:
    """Mastering display (SMPTE ST 2086) and content light level (CTA-861.3).

    Attributes:
        red: x, y of CIE 1931; `None` where the file gives no primaries.
        green: like `red`.
        blue: like `red`.
        white: like `red`.
        min_luminance: candela per square metre.
        max_luminance: candela per square metre.
        max_cll: brightest pixel, candela per square metre.
        max_fall: brightest frame's average, candela per square metre.
    """

    red: Point | None = None
    green: Point | None = None
    blue: Point | None = None
    white: Point | None = None
    min_luminance: Fraction | None = None
    max_luminance: Fraction | None = None
    max_cll: int | None = None
    max_fall: int | None = None


def hdr_of(frame: av.VideoFrame) -> Hdr | None:
    """The HDR10 side data of a frame; `None` where it has none."""
    display = light = None
    for side_data in frame.side_data:
        if side_data.type == Type.MASTERING_DISPLAY_METADATA:
            display = bytes(side_data)
        elif side_data.type == Type.CONTENT_LIGHT_LEVEL:
            light = bytes(side_data)
    if display is None and light is None:
        return None
    points: tuple[Point | None, ...] = (None, None, None, None)
    luminance: tuple[Fraction | None, ...] = (None, None)
    if display is not None:
        # AVMasteringDisplayMetadata: x, y of red, green, blue, white; min, max; two flags.
        *numbers, has_primaries, has_luminance = struct.unpack_from("=22i", display)
        ratios = [
            Fraction(numerator, denominator or 1)
            for numerator, denominator in zip(numbers[::2], numbers[1::2], strict=True)
        ]
        if has_primaries:
            points = tuple((ratios[index], ratios[index + 1]) for index in range(0, 8, 2))
        if has_luminance:
            luminance = tuple(ratios[8:10])
    max_cll, max_fall = (None, None) if light is None else struct.unpack_from("=2I", light)
    return Hdr(*points, *luminance, max_cll, max_fall)
