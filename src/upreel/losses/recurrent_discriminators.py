"""Discriminators that hold a frame against its true neighbours, one neighbour after the other.

Chadha and Masoud 2019, "Spatio-temporal recurrent adversarial back-projection network" (a report of
Stanford's CS231n). Written from its description; parameters are named and shaped as in its
authors' files. Three oddities of these are kept, because numbers depend on them: the frames pass
through three channels before the trunk, the last convolution (1x1) has a margin, so that its bias
alone is what the rim of the score map says, and the second network owns a `bnmerge` that it never
uses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.losses.discriminator import Count, Need, Scores, Shown

_FACTORS = (1, 1, 2, 2, 4, 4, 8, 4)
_SIDES = 2
"""Neighbours of a frame: the one before, and the one after."""


class _Entry(nn.Module):
    """Convolution, batch normalisation, and a PReLU with one slope."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, stride, padding=1)
        self.bn = nn.BatchNorm2d(after)
        self.act = nn.PReLU()

    def forward(self, image: Tensor) -> Tensor:
        """Halve the sides, if the stride is 2."""
        result: Tensor = self.act(self.bn(self.conv(image)))
        return result


class _Recurrence(nn.Module):
    """What both have: a state from the frame, which takes in the neighbours in turn."""

    def __init__(self, planes: int, channels: int, depth: int) -> None:
        super().__init__()
        self._depth, wide = depth, 4 * channels
        self.feat0 = _Entry(planes, 2 * channels, 2)
        self.feat01 = _Entry(2 * channels, wide, 2)
        self.feat1 = _Entry(2 * planes + 2, 5)
        self.feat2 = _Entry(5, 3)
        before = 3
        for layer in range(1, depth + 1):
            after = channels * _FACTORS[layer - 1]
            stride = 2 if layer in (2, 4) else 1
            self.add_module(f"conv{layer}", nn.Conv2d(before, after, 3, stride, padding=1))
            if layer > 1:
                self.add_module(f"bn{layer}", nn.BatchNorm2d(after))
            before = after
        self.convmerge = nn.Conv2d(2 * wide, wide, 3, padding=1)
        self.bnmerge = nn.BatchNorm2d(wide)
        self.conv_nin = nn.Conv2d(wide, 1, 1, padding=1)

    def _start(self) -> None:
        """Random weights as published."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
                nn.init.zeros_(cast(Tensor, module.bias))

    def _score(self, state: Tensor, sides: Iterable[Tensor]) -> Tensor:
        """One number for each frame, from its state and five channels of each neighbour."""
        for side in sides:
            state = self._merge(torch.cat((state, self._trunk(self.feat2(side))), 1))
        scores: Tensor = self.conv_nin(state)
        return scores.mean((1, 2, 3))

    def _trunk(self, image: Tensor) -> Tensor:
        """From three channels to a quarter of each side."""
        for layer in range(1, self._depth + 1):
            image = self.get_submodule(f"conv{layer}")(image)
            image = F.silu(self.get_submodule(f"bn{layer}")(image) if layer > 1 else image)
        return image

    def _merge(self, both: Tensor) -> Tensor:
        return F.silu(self.convmerge(both))

    def _judge_frames(self, shown: Shown) -> Tensor:
        """The scores of the frames themselves, `(B * K,)`."""
        frames, neighbours, flow = _flat(shown.frames, shown.neighbours, shown.flow)
        state = self.feat01(self.feat0(frames))
        sides = (
            self.feat1(torch.cat((frames, neighbours[:, side], flow[:, side]), 1))
            for side in range(_SIDES)
        )
        return self._score(state, sides)


class RecurrentDiscriminator(_Recurrence):
    """One score for each frame beside its true neighbours and the way to them."""

    needs: frozenset[Need] = frozenset({"neighbours"})

    def __init__(self, planes: int, *, channels: Count = 64) -> None:
        """Build it with random weights.

        Args:
            planes: channels of the frames.
            channels: of the trunk's first convolution, 64 as published; the widest has 8 times as
                many.
        """
        super().__init__(planes, channels, depth=8)
        self.conv9 = nn.Conv2d(4 * channels, 4 * channels, 3, padding=1)
        self.bn9 = nn.BatchNorm2d(4 * channels)
        self._start()

    def _merge(self, both: Tensor) -> Tensor:
        state = F.silu(self.bnmerge(self.convmerge(both)))
        return F.silu(self.bn9(self.conv9(state)))

    def forward(self, shown: Shown) -> Scores:
        """Score each frame: `(B, K)`."""
        return (self._judge_frames(shown).view(shown.frames.shape[:2]),)


class ImageAndFlowDiscriminator(_Recurrence):
    """Two scores for each frame: of its picture, and of its motion to its true neighbours.

    Both pass through one trunk.
    """

    needs: frozenset[Need] = frozenset({"neighbours", "motion"})

    def __init__(self, planes: int, *, channels: Count = 64) -> None:
        """Build it with random weights.

        Args:
            planes: channels of the frames.
            channels: of the trunk's first convolution, 64 as published; the widest has 4 times as
                many.
        """
        super().__init__(planes, channels, depth=6)
        self.feat0_flow = _Entry(2 * _SIDES, 2 * channels, 2)
        self.feat1_flow = _Entry(2 + planes, 5)
        self._start()

    def forward(self, shown: Shown) -> Scores:
        """Score the picture and the motion of each frame: twice `(B, K)`."""
        shape = shown.frames.shape[:2]
        return self._judge_frames(shown).view(shape), self._judge_motion(shown).view(shape)

    def _judge_motion(self, shown: Shown) -> Tensor:
        """The scores of the motion, `(B * K,)`."""
        _, neighbours, motion = _flat(shown.frames, shown.neighbours, shown.motion)
        state = self.feat01(self.feat0_flow(motion.flatten(1, 2)))
        sides = (
            self.feat1_flow(torch.cat((motion[:, side], neighbours[:, side]), 1))
            for side in range(_SIDES)
        )
        return self._score(state, sides)


def _flat(
    frames: Tensor, neighbours: Tensor | None, flow: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """All frames of a batch in one axis; who shows them has looked at `needs`."""
    assert neighbours is not None
    assert flow is not None
    return frames.flatten(0, 1), neighbours.flatten(0, 1), flow.flatten(0, 1)
