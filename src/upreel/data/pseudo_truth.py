"""A burst of scans without a clean one: its best scan serves as the truth of another.

Source: yasue32/afm-denoise (2021/22, iSeeBetter for scanning-probe images). Of ten scans of a spot,
the one with the fewest stripes is what the network has to make out of the next best and six of
the others. Its mistake of rewarding negative stripe scores, which only say that a scan was smoothed
along its lines, is not repeated: the absolute score counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from upreel.metrics.scans import blur_score, stripe_score
from upreel.scans.corrections import remove_plane
from upreel.scans.scan import Heights

STRIPES = 0.02
"""A good scan has a smaller absolute stripe score."""
SHARP = (250.0, 1500.0)
"""Between these lies the variance of a good scan's Laplacian at 8 bits: neither blurred nor all
noise."""
_TRIES = 100
_CLIPPED = (0.5, 99.5)  # percent of the heights of a burst that lie between 0 and 1


@dataclass(frozen=True, slots=True)
class Choice:
    """Which scans of a burst play which part, by number.

    Attributes:
        target: serves as the truth.
        base: is to be denoised.
        others: in random order.
        good: the good scans in random order; none, if not even the target is one.
    """

    target: int
    base: int
    others: tuple[int, ...]
    good: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """A burst as images.

    Attributes:
        images: `(T, H, W)`, 0..1: scans without their planes, all scaled alike, clipped.
        low: the height of 0.
        span: the difference of heights between 0 and 1.
    """

    images: NDArray[np.float32]
    low: float
    span: float


def scale_burst(heights: Heights) -> Images:
    """Turn `(T, H, W)` into images."""
    flat = remove_plane(heights)
    low, high = map(float, np.percentile(flat, _CLIPPED))
    span = max(high - low, 1e-12)
    return Images(np.clip((flat - low) / span, 0, 1).astype(np.float32), low, span)


def choose_scans(images: NDArray[np.float32], random: np.random.Generator) -> Choice:
    """Choose the truth: the good scan with the least stripes; the base is the next one.

    If none is good, the two with the least stripes are taken.

    Args:
        images: `(T, H, W)`, 0..1, at least two.
        random: shuffles the others.
    """
    scores = [abs(stripe_score(image)) for image in images]
    good = [
        score < STRIPES and SHARP[0] < blur_score(image) < SHARP[1]
        for score, image in zip(scores, images, strict=True)
    ]
    target, base, *others = sorted(range(len(images)), key=lambda n: (not good[n], scores[n]))
    order, chosen = random.permutation(others), random.permutation(np.flatnonzero(good))
    return Choice(target, base, tuple(map(int, order)), tuple(map(int, chosen)))


def draw_patch(
    images: NDArray[np.float32], size: int, random: np.random.Generator
) -> tuple[NDArray[np.float32], Choice]:
    """Draw a patch of a burst: up to a hundred times, until one of its scans is good there.

    Args:
        images: `(T, H, W)`, 0..1.
        size: side of the patch, at most the images'.
        random: what to draw from.

    Returns:
        `(T, size, size)` and the parts that the scans play in this patch.
    """
    height, width = images.shape[-2:]
    for _ in range(_TRIES):
        y, x = random.integers(height - size + 1), random.integers(width - size + 1)
        patch = images[:, y : y + size, x : x + size]
        choice = choose_scans(patch, random)
        if choice.good:
            break
    return patch, choice


def augment(patch: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Flip both axes with a chance of one half each, and draw a gamma between 0.8 and 1.1."""
    if random.random() < 0.5:
        patch = patch[..., ::-1]
    if random.random() < 0.5:
        patch = patch[..., ::-1, :]
    return np.ascontiguousarray(patch ** np.float32(random.uniform(0.8, 1.1)))
