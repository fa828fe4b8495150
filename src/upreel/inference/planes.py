"""Between the planes of a file and what a network sees.

A network for luma sees the Y plane as it is coded; chroma is enlarged by a linear filter that
respects its siting, and no colour matrix is applied. Only where R'G'B' stands on one side (stills,
GIF, or a network that wants it) are colours converted, in float, by the file's own tags.
"""

from __future__ import annotations

import torch
from torch import Tensor

from upreel.models.upscaler import Color
from upreel.ops.color import code_range, rgb_to_ycbcr, ycbcr_to_rgb
from upreel.ops.resize import resize
from upreel.video.coding import Coding, require_matrix, resample_chroma, rgb_of, to_float
from upreel.video.frame import Frame, PixelLayout, Plane


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
        return rgb_of(frame, self._source)

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
                to_codes(colour[:rows, :columns], self._target.layout.bits)
                for colour, (rows, columns) in zip(colours, sizes, strict=True)
            ),
            self._target.layout,
        )

    def _luma(self, frame: Frame) -> Tensor:
        """Y in the coding inside, `(H, W)`."""
        if self._source.layout.family == "rgb":
            return self._inside_of(rgb_of(frame, self._source))[0]
        return to_float(frame.planes[0], self._source.top)

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
        return resize(to_float(frame.planes[-1], self._source.top), (height, width))

    def _chroma(self, frame: Frame, target: Coding, size: tuple[int, int]) -> list[Tensor]:
        """Cb and Cr of the source in the coding inside, on the grid of `target` at `size`."""
        family = self._source.layout.family
        if family == "gray":
            return [torch.full(target.plane_size(size), self._source.middle)] * 2
        if family == "rgb":
            planes = list(self._inside_of(rgb_of(frame, self._source))[1:])
        else:
            planes = [to_float(plane, self._source.top) for plane in frame.planes[1:3]]
        return [
            resample_chroma(plane, self._inside, self._source_size, target, size)
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
            *(resample_chroma(plane, whole, self._size, target, self._size) for plane in ycbcr[1:]),
        ]


def to_codes(values: Tensor, bits: int) -> Plane:
    """Code values of a plane in units of the largest one, rounded and clipped."""
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
