"""Dead leaves: clips without files, sharp to the pixel, with everything about the motion known.

Source: Lee, Mumford, Huang 2001, "Occlusion models for natural images": shapes of all sizes fall at
random places over each other, their radii with the density r^-3. Then a part of the picture,
enlarged, looks like the whole, and power falls about as 1/f^2, as in photographs.

Leaves move: the large ones each on its own, the others with the one that they fell on. A motion is
a turn, a zoom and a shift, `z -> turn * z + shift` in complex numbers (x + iy, in pixels). Frames
are painted three times as large and reduced by area; leaves are polygons and their textures lie in
their own coordinates, so that nothing is resampled from frame to frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Complex = NDArray[np.complex128]
Floats = NDArray[np.float32]
_FINE = 3  # painted pixels along one of the frame; odd, so that one lies in its middle
_BITS = 6  # after the point, of where corners are painted
_MARGIN = 64  # pixels around the frame that leaves fall on too
_LAYERS = 4  # of leaves over each place, on average
_FREE = 16  # pixels: the smallest radius of a leaf that moves on its own
_SMALLEST = (1.0, 4.0)  # pixels: the smallest radius of a clip
_CORNERS = 32  # of a round leaf
_TEXTURE = 512  # samples, two for each pixel


@dataclass(frozen=True, slots=True)
class Heap:
    """Leaves, the lowest first, and how they move.

    Attributes:
        size: height and width of the frames.
        outlines: corners of each leaf at rest, `(N, V)`, convex.
        carriers: what each leaf moves with, `(N,)`.
        turns: of each carrier in each frame, `(T, G)`.
        shifts: likewise.
        colors: RGB, `(N, 3)`, levels.
        strengths: of each leaf's texture, `(N,)`, levels.
        places: of each leaf in the texture, `(N,)`.
        texture: without an end in both directions, two samples for each pixel.
    """

    size: tuple[int, int]
    outlines: Complex
    carriers: NDArray[np.int64]
    turns: Complex
    shifts: Complex
    colors: Floats
    strengths: Floats
    places: Complex
    texture: Floats

    def draw_frames(self, times: Iterable[int]) -> Iterator[NDArray[np.uint8]]:
        """Draw some frames, `(3, H, W)`, 8 bits."""
        height, width = self.size
        fine = (_grid((_FINE * height, _FINE * width)) + (0.5 + 0.5j)) / _FINE - (0.5 + 0.5j)
        fine = fine.astype(np.complex64)
        for t in times:
            leaf = self._paint(t)
            turn, shift = self.turns[t, self.carriers], self.shifts[t, self.carriers]
            scale = (2 / turn).astype(np.complex64)
            begin = (2 * (self.places - shift / turn)).astype(np.complex64)
            at = fine * scale[leaf] + begin[leaf]
            value = cv2.remap(
                self.texture, at.real.copy(), at.imag.copy(), cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_WRAP,
            )  # fmt: skip
            painted = self.colors[leaf] + (self.strengths[leaf] * value)[..., None]
            picture = cv2.resize(painted, (width, height), interpolation=cv2.INTER_AREA)
            codes: NDArray[np.uint8] = np.clip(np.round(picture), 0, 255).astype(np.uint8)
            yield np.ascontiguousarray(codes.transpose(2, 0, 1))

    def flow(self, t: int, to: int) -> Floats:
        """Where what is seen in the middle of each pixel of frame `t` goes until frame `to`.

        Returns:
            `(2, H, W)`, x then y, in pixels.
        """
        moved = self._follow(self._seen(t), t, to) - _grid(self.size)
        return np.stack((moved.real, moved.imag)).astype(np.float32)

    def hidden(self, t: int, to: int) -> NDArray[np.bool_]:
        """Whether what is seen in frame `t` is covered by another leaf, or outside, in frame `to`.

        Returns:
            `(H, W)`.
        """
        leaf, (height, width) = self._seen(t), self.size
        at = self._follow(leaf, t, to)
        outside = (at.real < 0) | (at.imag < 0) | (at.real > width - 1) | (at.imag > height - 1)
        fine = np.where(outside, 0, at) * _FINE + (1 + 1j) * (_FINE // 2)
        there = self._paint(to)[fine.imag.round().astype(int), fine.real.round().astype(int)]
        return np.asarray(outside | (there != leaf))

    def _follow(self, leaf: NDArray[np.int32], t: int, to: int) -> Complex:
        """The place in frame `to` of each pixel's middle in frame `t`."""
        carrier = self.carriers[leaf]
        rest = (_grid(self.size) - self.shifts[t, carrier]) / self.turns[t, carrier]
        place: Complex = self.turns[to, carrier] * rest + self.shifts[to, carrier]
        return place

    def _seen(self, t: int) -> NDArray[np.int32]:
        """The number of the leaf in the middle of each pixel."""
        return self._paint(t)[_FINE // 2 :: _FINE, _FINE // 2 :: _FINE]

    def _paint(self, t: int) -> NDArray[np.int32]:
        """The number of the uppermost leaf, `(3 * H, 3 * W)`."""
        carriers = self.carriers[:, None]
        corners = self.turns[t, carriers] * self.outlines + self.shifts[t, carriers]
        height, width = self.size
        x, y = corners.real, corners.imag
        inside = (x.max(1) > -1) & (y.max(1) > -1) & (x.min(1) < width) & (y.min(1) < height)
        painted = np.zeros((_FINE * height, _FINE * width), np.int32)
        fine = corners * _FINE + (0.5 + 0.5j) * (_FINE - 1)
        for number in np.flatnonzero(inside):
            _fill(painted, fine[number], int(number))
        return painted


def draw_heap(size: tuple[int, int], frames: int, *, seed: int, index: int) -> Heap:
    """Draw the leaves of a clip and their motion.

    Args:
        size: height and width.
        frames: how many there are to be.
        seed: of the set.
        index: of the clip in it; there is no last one.
    """
    random = np.random.default_rng((seed, index))
    smallest, largest = np.exp(random.uniform(*np.log(_SMALLEST))), 0.4 * min(size)
    area = (size[0] + 2 * _MARGIN) * (size[1] + 2 * _MARGIN)
    mean = 2 * np.pi * np.log(largest / smallest) / (smallest**-2 - largest**-2)
    radii = draw_radii(random, round(_LAYERS * area / mean), (smallest, largest))
    radii = np.concatenate(([4 * max(size) + 4 * _MARGIN], radii))  # the first covers everything
    count = len(radii)
    centers = random.uniform(0, 1, (count, 2)) * (np.array(size[::-1]) + 2 * _MARGIN) - _MARGIN
    centers = centers[:, 0] + 1j * centers[:, 1]
    centers[0] = complex(size[1], size[0]) / 2
    outlines = centers[:, None] + radii[:, None] * _draw_shapes(random, count)
    carriers, carrying = _find_carriers(size, outlines, centers, radii)
    turns, shifts = _draw_motion(random, size, frames, centers[carrying])
    grey = random.normal(random.uniform(90, 160), random.uniform(20, 60), (count, 1))
    return Heap(
        size, outlines, carriers, turns, shifts,
        colors=(grey + random.normal(0, 15, (count, 3))).clip(0, 255).astype(np.float32),
        strengths=np.exp(random.uniform(0, np.log(20), count)).astype(np.float32),
        places=random.uniform(0, _TEXTURE, count) + 1j * random.uniform(0, _TEXTURE, count),
        texture=_draw_texture(random),
    )  # fmt: skip


def draw_radii(
    random: np.random.Generator, count: int, limits: tuple[float, float]
) -> NDArray[np.float64]:
    """Draw radii with the density r^-3 between two limits."""
    low, high = limits[0] ** -2, limits[1] ** -2
    radii: NDArray[np.float64] = (low - random.uniform(0, 1, count) * (low - high)) ** -0.5
    return radii


def _draw_shapes(random: np.random.Generator, count: int) -> Complex:
    """Triangles, quadrangles, pentagons and discs around 0, stretched and turned."""
    kinds = random.choice([3, 4, 5, _CORNERS, _CORNERS], count)[:, None]
    # A shape with fewer corners has some of them more than once.
    angles = 2 * np.pi * (np.arange(_CORNERS) * kinds // _CORNERS) / kinds
    stretch = np.exp(random.normal(0, 0.4, (count, 1)))
    turned = np.exp(1j * random.uniform(0, 2 * np.pi, (count, 1)))
    shapes: Complex = turned * (np.cos(angles) * stretch + 1j * np.sin(angles) / stretch)
    return shapes


def _find_carriers(
    size: tuple[int, int], outlines: Complex, centers: Complex, radii: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What each leaf moves with; and for each of these, which leaf it is."""
    height, width = (side + 2 * _MARGIN for side in size)
    ground = np.zeros((height, width), np.int32)
    corner = complex(_MARGIN, _MARGIN)
    carriers, carrying = np.zeros(len(radii), np.int64), [0]
    for number in range(1, len(radii)):
        if radii[number] >= _FREE:
            carriers[number] = len(carrying)
            _fill(ground, outlines[number] + corner, len(carrying))
            carrying.append(number)
        else:
            place = centers[number] + corner
            carriers[number] = ground[int(place.imag), int(place.real)]
    return carriers, np.array(carrying)


def _draw_motion(
    random: np.random.Generator, size: tuple[int, int], frames: int, centers: Complex
) -> tuple[Complex, Complex]:
    """Turns and shifts of each carrier, of which the first does not move, and the camera's."""
    count, middle = len(centers), complex(size[1], size[0]) / 2
    fast, faster = np.exp(random.uniform(np.log(0.1), np.log((2, 5))))
    time = np.arange(frames)[:, None] - (frames - 1) / 2
    velocity = fast * _draw_normal(random, (count,))
    spin = random.normal(0, 0.004, count) + 1j * random.normal(0, 0.012, count)
    velocity[0] = spin[0] = 0
    own = np.exp(time * spin)
    shift = centers - own * centers + time * velocity
    camera = np.exp(time * (random.normal(0, 0.003) + 1j * random.normal(0, 0.004)))
    shake = 0.1 * faster * _draw_normal(random, (frames, 1)).cumsum(0)
    path = time * faster * _draw_normal(random, ()) + shake - shake.mean()
    return camera * own, camera * (shift - middle) + middle + path


def _draw_normal(random: np.random.Generator, shape: tuple[int, ...]) -> Complex:
    normal: Complex = random.normal(size=shape) + 1j * random.normal(size=shape)
    return normal


def _draw_texture(random: np.random.Generator) -> Floats:
    """Noise with power 1/f^2, mean 0 and standard deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(_TEXTURE)[:, None], np.fft.rfftfreq(_TEXTURE))
    frequency[0, 0] = np.inf
    noise = np.fft.irfft2(np.fft.rfft2(random.normal(size=(_TEXTURE, _TEXTURE))) / frequency)
    texture: Floats = (noise / noise.std()).astype(np.float32)
    return texture


def _grid(size: tuple[int, int]) -> Complex:
    """The middle of each pixel."""
    y, x = np.mgrid[: size[0], : size[1]]
    grid: Complex = x + 1j * y
    return grid


def _fill(picture: NDArray[np.int32], corners: Complex, number: int) -> None:
    """Fill a convex polygon."""
    points = np.stack((corners.real, corners.imag), 1) * 2**_BITS
    cv2.fillConvexPoly(picture, points.round().astype(np.int32), number, shift=_BITS)
