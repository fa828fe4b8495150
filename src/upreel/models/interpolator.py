"""Interpolators: upscalers in time that make a frame at any instant between two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from upreel.models.upscaler import Upscaler, Window

HALF = (0.5,)
"""The one instant of a rate of 2."""


@dataclass(frozen=True, slots=True)
class Between:
    """A frame between two others.

    Attributes:
        frame: `(B, 1, H, W)`, float32, about 0..1 (not clipped).
        flow: `(B, 2, 2, H, W)`, float32: from it to the frame before and to the one after, x then
            y, in pixels. Planes of colour follow it.
        weight: `(B, 1, H, W)`, the share of the frame before, 0..1.
        doubt: `(B, 1, H, W)`, 0..1: near 1 where neither neighbour fits, because motion is out of
            reach or both are hidden.
    """

    frame: Tensor
    flow: Tensor
    weight: Tensor
    doubt: Tensor


class Interpolator(Upscaler, Protocol):
    """An upscaler with a scale of 1, a rate of 2 and luma that makes any other instant too."""

    def between(self, window: Window, instants: Sequence[float]) -> list[Between]:
        """Make frames between the middle of a window and the next frame.

        Args:
            window: one frame in the middle and one after it, with the inputs that the spec names.
            instants: above 0 (the frame in the middle) and below 1 (the next one).

        Returns:
            One for each instant.
        """
        ...


@runtime_checkable
class Doubts(Protocol):
    """An interpolator that is trained to tell how wrong it is."""

    def make_with_doubt(self, clip: Tensor, flow: Tensor, rate: int) -> tuple[Tensor, Tensor]:
        """Make the frames between those of a whole clip.

        Args:
            clip: `(B, T, 1, H, W)`, 0..1.
            flow: `(B, T, 2, 2, H, W)`: from each frame to the one before and the one after, x
                then y, in pixels; at the ends without meaning.
            rate: how many frames come of one, up to the last: 2 or more.

        Returns:
            `(B, (T - 1) * rate + 1, 1, H, W)`, float32, and as much of the error that it expects,
            in the units of a frame; zero for those that are given.
        """
        ...


def double(interpolator: Interpolator, window: Window) -> Tensor:
    """The step of an interpolator: the middle frame, and the one half-way to the next.

    Where a scene ends there is no next frame; the last one is held.

    Returns:
        `(B, 2, 1, H, W)`, float32.
    """
    middle = window.middle
    new = interpolator.between(window, HALF)[0].frame if window.future else middle[:, 0]
    return torch.cat((middle, new[:, None]), 1)


def flow_at(flow: Tensor, flow_back: Tensor, instant: Tensor | float) -> Tensor:
    """Flow from a frame between two to both, if motion is steady, from that between the two.

    Source: Jiang et al. 2018, "Super SloMo", equation 4. It takes flow at the same place instead
    of where the pixel came from: borders of motion lie off by a part of the motion.

    Args:
        flow: `(B, 2, H, W)`, from the frame before to the one after.
        flow_back: the same from the frame after to the one before.
        instant: 0 is the frame before, 1 the one after; one for all, or `(B, 1, 1, 1)`.

    Returns:
        `(B, 2, 2, H, W)`: to the frame before, to the one after.
    """
    rest = 1 - instant
    before = (instant * instant) * flow_back - (rest * instant) * flow
    after = (rest * rest) * flow - (rest * instant) * flow_back
    return torch.stack((before, after), 1)
