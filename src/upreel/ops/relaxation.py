"""Successive over-relaxation (SOR) in the order of rows, many pixels at a time.

SOR goes through the pixels row by row, and each pixel sees the new values of the ones above and to
its left. Pixels on one diagonal (row + column the same) do not see each other, and a sweep may
begin two diagonals behind the one before. So all sweeps go over the image as one wave front
(Lamport 1974, "The parallel execution of DO loops"): a step updates every second one of the
diagonals on it at once, and the values are those of the order of rows.
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


class _Step(NamedTuple):
    """The views that one step works on; each has the diagonals of the step as rows.

    Attributes:
        coefficients: the gain of the constant and of four neighbours.
        values: of the pixels and of the four neighbours.
        total: room for a sum.
        totals: its x and y.
        own: x and y of the pixels.
        cross: the gain of y in the equation of x, and of x in that of y.
    """

    coefficients: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    total: Tensor
    totals: tuple[Tensor, ...]
    own: tuple[Tensor, ...]
    cross: tuple[Tensor, ...]


class WaveFront:
    """Tables for images of one size, with their diagonals as rows.

    Row `d` of a table is the diagonal of pixels with row + column `d`, by their row. A pixel finds
    the ones to the left of it and above one diagonal back, and those to the right and below one
    diagonal on; above and below are one place back and on too. Places without a pixel separate
    images and stay zero.
    """

    def __init__(
        self, images: int, size: tuple[int, int], *, sweeps: int, device: torch.device
    ) -> None:
        """Make the tables, and the views of them that each step needs."""
        self._tall = size[0] > size[1]  # transposed then: diagonals are by the shorter side
        self._shape = images, min(size), max(size)
        diagonals, length = sum(size) - 1, images * (min(size) + 1)
        self._table = torch.zeros(diagonals, 6, 2, length, device=device)
        self._state = torch.zeros(diagonals + 2, 2, length + 2, device=device)
        total = torch.empty(sweeps, 2, length, device=device)
        self._steps = []
        for step in range(diagonals + 2 * (sweeps - 1)):
            first = max(step - 2 * (sweeps - 1), step % 2)
            last = min(step, diagonals - 1)
            coefficients = self._table[first : last + 1 : 2].unbind(1)
            values = tuple(
                self._state[first + on : last + on + 1 : 2, :, place : place + length]
                for on, place in ((1, 1), (0, 1), (0, 0), (2, 1), (2, 2))
            )
            part = total[: len(values[0])]
            self._steps.append(
                _Step(
                    coefficients[:5],
                    values,
                    part,
                    part.unbind(1),
                    values[0].unbind(1),
                    coefficients[5].unbind(1),
                )
            )

    def relax(self, equations: Equations) -> Tensor:
        """Sweep over the pixels, beginning at zero: an approximate solution `(N, 2, H, W)`."""
        self._fill(_gains(equations, tall=self._tall))
        self._state.zero_()
        for gains, values, total, (total_x, total_y), (x, y), (cross_x, cross_y) in self._steps:
            torch.add(gains[0], values[0], alpha=1 - _GAIN, out=total)
            for gain, neighbour in zip(gains[1:], values[1:], strict=True):
                total.addcmul_(gain, neighbour)
            torch.addcmul(total_x, cross_x, y, out=x)
            torch.addcmul(total_y, cross_y, x, out=y)
        return self._read()

    def _fill(self, gains: Tensor) -> None:
        """Write gains `(6, N, 2, H, W)` to the table."""
        images, height, width = self._shape
        if self._tall:
            gains = gains.transpose(-1, -2)
        # With as many zeros behind each row as there are rows, and one left out, each row begins
        # one place further to the right than the one above it.
        flat = F.pad(gains, (0, height)).flatten(-2)[..., :-height]
        slanted = flat.reshape(6, images, 2, height, height + width - 1)
        table = self._table.view(-1, 6, 2, images, height + 1)
        table[..., :height].copy_(slanted.permute(4, 0, 2, 1, 3))

    def _read(self) -> Tensor:
        """The pixels of the state, `(N, 2, H, W)`."""
        images, height, width = self._shape
        state = self._state[1:-1, :, 1:-1].reshape(-1, 2, images, height + 1)
        slanted = state[..., :height].permute(2, 1, 3, 0)
        flat = F.pad(slanted.flatten(-2), (0, height))
        pixels = flat.view(images, 2, height, height + width)[..., :width]
        return pixels.transpose(-1, -2) if self._tall else pixels


def _gains(equations: Equations, *, tall: bool) -> Tensor:
    """How much of the constant, of each neighbour and of the other component a pixel takes."""
    constant, diagonal, cross, right, below = equations
    left, above = behind(right, -1), behind(below, -2)
    gain = _GAIN / (diagonal + left + above + right + below)
    bonds = (above, left, below, right) if tall else (left, above, right, below)
    return torch.stack([constant * gain, *(bond * gain for bond in bonds), -cross * gain])


def behind(image: Tensor, axis: int) -> Tensor:
    """The pixel before this one; zero at the beginning."""
    return F.pad(image, (1, -1) if axis == -1 else (0, 0, 1, -1))
