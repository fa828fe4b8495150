"""What a file says of high dynamic range beside its colour tags, read from side data of a frame."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from fractions import Fraction

import av
from av.sidedata.sidedata import Type

from upreel.video.tags import side_data_of

_DYNAMIC = {
    Type.DYNAMIC_HDR_PLUS: "HDR10+",
    Type.DYNAMIC_HDR_VIVID: "HDR Vivid",
    Type.DOVI_RPU_BUFFER: "Dolby Vision",
}

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


def dynamic_hdr_of(frame: av.VideoFrame) -> tuple[str, ...]:
    """The kinds of metadata in a frame that change from scene to scene, by their usual names."""
    return tuple(name for kind, name in _DYNAMIC.items() if side_data_of(frame, kind) is not None)


def hdr_of(frame: av.VideoFrame) -> Hdr | None:
    """The HDR10 side data of a frame; `None` where it has none."""
    display = side_data_of(frame, Type.MASTERING_DISPLAY_METADATA)
    light = side_data_of(frame, Type.CONTENT_LIGHT_LEVEL)
    if display is None and light is None:
        return None
    hdr = Hdr()
    if display is not None:
        # AVMasteringDisplayMetadata: x, y of red, green, blue, white; min, max; two flags.
        *numbers, has_primaries, has_luminance = struct.unpack_from("=22i", display)
        ratios = [
            Fraction(numerator, denominator or 1)
            for numerator, denominator in zip(numbers[::2], numbers[1::2], strict=True)
        ]
        if has_primaries:
            red, green, blue, white = zip(ratios[0:8:2], ratios[1:8:2], strict=True)
            hdr = replace(hdr, red=red, green=green, blue=blue, white=white)
        if has_luminance:
            hdr = replace(hdr, min_luminance=ratios[8], max_luminance=ratios[9])
    if light is not None:
        max_cll, max_fall = struct.unpack_from("=2I", light)
        hdr = replace(hdr, max_cll=max_cll, max_fall=max_fall)
    return hdr
