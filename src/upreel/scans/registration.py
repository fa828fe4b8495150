"""Where each frame of a burst lies against another one, and their mean or median there.

A burst is the same place scanned several times: the sample drifts between the scans, the errors of
the scan lines differ. What all rows of a frame have added to them says nothing about its place, so
the frequencies that do not change along the scan line are left out of the correlation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from upreel.scans.scan import Heights

Combination = Literal["mean", "median"]

_BAND = 0.12
"""Cycles per pixel: the Gaussian that keeps noise out of the correlation."""

_FAR = 0.25
"""Of a side of the frame."""
_REFINEMENTS = 2


def find_shift(frame: Heights, base: Heights) -> tuple[float, float]:
    """How far the content of a frame lies from where it is in another, by phase correlation.

    The window that hides the borders stays where it is, which draws the answer towards zero: so
    the frame is moved back and looked at again.

    Args:
        frame: `(H, W)`.
        base: `(H, W)`.

    Returns:
        Pixels across and down: `frame(x, y) = base(x - across, y - down)`.
    """
    across, down = _peak(frame, base)
    for _ in range(_REFINEMENTS):
        moved = move(frame, -across, -down)
        more_across, more_down = _peak(np.where(np.isnan(moved), base, moved), base)
        across, down = across + more_across, down + more_down
    return across, down


def move(frame: Heights, across: float, down: float) -> Heights:
    """Move the content by so many pixels (Lanczos); NaN where it came from outside the frame."""
    height, width = frame.shape
    x = np.broadcast_to(np.arange(width) - across, frame.shape).astype(np.float32)
    y = np.broadcast_to((np.arange(height) - down)[:, None], frame.shape).astype(np.float32)
    moved = cv2.remap(frame, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
    outside = (x < -0.5) | (x > width - 0.5) | (y < -0.5) | (y > height - 0.5)
    return np.where(outside, np.float32(np.nan), moved)


def align(heights: Heights, base: int) -> Heights:
    """All frames of a burst, moved to where their content is in one of them.

    Args:
        heights: `(T, H, W)`.
        base: number of the frame that stays.

    Returns:
        `(T, H, W)`, NaN where a frame saw nothing of the place.
    """
    aligned = [
        frame if number == base else move(frame, *(-s for s in find_shift(frame, heights[base])))
        for number, frame in enumerate(heights)
    ]
    return np.stack(aligned)


def combine(heights: Heights, base: int, how: Combination) -> Heights:
    """The mean or the median of a burst, after registration to one of its frames: `(H, W)`."""
    aligned = align(heights, base)
    combined = np.nanmean(aligned, 0) if how == "mean" else np.nanmedian(aligned, 0)
    return combined.astype(np.float32)


def burst_around(number: int, frames: int, burst: int) -> slice:
    """Which frames of a movie are looked at for one of them.

    As many before it as after it; near the ends of the movie more from one side.

    Args:
        number: of the frame.
        frames: of the movie.
        burst: how many to look at; all where the movie has no more.
    """
    first = min(max(0, number - burst // 2), max(0, frames - burst))
    return slice(first, first + burst)


def combine_each(heights: Heights, how: Combination, *, burst: int) -> Iterator[Heights]:
    """Every frame of a movie, `(H, W)`, combined with those around it.

    Args:
        heights: `(T, H, W)`.
        how: mean or median.
        burst: how many are combined.
    """
    for number in range(len(heights)):
        around = burst_around(number, len(heights), burst)
        yield combine(heights[around], number - around.start, how)


def _peak(frame: Heights, base: Heights) -> tuple[float, float]:
    """Where the correlation is largest.

    Half of the spectrum's magnitude is whitened: whitening all of it gives noise as much say as
    the sample.
    """
    cross = _spectrum(frame) * _spectrum(base).conj()
    cross /= np.sqrt(np.abs(cross)) + 1e-12
    down, across = (np.fft.fftfreq(n) for n in frame.shape)
    cross *= np.exp(-0.5 * (down[:, None] ** 2 + across**2) / _BAND**2)
    surface = np.fft.ifft2(cross).real * _nearness(frame.shape)
    row, column = map(int, np.unravel_index(int(surface.argmax()), surface.shape))
    near = np.roll(surface, (1 - row, 1 - column), axis=(0, 1))[:3, :3]
    return (
        _signed(column, frame.shape[1]) + _vertex(near[1]),
        _signed(row, frame.shape[0]) + _vertex(near[:, 1]),
    )


def _spectrum(frame: Heights) -> NDArray[np.complex128]:
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in frame.shape))
    rows = frame - np.median(frame, axis=1, keepdims=True)
    spectrum = np.fft.fft2(rows * window)
    spectrum[:, 0] = 0
    return spectrum


def _nearness(shape: tuple[int, int]) -> NDArray[np.float64]:
    """Less for far shifts: on a lattice many fit, and samples drift little from scan to scan."""
    down, across = (np.fft.fftfreq(n) / _FAR for n in shape)
    return np.exp(-0.5 * (down[:, None] ** 2 + across**2))


def _signed(index: int, size: int) -> int:
    return index - size * (index > size // 2)


def _vertex(values: NDArray[np.float64]) -> float:
    """Where the parabola through three values at -1, 0, 1 has its top."""
    left, middle, right = map(float, values)
    bend = left - 2 * middle + right
    return 0.5 * (left - right) / bend if bend < 0 else 0.0
