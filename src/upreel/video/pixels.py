"""Pixel formats of FFmpeg and planes of code values, both ways, without loss."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from itertools import product

import av
import numpy as np
from av.video.plane import VideoPlane

from upreel.video.frame import Family, PixelLayout, Plane

_SUBSAMPLE = {
    (1, 1): "444",
    (2, 1): "422",
    (2, 2): "420",
    (1, 2): "440",
    (4, 1): "411",
    (4, 4): "410",
}
_BITS = (8, 9, 10, 12, 14, 16)
_STEMS: dict[tuple[Family, bool], str] = {
    ("gray", False): "gray",
    ("yuv", False): "yuv{}p",
    ("yuv", True): "yuva{}p",
    ("rgb", False): "gbrp",
    ("rgb", True): "gbrap",
}


def _name(layout: PixelLayout) -> str:
    stem = _STEMS[layout.family, layout.alpha].format(_SUBSAMPLE[layout.subsample])
    return stem if layout.bits == 8 else f"{stem}{layout.bits}le"


def _exists(name: str) -> bool:
    try:
        av.VideoFormat(name)
    except ValueError:
        return False
    return True


def _planar_layouts() -> dict[str, PixelLayout]:
    layouts = (
        PixelLayout(family, bits, subsample, alpha)
        for (family, alpha), bits, subsample in product(_STEMS, _BITS, _SUBSAMPLE)
        if family == "yuv" or subsample == (1, 1)
    )
    return {name: layout for layout in layouts if _exists(name := _name(layout))}


_PLANAR = _planar_layouts()
# The samples of a pixel stand together here; a plane is a view of every third or fourth.
_PACKED = {
    "rgb24": PixelLayout("rgb"),
    "rgba": PixelLayout("rgb", alpha=True),
    "rgb48le": PixelLayout("rgb", 16),
    "rgba64le": PixelLayout("rgb", 16, alpha=True),
}


def layout_of(pixel_format: str) -> PixelLayout | None:
    """The layout of a pixel format whose planes can be read as they are, else `None`.

    `yuvj420p` and its kin read like `yuv420p`: that their range is full is a colour tag.
    """
    plain = pixel_format.replace("yuvj", "yuv", 1)
    return _PLANAR.get(plain) or _PACKED.get(plain)


def pixel_format_of(layout: PixelLayout) -> str:
    """FFmpeg's name of the planar pixel format of a layout.

    Raises:
        ValueError: FFmpeg has no such format.
    """
    known = (layout.family, layout.alpha) in _STEMS and layout.subsample in _SUBSAMPLE
    if not known or (name := _name(layout)) not in _PLANAR:
        raise ValueError(f"FFmpeg has no planar pixel format for {layout}")
    return name


@lru_cache
def canonical(pixel_format: str) -> str:
    """The pixel format with readable planes that holds all that `pixel_format` holds.

    Formats whose planes can be read as they are stand for themselves. Only floating point and
    more than 16 bits lose precision.
    """
    if layout_of(pixel_format) is not None:
        return pixel_format.replace("yuvj", "yuv", 1)
    described = av.VideoFormat(pixel_format, 64, 64)
    components = described.components
    gray = not described.is_rgb and len(components) <= 2
    alpha = described.has_palette or any(component.is_alpha for component in components)
    family: Family = "yuv"
    if described.is_rgb or described.has_palette or described.is_bayer or (gray and alpha):
        family = "rgb"
    elif gray:
        family = "gray"
    chroma = (64 // described.chroma_width(64), 64 // described.chroma_height(64))
    needed = min(16, max(component.bits for component in components))
    for bits in _BITS:
        layout = PixelLayout(family, bits, chroma if family == "yuv" else (1, 1), alpha)
        if bits >= needed and layout in _PLANAR.values():
            return pixel_format_of(layout)
    return "gbrap16le" if alpha else "gbrp16le"


def _samples(plane: VideoPlane, bits: int, per_pixel: int) -> Plane:
    """A view `(rows, samples)` of a plane without the padding of its lines."""
    step, rows = plane.line_size, plane.height
    if step < 0:  # the picture stands upside down in memory, its first line last
        lowest = plane.buffer_ptr + step * (rows - 1)
        lines = _values(ctypes.string_at(lowest, -step * rows), bits).reshape(rows, -1)[::-1]
    else:
        lines = _values(memoryview(plane), bits).reshape(rows, -1)
    view = lines[:, : plane.width * per_pixel]
    view.flags.writeable = False  # the decoder may still look at this memory
    return view


def _values(memory: bytes | memoryview, bits: int) -> Plane:
    return np.frombuffer(memory, np.uint8) if bits == 8 else np.frombuffer(memory, np.uint16)


def planes_of(frame: av.VideoFrame) -> tuple[Plane, ...]:
    """Read-only views of the planes of a frame, in the order of its layout.

    Args:
        frame: in a pixel format for which `layout_of` has an answer.
    """
    layout = layout_of(frame.format.name)
    if layout is None:
        raise ValueError(f"planes of {frame.format.name} cannot be read; convert it to canonical()")
    if frame.format.name in _PACKED:
        count = 4 if layout.alpha else 3
        pixels = _samples(frame.planes[0], layout.bits, count)
        pixels = pixels.reshape(frame.height, frame.width, count)
        return tuple(pixels[:, :, index] for index in range(count))
    planes = [_samples(plane, layout.bits, 1) for plane in frame.planes]
    if layout.family == "rgb":
        planes[:3] = planes[2], planes[0], planes[1]  # FFmpeg keeps them as G, B, R
    return tuple(planes)


def frame_of(planes: tuple[Plane, ...], layout: PixelLayout) -> av.VideoFrame:
    """A frame of FFmpeg with these planes; it has no instant and no colour tags.

    Args:
        planes: `(height, width)` each, in the order of `layout`; their values fit its bits.
        layout: how to read them.

    Raises:
        ValueError: a plane has another size than the layout says.
    """
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pixel_format_of(layout))
    ordered = list(planes)
    if layout.family == "rgb":
        ordered[:3] = planes[1], planes[2], planes[0]
    for values, plane in zip(ordered, frame.planes, strict=True):
        if values.shape != (plane.height, plane.width):
            raise ValueError(
                f"a plane of {plane.width}x{plane.height} was expected for a frame of "
                f"{width}x{height}, found {values.shape[1]}x{values.shape[0]}"
            )
        lines = _values(memoryview(plane), layout.bits).reshape(plane.height, -1)
        lines[:, : plane.width] = values
    return frame
