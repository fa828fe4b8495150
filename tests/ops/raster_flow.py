"""A slow reference of `ops.variational`: float64, one pixel after the other, row by row.

Written from the same description (the method that RBPN's authors called with their constants), with
scipy's filters and plain loops, and nothing of the code under test.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]


def raster_flow(frame: Floats, neighbour: Floats) -> Floats:
    """Flow from `frame` to `neighbour`, `(H, W, C)` in 0..1; `(H, W, 2)`, x then y."""
    levels = max(1, int(math.log(20 / frame.shape[1]) / math.log(0.75)))
    first, second = shrink(frame, levels), shrink(neighbour, levels)
    flow = np.zeros((*first[-1].shape[:2], 2))
    for k in range(levels - 1, -1, -1):
        height, width = first[k].shape[:2]
        if k < levels - 1:
            y = (np.arange(height) + 1) * flow.shape[0] / height - 1
            x = (np.arange(width) + 1) * flow.shape[1] / width - 1
            flow = pick(flow, *np.meshgrid(y, x, indexing="ij")) / 0.75
        one, two = describe(first[k]), describe(second[k])
        for _ in range(7 + k):
            y, x = np.mgrid[:height, :width] + flow.transpose(2, 0, 1)[::-1]
            warped = pick(two, y, x)
            outside = (x < 0) | (x > width - 1) | (y < 0) | (y > height - 1)
            warped[outside] = one[outside]
            flow = flow + increment(flow, soften(one), soften(warped), sweeps=30 + 3 * k)
    return flow


def shrink(image: Floats, levels: int) -> list[Floats]:
    """The image and its smaller versions."""
    pyramid = [image]
    for k in range(1, levels):
        source, sigma = (image, k / 3) if k <= 4 else (pyramid[k - 4], 4 / 3)
        reach = round(3 * sigma) - 1  # 1 / 0.75 - 1, in double precision, is just below a third
        offsets = np.arange(-reach, reach + 1)
        kernel = np.exp(-(offsets**2) / (2 * sigma**2))
        kernel /= kernel.sum()
        for axis in (0, 1):
            source = ndimage.correlate1d(source, kernel, axis, mode="nearest")
        places = []
        for side, blurred in zip(image.shape[:2], source.shape[:2], strict=True):
            ratio = 0.75**k * side / blurred
            places.append((np.arange(int(0.75**k * side)) + 1) / ratio - 1)
        pyramid.append(pick(source, *np.meshgrid(*places, indexing="ij")))
    return pyramid


def pick(image: Floats, y: Floats, x: Floats) -> Floats:
    """Bilinear samples of all channels."""
    channels = np.moveaxis(image, -1, 0)
    return np.stack(
        [ndimage.map_coordinates(channel, (y, x), order=1, mode="nearest") for channel in channels],
        -1,
    )


def slope(image: Floats, axis: int) -> Floats:
    """The derivative along an axis."""
    kernel = np.array([1, -8, 0, 8, -1]) / 12
    derivative: Floats = ndimage.correlate1d(image, kernel, axis, mode="nearest")
    return derivative


def soften(image: Floats) -> Floats:
    """Smooth a little along both axes."""
    for axis in (0, 1):
        image = ndimage.correlate1d(image, [0.02, 0.11, 0.74, 0.11, 0.02], axis, mode="nearest")
    return image


def describe(image: Floats) -> Floats:
    """Brightness and its derivatives; of a coloured image also green without red and blue."""
    if image.shape[2] == 1:
        return np.concatenate([image, slope(image, 1), slope(image, 0)], 2)
    red, green, blue = np.moveaxis(image, 2, 0)
    gray = 0.299 * red + 0.587 * green + 0.114 * blue
    return np.stack([gray, slope(gray, 1), slope(gray, 0), green - red, green - blue], 2)


def increment(flow: Floats, one: Floats, two: Floats, *, sweeps: int) -> Floats:
    """What makes the flow better, by relaxation in the order of rows."""
    height, width = flow.shape[:2]
    mean, change = 0.4 * one + 0.6 * two, two - one
    across, down = slope(mean, 1), slope(mean, 0)
    trust = 1 / (2 * np.sqrt(change**2 + 1e-6))
    xx, yy, xy, xt, yt = (
        (trust * product).mean(2).tolist()
        for product in (across**2, down**2, across * down, across * change, down * change)
    )
    steps = np.zeros((2, *flow.shape))
    steps[0, :, :-1] = np.diff(flow, axis=1)
    steps[1, :-1] = np.diff(flow, axis=0)
    tie = (0.012 * 0.5 / np.sqrt((steps**2).sum((0, 3)) + 1e-6)).tolist()
    u, v = flow[..., 0].tolist(), flow[..., 1].tolist()
    du, dv = np.zeros((2, height, width)).tolist()
    around = [
        [
            [
                (i + di, j + dj, tie[i + min(di, 0)][j + min(dj, 0)])
                for di, dj in ((-1, 0), (0, -1), (0, 1), (1, 0))
                if 0 <= i + di < height and 0 <= j + dj < width
            ]
            for j in range(width)
        ]
        for i in range(height)
    ]
    for _ in range(sweeps):
        for i in range(height):
            for j in range(width):
                weight = 0.05 * 0.012
                pull_x, pull_y = -xt[i][j], -yt[i][j]
                for a, b, bond in around[i][j]:
                    weight += bond
                    pull_x += bond * (u[a][b] - u[i][j] + du[a][b])
                    pull_y += bond * (v[a][b] - v[i][j] + dv[a][b])
                best = (pull_x - xy[i][j] * dv[i][j]) / (weight + xx[i][j])
                du[i][j] += 1.8 * (best - du[i][j])
                best = (pull_y - xy[i][j] * du[i][j]) / (weight + yy[i][j])
                dv[i][j] += 1.8 * (best - dv[i][j])
    return np.stack((du, dv), -1)
