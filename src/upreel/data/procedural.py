"""Clips without files: layers of texture that move, with everything about the motion known.

A scene is a background and objects (discs and bars) before it. Each layer has a texture that is a
sum of waves, known at every real point, and a velocity of its own; nearer layers have a greater
disparity and hide the others. So frames need no resampling, motion is sub-pixel, and optical flow,
occlusion and disparity are exact. Waves stay below half a period per pixel: nothing aliases inside
a layer, and the edges of objects are soft.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_WAVES = 24
_OBJECTS = 6
_FASTEST = 3.0  # pixels per frame


@dataclass(frozen=True, slots=True)
class Procedural:
    """A clip and the truth about it.

    Attributes:
        frames: RGB, `(T, 3, H, W)`, 8 bits.
        forward: flow of each frame to the next, `(T - 1, 2, H, W)`, x then y, in pixels: what is at
            `p` in frame `t` is at `p + forward[t]` in frame `t + 1`.
        backward: flow of each frame but the first to the one before, `(T - 1, 2, H, W)`.
        hidden_next: what of each frame but the last is covered or outside in the next, `(T - 1, H,
            W)`.
        hidden_before: what of each frame but the first is covered or outside in the one before.
        disparity: of each frame, `(T, H, W)`: what is at column `x` is at `x - disparity` in the
            right view.
        right: the right view, as `frames`; `None` if it was not asked for.
        hidden_right: what of each frame is covered or outside in the right view, `(T, H, W)`;
            `None` likewise.
    """

    frames: NDArray[np.uint8]
    forward: Floats
    backward: Floats
    hidden_next: NDArray[np.bool_]
    hidden_before: NDArray[np.bool_]
    disparity: Floats
    right: NDArray[np.uint8] | None = None
    hidden_right: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """One texture and the shape that shows it, both moving together.

    Attributes:
        waves: frequencies `(N, 2)`, x then y, in radians per pixel.
        phases: `(N, 3)`, for red, green and blue.
        strengths: `(N,)`, levels.
        color: mean of each channel, `(3,)`, levels.
        velocity: x then y, pixels per frame.
        center: of the shape in the first frame, x then y.
        axes: half of the shape's size along both axes; infinite for a background.
        power: 2 for a disc, more for a bar with round corners.
        disparity: in pixels; it grows towards the camera.
    """

    waves: NDArray[np.float64]
    phases: NDArray[np.float64]
    strengths: NDArray[np.float64]
    color: NDArray[np.float64]
    velocity: NDArray[np.float64]
    center: NDArray[np.float64]
    axes: NDArray[np.float64]
    power: float
    disparity: float

    def texture(self, x: NDArray[np.float64], y: NDArray[np.float64], t: float) -> Floats:
        """The texture of frame `t` where columns `x` and rows `y` cross, `(3, H, W)`, levels."""
        # A wave in two dimensions is a product of two in one, so the sum is a matrix product.
        along = np.exp(1j * self.waves[:, :1] * (x - self.velocity[0] * t))
        down = np.exp(1j * self.waves[:, 1:] * (y - self.velocity[1] * t))
        strength = self.strengths * np.exp(1j * self.phases.T)
        value = ((strength[:, None] * down.T) @ along).real
        texture: Floats = (value + self.color[:, None, None]).astype(np.float32)
        return texture

    def cover(self, x: NDArray[np.float64], y: NDArray[np.float64], t: float) -> Floats:
        """How much of each point the shape covers, 0 to 1, soft over about a pixel."""
        if np.isinf(self.axes).any():
            return np.ones(x.shape, np.float32)
        u = np.abs((x - self.center[0] - self.velocity[0] * t) / self.axes[0])
        v = np.abs((y - self.center[1] - self.velocity[1] * t) / self.axes[1])
        distance = ((u**self.power + v**self.power) ** (1 / self.power) - 1) * self.axes.min()
        cover: Floats = np.clip(0.5 - distance, 0, 1).astype(np.float32)
        return cover


def draw_scene(size: tuple[int, int], *, seed: int, index: int) -> tuple[Layer, ...]:
    """Draw the layers of a clip, the farthest first."""
    random = np.random.default_rng((seed, index))
    objects = int(random.integers(2, _OBJECTS + 1))
    disparities = np.sort(random.uniform(0, 8, objects + 1))
    return tuple(
        _draw_layer(random, size, float(disparity), background=number == 0)
        for number, disparity in enumerate(disparities)
    )


def _draw_layer(
    random: np.random.Generator, size: tuple[int, int], disparity: float, *, background: bool
) -> Layer:
    height, width = size
    # Amplitude falls with frequency, as in photographs.
    radius = np.exp(random.uniform(np.log(0.05), np.log(2.6), _WAVES))
    angle = random.uniform(0, 2 * np.pi, _WAVES)
    strengths = radius**-0.5
    axes = random.uniform(0.08, 0.3, 2) * min(size)
    return Layer(
        waves=radius[:, None] * np.stack((np.cos(angle), np.sin(angle)), 1),
        phases=random.uniform(0, 2 * np.pi, (_WAVES, 1)) + random.normal(0, 0.5, (_WAVES, 3)),
        strengths=strengths * random.uniform(20, 40) / np.sqrt((strengths**2).sum() / 2),
        color=random.uniform(90, 160, 3),
        velocity=random.uniform(-_FASTEST, _FASTEST, 2),
        center=random.uniform(0, 1, 2) * (width, height),
        axes=np.full(2, np.inf) if background else axes,
        power=float(random.choice([2.0, 8.0])),
        disparity=disparity,
    )


def make_clip(
    size: tuple[int, int] = (128, 128),
    frames: int = 7,
    *,
    seed: int = 0,
    index: int = 0,
    stereo: bool = False,
) -> Procedural:
    """Make the clip of a number; there is no last one.

    Args:
        size: height and width.
        frames: how many.
        seed: of the set.
        index: of the clip in it.
        stereo: whether to make the right view too.
    """
    return render(draw_scene(size, seed=seed, index=index), size, frames, stereo=stereo)


def render(
    layers: tuple[Layer, ...], size: tuple[int, int], frames: int, *, stereo: bool = False
) -> Procedural:
    """Render layers, the farthest first, which has to cover everything."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float64)
    tops = [_top(layers, x, y, t) for t in range(frames)]
    velocity = np.stack([layer.velocity for layer in layers]).astype(np.float32)
    moved = [velocity[top].transpose(2, 0, 1) for top in tops]
    forward, backward = np.stack(moved[:-1]), -np.stack(moved[1:])
    clip = Procedural(
        np.stack(list(draw_frames(layers, size, range(frames)))),
        forward,
        backward,
        np.stack([_hidden(layers, tops[t], forward[t], t + 1) for t in range(frames - 1)]),
        np.stack([_hidden(layers, tops[t + 1], backward[t], t) for t in range(frames - 1)]),
        np.array([layer.disparity for layer in layers], np.float32)[np.stack(tops)],
    )
    if not stereo:
        return clip
    right = tuple(see_from_right(layer) for layer in layers)
    to_right = np.stack((-clip.disparity, np.zeros_like(clip.disparity)), 1)
    return replace(
        clip,
        right=np.stack(list(draw_frames(right, size, range(frames)))),
        hidden_right=np.stack([_hidden(right, tops[t], to_right[t], t) for t in range(frames)]),
    )


