"""Successive over-relaxation (SOR) of two equations for each pixel, half of the pixels at a time.

In the usual order, row by row, a pixel waits for the one to its left. Here pixels are coloured like
a chessboard: the neighbours of a black one are all red, so all of one colour are updated at once
(Young 1971, "Iterative solution of large linear systems"). The solution is the same, and so is the
speed of convergence.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_GAIN = 1.8  # over-relaxation


class Equations(NamedTuple):
    """Two linear equations for each pixel, for its increment of flow.

    `diagonal * d + cross * d.flip + sum of bonds * (d - d of the neighbour) = constant`, for the
    increment `d`.

    Attributes:
        constant: `(N, 2, H, W)`.
        diagonal: same shape.
        cross: `(N, 1, H, W)`.
        right: bond with the neighbour to the right, `(N, 1, H, W)`, zero in the last column.
        below: bond with the neighbour below, zero in the last row.
    """

    constant: Tensor
    diagonal: Tensor
    cross: Tensor
    right: Tensor
    below: Tensor


class _Color(NamedTuple):
    """What updating the pixels of one colour needs, all views of the tables.

    Attributes:
        gains: of the constant and of five neighbours, each `(2, L)`.
        values: of the pixels, and of the five neighbours.
        own: x and y of the pixels, each `(L,)`.
        cross: the gain of y in the equation of x, and of x in that of y.
    """

    gains: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    own: tuple[Tensor, ...]
    cross: tuple[Tensor, ...]


class RedBlack:
    """Tables for images of one size, with every second pixel of each row for each colour.

    Place `k` of a row is column `2 k` or `2 k + 1`. The neighbours of a pixel, all of the other
    colour, are at the same place of the rows above, below, and its own, and one place before in the
    own row (if the column is even) or behind (if it is odd). Rows and images follow each other with
    one place between them that stays zero.
    """

    def __init__(self, images: int, size: tuple[int, int], *, device: torch.device) -> None:
        """Make the tables."""
        height, width = size
        row = (width + 1) // 2 + 1
        length = images * height * row
        self._shape = images, height, row
        self._gains = torch.zeros(2, 7, 2, length, device=device)
        self._state = torch.zeros(2, 2, length + 2 * row, device=device)
        self._total = torch.empty(2, length, device=device)
        self._colors = []
        for color in range(2):
            mine, other = self._state[color], self._state[1 - color]
            places = (row, row - 1, row + 1, 0, 2 * row)
            values = (
                mine[:, row : row + length],
                *(other[:, place : place + length] for place in places),
            )
            *gains, cross = self._gains[color].unbind(0)
            self._colors.append(_Color(tuple(gains), values, values[0].unbind(0), cross.unbind(0)))

    def relax(self, equations: Equations, *, sweeps: int) -> Tensor:
        """Sweep over the pixels, beginning at zero: an approximate solution `(N, 2, H, W)`."""
        self._fill(_gains(equations))
        self._state.zero_()
        total_x, total_y = self._total.unbind(0)
        for _ in range(sweeps):
            for gains, values, (x, y), (cross_x, cross_y) in self._colors:
                torch.add(gains[0], values[0], alpha=1 - _GAIN, out=self._total)
                for gain, neighbour in zip(gains[1:], values[1:], strict=True):
                    self._total.addcmul_(gain, neighbour)
                torch.addcmul(total_x, cross_x, y, out=x)
                torch.addcmul(total_y, cross_y, x, out=y)
        return self._read(equations.constant.shape[-1])

    def _fill(self, gains: Tensor) -> None:
        """Write gains `(7, 2, N, H, W)` to the tables."""
        images, height, row = self._shape
        pairs = F.pad(gains, (0, gains.shape[-1] % 2)).view(7, 2, images, height, row - 1, 2)
        table = self._gains.view(2, 7, 2, images, height, row)[..., :-1]
        for color in range(2):  # in even rows the first of each pair is black, in odd ones red
            table[color, ..., ::2, :] = pairs[..., ::2, :, color]
            table[color, ..., 1::2, :] = pairs[..., 1::2, :, 1 - color]

    def _read(self, width: int) -> Tensor:
        """The pixels of the state, `(N, 2, H, W)`."""
        images, height, row = self._shape
        state = self._state[..., row:-row].view(2, 2, images, height, row)[..., :-1]
        pairs = state.permute(2, 1, 3, 4, 0).clone()
        pairs[:, :, 1::2] = pairs[:, :, 1::2].flip(-1)
        return pairs.flatten(-2)[..., :width]


def _gains(equations: Equations) -> Tensor:
    """How much of the constant, each neighbour and the other component a pixel takes.

    Returns:
        `(7, 2, N, H, W)`: constant; neighbours at the same place, before, behind, above, below;
        other component.
    """
    constant, diagonal, cross, right, below = equations
    left, above = behind(right, -1), behind(below, -2)
    odd = torch.arange(right.shape[-1], device=right.device) % 2 == 1
    same = torch.where(odd, left, right)
    bonds = (same, left - same * odd, right - same * ~odd, above, below)
    gain = _GAIN / (diagonal + left + above + right + below)
    gains = torch.stack([constant * gain, *(bond * gain for bond in bonds), -cross * gain])
    return gains.transpose(1, 2)


def behind(image: Tensor, axis: int) -> Tensor:
    """The pixel before this one; zero at the beginning."""
    return F.pad(image, (1, -1) if axis == -1 else (0, 0, 1, -1))
