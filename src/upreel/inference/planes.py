"""Between the planes of a file and what a network sees.

A network for luma sees the Y plane as it is coded; chroma is enlarged by a linear filter that
respects its siting, and no colour matrix is applied. Only where R'G'B' stands on one side (stills,
GIF, or a network that wants it) are colours converted, in float, by the file's own tags.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from upreel.errors import MediaError
from upreel.models.upscaler import Color
from upreel.ops.color import MATRICES, Range, code_range, rgb_to_ycbcr, ycbcr_to_rgb
from upreel.ops.resize import resize
from upreel.video.frame import ColorTags, Frame, PixelLayout, Plane, Siting


@dataclass(frozen=True, slots=True)
class Coding:
    """How numbers stand for colours: what is needed to compute with planes.

    Attributes:
        layout: the planes.
        matrix: as `ColorTags` has it; luma and chroma can be enlarged without knowing it.
        range: of the code values.
        siting: where a sample of chroma lies.
    """

    layout: PixelLayout
    matrix: str
    range: Range
    siting: Siting

    @classmethod
    def of(cls, layout: PixelLayout, colors: ColorTags) -> Coding:
        """Read tags in which nothing is missing that counts: see `output_colors`."""
        matrix = colors.matrix or "bt709"
        range_: Range = "pc" if layout.family == "rgb" else colors.range or "tv"
        return cls(layout, matrix, range_, colors.siting or "left")

    @property
    def top(self) -> int:
        """The largest code value."""
        return (1 << self.layout.bits) - 1

    @property
    def middle(self) -> float:
        """Chroma of grey, in units of the largest code value."""
        return (1 << self.layout.bits - 1) / self.top

    def offset(self) -> tuple[float, float]:
        """Where the first sample of chroma lies, in luma samples, (vertically, horizontally)."""
        across, down = self.layout.subsample
        horizontal = 0.0 if self.siting in {"left", "topleft", "bottomleft"} else (across - 1) / 2
        vertical = (down - 1) / 2
        if self.siting.startswith("top"):
            vertical = 0.0
        elif self.siting.startswith("bottom"):
            vertical = float(down - 1)
        return vertical, horizontal

    def plane_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the chroma planes of a frame of `size` (width, height)."""
        across, down = self.layout.subsample
        return -(-size[1] // down), -(-size[0] // across)


def require_matrix(coding: Coding) -> None:
    """Make sure that colours can be turned into R'G'B'.

    Raises:
        MediaError: the matrix is not known.
    """
    if coding.layout.family != "rgb" and coding.matrix not in MATRICES:
        raise MediaError(
            f"colours coded as {coding.matrix} cannot be turned into RGB; write a video of such "
            "colours too, without --preview and with a model for luma"
        )


class PlaneConverter:
    """Turns a frame of the source into what a network sees, and its result into the target's frame.

    A network that returns its linear skip alone leaves every code value of flat areas as it is, at
    8 to 12 bits: values go through float32 and are rounded once.
    """

    def __init__(
        self,
        source: Coding,
        target: Coding,
        *,
        color: Color,
        source_size: tuple[int, int],
        size: tuple[int, int],
        target_size: tuple[int, int],
    ) -> None:
        """Set up the conversion.

        Args:
            source: how the frames are coded that come in.
            target: how the frames are to be coded that go out.
            color: what the network sees.
            source_size: (width, height) of the frames that come in.
            size: (width, height) of the result.
            target_size: what of `size` is kept: rows and columns at the end may be dropped.

        Raises:
            MediaError: colours are to be converted by a matrix that is not known.
        """
        self._source, self._target, self._color = source, target, color
        self._source_size, self._size, self._target_size = source_size, size, target_size
        if source.layout.family == "rgb":  # Y'CbCr of full range and resolution inside
            matrix = target.matrix if target.layout.family == "yuv" else "bt709"
            layout = PixelLayout("yuv", source.layout.bits, alpha=source.layout.alpha)
            self._inside = Coding(layout, matrix, "pc", "center")
        else:
            self._inside = source
        if color == "rgb" or "rgb" in {source.layout.family, target.layout.family}:
            require_matrix(self._inside)
            require_matrix(target)

    def low(self, frame: Frame) -> Tensor:
        """What the network sees of a frame: `(C, H, W)`, float32, in 0..1."""
        if self._color == "luma":
            return self._luma(frame)[None]
        if self._source.layout.family == "rgb":
            return self._rgb(frame)
        whole = Coding(PixelLayout("yuv"), self._source.matrix, self._source.range, "center")
        chroma = self._chroma(frame, whole, self._source_size)
        return self._to_rgb(torch.stack([self._luma(frame), *chroma]))

    def high(self, frame: Frame, enlarged: Tensor) -> Frame:
        """Make the target's frame.

        Args:
            frame: the frame that was enlarged: its instant, chroma and alpha are used.
            enlarged: `(C, H, W)`, what the network made of `low(frame)`.
        """
        width, height = self._size
        if enlarged.shape[-2:] != (height, width):
            enlarged = resize(enlarged, (height, width))
        colours = (
            self._from_luma(frame, enlarged[0])
            if self._color == "luma"
            else self._from_rgb(enlarged)
        )
        if self._target.layout.alpha:
            colours.append(self._alpha(frame))
        sizes = [(self._target_size[1], self._target_size[0])] * len(colours)
        if self._target.layout.family == "yuv":
            sizes[1:3] = [self._target.plane_size(self._target_size)] * 2
        return frame.with_planes(
            tuple(
                _to_codes(colour[:rows, :columns], self._target.layout.bits)
                for colour, (rows, columns) in zip(colours, sizes, strict=True)
            ),
            self._target.layout,
        )

    def _luma(self, frame: Frame) -> Tensor:
        """Y in the coding inside, `(H, W)`."""
        if self._source.layout.family == "rgb":
            return self._inside_of(self._rgb(frame))[0]
        return _to_float(frame.planes[0], self._source.top)

    def _rgb(self, frame: Frame) -> Tensor:
        return torch.stack([_to_float(plane, self._source.top) for plane in frame.planes[:3]])

    def _inside_of(self, rgb: Tensor) -> Tensor:
        inside = self._inside
        return rgb_to_ycbcr(rgb, inside.matrix, inside.range, inside.layout.bits)

    def _to_rgb(self, ycbcr: Tensor) -> Tensor:
        inside = self._inside
        return ycbcr_to_rgb(ycbcr, inside.matrix, inside.range, inside.layout.bits)

    def _alpha(self, frame: Frame) -> Tensor:
        width, height = self._size
        if not self._source.layout.alpha:
            return torch.ones(height, width)
        return resize(_to_float(frame.planes[-1], self._source.top), (height, width))

    def _chroma(self, frame: Frame, target: Coding, size: tuple[int, int]) -> list[Tensor]:
        """Cb and Cr of the source in the coding inside, on the grid of `target` at `size`."""
        family = self._source.layout.family
        if family == "gray":
            return [torch.full(target.plane_size(size), self._source.middle)] * 2
        if family == "rgb":
            planes = list(self._inside_of(self._rgb(frame))[1:])
        else:
            planes = [_to_float(plane, self._source.top) for plane in frame.planes[1:3]]
        return [
            _resample_chroma(plane, self._inside, self._source_size, target, size)
            for plane in planes
        ]

    def _from_luma(self, frame: Frame, luma: Tensor) -> list[Tensor]:
        """Planes of the target from an enlarged Y."""
        target = self._target
        if target.layout.family == "rgb":
            whole = Coding(PixelLayout("yuv"), target.matrix, target.range, "center")
            return list(self._to_rgb(torch.stack([luma, *self._chroma(frame, whole, self._size)])))
        planes = [_recode(luma, self._inside, target, chroma=False)]
        if target.layout.family == "yuv":
            planes += [
                _recode(plane, self._inside, target, chroma=True)
                for plane in self._chroma(frame, target, self._size)
            ]
        return planes

    def _from_rgb(self, rgb: Tensor) -> list[Tensor]:
        """Planes of the target from an enlarged R'G'B'."""
        target = self._target
        if target.layout.family == "rgb":
            return list(rgb)
        ycbcr = rgb_to_ycbcr(rgb, target.matrix, target.range, target.layout.bits)
        if target.layout.family == "gray":
            return [ycbcr[0]]
        whole = Coding(PixelLayout("yuv"), target.matrix, target.range, "center")
        return [
            ycbcr[0],
            *(
                _resample_chroma(plane, whole, self._size, target, self._size)
                for plane in ycbcr[1:]
            ),
        ]


def _to_float(plane: Plane, top: int) -> Tensor:
    if (
        not plane.flags.writeable
    ):  # torch warns of memory that must not change, though it only reads
        plane = plane.copy()
    return torch.from_numpy(np.ascontiguousarray(plane)).to(torch.float32) / top


def _to_codes(values: Tensor, bits: int) -> Plane:
    top = 2**bits - 1
    codes = (values * top).round_().clamp_(0, top)
    plane: Plane = codes.to(torch.uint8 if bits <= 8 else torch.uint16).contiguous().numpy()
    return plane


def _recode(values: Tensor, source: Coding, target: Coding, *, chroma: bool) -> Tensor:
    """Change range and bits of one plane; nothing is touched where both are the same."""
    before, after = ((coding.range, coding.layout.bits) for coding in (source, target))
    if before == after:
        return values
    (black, luma, span), (new_black, new_luma, new_span) = code_range(*before), code_range(*after)
    if not chroma:
        return (values - black) * (new_luma / luma) + new_black
    return (values - source.middle) * (new_span / span) + target.middle


def _resample_chroma(
    plane: Tensor,
    source: Coding,
    source_size: tuple[int, int],
    target: Coding,
    target_size: tuple[int, int],
) -> Tensor:
    """Bring a plane of chroma from the grid of one coding and size to that of another.

    Sample `i` of a plane lies at luma position `i * subsample + offset`; luma sample `x` of the
    source lies at `(x + 0.5) * factor - 0.5` of the target.
    """
    scales, shifts = [], []
    for axis, side in ((0, 1), (1, 0)):  # vertical, horizontal; sizes are (width, height)
        step, new_step = source.layout.subsample[side], target.layout.subsample[side]
        factor = target_size[side] / source_size[side]
        first = ((target.offset()[axis] + 0.5) / factor - 0.5 - source.offset()[axis]) / step
        scales.append(factor * step / new_step)
        shifts.append(first - 0.5 / scales[-1] + 0.5)
    size = target.plane_size(target_size)
    if size == plane.shape and scales == [1.0, 1.0] and shifts == [0.0, 0.0]:
        return plane
    return resize(plane, size, scale=(scales[0], scales[1]), shift=(shifts[0], shifts[1]))