def see_from_right(layer: Layer) -> Layer:
    """The same layer in the right view: its texture and shape lie to the left by its disparity."""
    turned = layer.waves[:, :1] * layer.disparity
    center = layer.center - (layer.disparity, 0)
    return replace(layer, phases=layer.phases + turned, center=center)


def draw_frames(
    layers: tuple[Layer, ...], size: tuple[int, int], times: Iterable[int]
) -> Iterator[NDArray[np.uint8]]:
    """Draw some frames of layers, `(3, H, W)`, 8 bits."""
    rows, columns = (np.arange(side, dtype=np.float64) for side in size)
    x, y = columns[None], rows[:, None]
    for t in times:
        picture = layers[0].texture(columns, rows, t)
        for layer in layers[1:]:
            cover = layer.cover(x, y, t)
            picture = picture + cover * (layer.texture(columns, rows, t) - picture)
        codes: NDArray[np.uint8] = np.clip(np.round(picture), 0, 255).astype(np.uint8)
        yield codes


def _top(
    layers: tuple[Layer, ...], x: NDArray[np.float64], y: NDArray[np.float64], t: int
) -> NDArray[np.int64]:
    """The number of the nearest layer at each point."""
    top = np.zeros(x.shape, np.int64)
    for number, layer in enumerate(layers):
        top[layer.cover(x, y, t) >= 0.5] = number
    return top


def _hidden(
    layers: tuple[Layer, ...], top: NDArray[np.int64], flow: Floats, t: int
) -> NDArray[np.bool_]:
    """Whether what is seen is covered by a nearer layer, or outside, in frame `t`."""
    height, width = top.shape
    y, x = np.mgrid[:height, :width].astype(np.float64)
    x, y = x + flow[0], y + flow[1]
    outside = (x < 0) | (y < 0) | (x > width - 1) | (y > height - 1)
    covered: NDArray[np.bool_] = outside | (_top(layers, x, y, t) > top)
    return covered
