"""Between R'G'B' and Y'CbCr, for any of the matrices and ranges that files are tagged with.

Gamma is not undone: these are the non-linear values that files hold.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import torch
from torch import Tensor

Range = Literal["tv", "pc"]

# Kr and Kb by FFmpeg's names for `color_space` (ITU-T H.273, table 4).
_LUMA = {
    "bt709": (0.2126, 0.0722),
    "fcc": (0.30, 0.11),
    "bt470bg": (0.299, 0.114),
    "smpte170m": (0.299, 0.114),
    "smpte240m": (0.212, 0.087),
    "bt2020nc": (0.2627, 0.0593),
}
# Cg and Co stand where the others have Cb and Cr.
_YCGCO = ((0.25, 0.5, 0.25), (-0.25, 0.5, -0.25), (0.5, 0.0, -0.5))
MATRICES = (*_LUMA, "ycgco")


@cache
def _to_ycbcr(matrix: str) -> Tensor:
    """Rows for Y in 0..1 and Cb, Cr in -0.5..0.5 from R, G, B in 0..1, float64."""
    if matrix == "ycgco":
        return torch.tensor(_YCGCO, dtype=torch.float64)
    kr, kb = _LUMA[matrix]
    luma = torch.tensor([kr, 1 - kr - kb, kb], dtype=torch.float64)
    blue = (torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64) - luma) / (2 * (1 - kb))
    red = (torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64) - luma) / (2 * (1 - kr))
    return torch.stack([luma, blue, red])


def code_range(range_: Range, bits: int) -> tuple[float, float, float]:
    """Where the code values of a range lie, in units of the largest code value `2**bits - 1`.

    Returns:
        Y of black, the span of Y from black to white, the span of Cb and Cr. Their middle is
        always the code value `2**(bits - 1)`.
    """
    top = 2**bits - 1
    if range_ == "pc":
        return 0.0, 1.0, 1.0
    unit = 2 ** (bits - 8) / top
    return 16 * unit, 219 * unit, 224 * unit


def rgb_to_ycbcr(rgb: Tensor, matrix: str, range_: Range, bits: int) -> Tensor:
    """Convert R, G, B in 0..1 to Y, Cb, Cr as coded.

    Args:
        rgb: `(..., 3, H, W)`, float.
        matrix: one of `MATRICES`.
        range_: of the result.
        bits: of the code values that the result will be rounded to.

    Returns:
        `(..., 3, H, W)`, in units of the largest code value; not rounded.
    """
    black, luma, chroma = code_range(range_, bits)
    out = torch.einsum("ij,...jhw->...ihw", _to_ycbcr(matrix).to(rgb), rgb)
    span = out.new_tensor([luma, chroma, chroma]).view(3, 1, 1)
    middle = 2 ** (bits - 1) / (2**bits - 1)
    return out * span + out.new_tensor([black, middle, middle]).view(3, 1, 1)


def ycbcr_to_rgb(ycbcr: Tensor, matrix: str, range_: Range, bits: int) -> Tensor:
    """Convert Y, Cb, Cr as coded to R, G, B in 0..1 (beyond it for colours that RGB cannot show).

    The inverse of `rgb_to_ycbcr`, with the same arguments.
    """
    black, luma, chroma = code_range(range_, bits)
    middle = 2 ** (bits - 1) / (2**bits - 1)
    span = ycbcr.new_tensor([luma, chroma, chroma]).view(3, 1, 1)
    centred = (ycbcr - ycbcr.new_tensor([black, middle, middle]).view(3, 1, 1)) / span
    inverse = torch.linalg.inv(_to_ycbcr(matrix)).to(ycbcr)
    return torch.einsum("ij,...jhw->...ihw", inverse, centred)
