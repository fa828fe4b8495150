"""Losses that look at motion: between the frames of a sequence, or at where it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from upreel.errors import UsageError
from upreel.losses.pixels import Positive, over_frames
from upreel.losses.seen import Seen, demand
from upreel.ops.warp import warp


@dataclass(frozen=True, slots=True)
class FlowWeighted:
    """Charbonnier where what moves counts more.

    A pixel counts `1 + gain * min(speed / reach, 1)`, divided by the mean of its frame.

    Attributes:
        gain: how much more a fast pixel counts.
        reach: the speed, in low pixels per frame, from which on it counts fully.
        eps: of Charbonnier.
    """

    gain: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    reach: Positive = 4.0
    eps: Positive = 1e-3

    def __call__(self, seen: Seen) -> Tensor:
        """The loss of a batch; needs its flow."""
        flow = demand(seen.flow, "flow-weighted", "optical flow").float()
        _demand_two(seen, "flow-weighted")
        # The first frame has no past: its motion is that to the next.
        motion = torch.cat((flow[:, :1, 1], flow[:, 1:, 0]), 1)
        share = (motion.norm(dim=2, keepdim=True) / self.reach).clamp_max(1)
        counts = 1 + self.gain * _enlarge(share, seen.output.shape[-2:])
        counts = counts / counts.mean((-3, -2, -1), keepdim=True)
        error = ((seen.output - seen.truth).square() + self.eps**2).sqrt()
        return over_frames(error * counts, seen.weight)


@dataclass(frozen=True, slots=True)
class WarpConsistency:
    """The absolute difference of each frame and the one before, warped onto it, where both show it.

    Attributes:
        of: `output`, which rewards blur as well (Lai et al. 2018, "Learning blind video temporal
            consistency"), or `error`, output minus truth, which only punishes errors that flicker.
    """

    of: Literal["output", "error"] = "error"

    def __call__(self, seen: Seen) -> Tensor:
        """The loss of a batch; needs its flow."""
        flow = demand(seen.flow, "warp", "optical flow").float()
        _demand_two(seen, "warp")
        backward, forward = flow[:, 1:, 0].flatten(0, 1), flow[:, :-1, 1].flatten(0, 1)
        frames = seen.output - seen.truth if self.of == "error" else seen.output
        size = frames.shape[-2:]
        scale = size[0] / flow.shape[-2]
        large = scale * _enlarge(backward[:, None], size)[:, 0]
        visible = F.interpolate(visible_in_both(backward, forward), size=size, mode="nearest")
        now, before = frames[:, 1:].flatten(0, 1), frames[:, :-1].flatten(0, 1)
        change = (now - warp(before.float(), large)).abs() * visible
        shown = visible.sum((-3, -2, -1)).clamp_min(1) * now.shape[1]
        pairs = (change.sum((-3, -2, -1)) / shown).view(len(frames), -1)
        weight = seen.weight[1:].to(pairs)
        return (pairs @ (weight / weight.sum())).mean()


@dataclass(frozen=True, slots=True)
class PingPong:
    """The absolute difference of the same frame on the way there and on the way back.

    The network has seen a sequence and its mirror image, with the last frame once or twice, and
    should give the same both times. Source: Chu et al. 2020, "Learning temporal coherence via
    self-supervision for GAN-based video generation" (TecoGAN), section 4.2; they take the norm of
    each frame, this the mean over pixels.
    """

    def __call__(self, seen: Seen) -> Tensor:
        """The loss of a batch of mirrored sequences."""
        frames = seen.output.shape[1]
        half = frames // 2
        if not half:
            raise UsageError(
                "the loss 'ping-pong' expects a mirrored sequence of 2 frames or more, "
                f"found {frames}"
            )
        return (seen.output[:, :half] - seen.output[:, -half:].flip(1)).abs().mean()


def visible_in_both(backward: Tensor, forward: Tensor) -> Tensor:
    """Where the way there and back ends close to where it began, and inside the frame.

    Args:
        backward: `(N, 2, h, w)`, from each frame to the one before, in pixels.
        forward: the same, from the one before.

    Returns:
        `(N, 1, h, w)`: 1 or 0.

    Source: Sundaram et al. 2010, "Dense point trajectories by GPU-accelerated large displacement
    optical flow", equation 5.
    """
    height, width = backward.shape[-2:]
    back = warp(forward, backward)
    gap = (backward + back).square().sum(1, keepdim=True)
    lengths = backward.square().sum(1, keepdim=True) + back.square().sum(1, keepdim=True)
    x = torch.arange(width, device=backward.device) + backward[:, :1]
    y = torch.arange(height, device=backward.device)[:, None] + backward[:, 1:]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return (inside & (gap <= 0.01 * lengths + 0.5)).to(backward)


def _enlarge(maps: Tensor, size: torch.Size) -> Tensor:
    """Bring `(B, T, C, h, w)` to a larger size."""
    large = F.interpolate(maps.flatten(0, 1), size=tuple(size), mode="bilinear")
    return large.view(*maps.shape[:3], *size)


def _demand_two(seen: Seen, loss: str) -> None:
    if seen.output.shape[1] < 2:
        raise UsageError(f"the loss {loss!r} expects sequences of 2 frames or more, found 1")
