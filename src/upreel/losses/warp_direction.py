"""A loss for flow that a network finds itself, in the published direction and in the other.

A flow belongs to a frame: what is at `p` there is at `p + flow(p)` in its neighbour, so features of
the neighbour that are warped by it come to lie on the frame (`ops.warp`). DFlow's authors train it
the other way about: the frame, warped by its flow, shall look like the neighbour. That asks for the
opposite flow, against what the features need. `docs/experiments.md` has what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from upreel.losses.pixels import Positive
from upreel.losses.seen import Seen, demand
from upreel.ops.warp import warp

Direction = Literal["published", "corrected"]


@dataclass(frozen=True, slots=True)
class OwnMotion:
    """Charbonnier of low frames and their neighbours, warped by the flow of the network.

    The mean over the frames of a sequence for flow to the frame before, plus that for flow to the
    frame after; the frame at the end that has no neighbour counts as fitting.

    Attributes:
        direction: `published`, a frame is warped to look like its neighbour; `corrected`, the
            neighbour is warped to look like the frame.
        eps: of Charbonnier.

    Source: the authors' code of DFlow (BMVC 2022), first stage of training.
    """

    direction: Direction = "published"
    eps: Positive = 1e-6

    def __call__(self, seen: Seen) -> Tensor:
        """The loss of a batch; needs its low frames and the motion that the network found."""
        low = demand(seen.low, "own-motion", "low frames").float()
        motion = demand(seen.motion, "own-motion", "a network that finds motion itself").float()
        warped = torch.stack(warp_both_ways(low, motion, direction=self.direction))
        error = ((warped - low).square() + self.eps**2).sqrt()
        return error.mean() * 2


def warp_both_ways(
    low: Tensor, motion: Tensor, *, direction: Direction = "corrected"
) -> tuple[Tensor, Tensor]:
    """Warp frames by the flow to the frames before, and by that to the frames after.

    Args:
        low: `(B, T, C, H, W)`, float32.
        motion: `(B, T, 2, 2, H, W)`: see `FindsMotion`.
        direction: see `OwnMotion`.

    Returns:
        Two clips like `low`, and in the same order: what each of its frames should look like. A
        frame without neighbour is itself; outside a frame there are zeros, as in the network.
    """
    to_before, to_after = motion[:, 1:, 0], motion[:, :-1, 1]
    earlier, later, first, last = low[:, :-1], low[:, 1:], low[:, :1], low[:, -1:]
    if direction == "published":
        ahead = torch.cat((_warp(later, to_before), last), 1)
        return ahead, torch.cat((first, _warp(earlier, to_after)), 1)
    ahead = torch.cat((first, _warp(earlier, to_before)), 1)
    return ahead, torch.cat((_warp(later, to_after), last), 1)


def _warp(clip: Tensor, flow: Tensor) -> Tensor:
    moved = warp(clip.flatten(0, 1), flow.flatten(0, 1), outside="zeros")
    return moved.view(clip.shape)
