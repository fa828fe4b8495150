"""A frame between decoder and encoder: planes of code values and an instant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Plane: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]

Family = Literal["yuv", "gray", "rgb"]
Siting = Literal["left", "center", "topleft", "top", "bottomleft", "bottom"]


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """How the planes of a frame are to be read.

    Attributes:
        family: `yuv` (planes Y, Cb, Cr), `gray` (Y) or `rgb` (R, G, B).
        bits: bits of a code value; above 8 the planes are uint16, value in the low bits.
        subsample: by how much the chroma planes are smaller, (horizontally, vertically); (2, 2)
            for 4:2:0. A plane's size is rounded up.
        alpha: whether a plane of alpha, of full size, comes last.
    """

    family: Family
    bits: int = 8
    subsample: tuple[int, int] = (1, 1)
    alpha: bool = False


@dataclass(frozen=True, slots=True)
class ColorTags:
    """What the file says of its colours, in FFmpeg's names; `None` is FFmpeg's `unspecified`.

    Attributes:
        range: `tv` (limited) or `pc` (full).
        matrix: `color_space`: bt709, smpte170m, bt470bg, bt2020nc, ...
        primaries: `color_primaries`.
        transfer: `color_trc`: bt709, smpte2084 (PQ), arib-std-b67 (HLG), ...
        siting: `chroma_location`.
    """

    range: Literal["tv", "pc"] | None = None
    matrix: str | None = None
    primaries: str | None = None
    transfer: str | None = None
    siting: Siting | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture and its instant.

    Attributes:
        planes: arrays `(height, width)` in the order of `layout`; contiguous or not.
        layout: how to read them.
        pts: presentation time in units of `time_base`.
        time_base: seconds.
        duration: in units of `time_base`; `None` where the file does not say.
        cut: whether a new scene begins with this frame.
        segment: number of the segment that it belongs to; `None`: it is shown to the network for
            its neighbours' sake, and its result is left out.
        captions: closed captions that the file has with this frame.
    """

    planes: tuple[Plane, ...]
    layout: PixelLayout
    pts: int
    time_base: Fraction
    duration: int | None = None
    cut: bool = False
    segment: int | None = 0
    captions: bytes | None = None

    @property
    def width(self) -> int:
        """Of the first plane."""
        return int(self.planes[0].shape[1])

    @property
    def height(self) -> int:
        """Of the first plane."""
        return int(self.planes[0].shape[0])

    def with_planes(self, planes: tuple[Plane, ...], layout: PixelLayout) -> Frame:
        """The same instant with another picture."""
        return replace(self, planes=planes, layout=layout)
