"""Batches for training: crops of short sequences, the same for the same seed and step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from upreel.data.cache import Version
from upreel.data.degradations import Luma
from upreel.errors import UsageError


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step of training sees.

    Attributes:
        low: `(B, T, C, h, w)`, float32, 0..1.
        high: `(B, T, C, h * scale, w * scale)`; `(T - 1) * rate + 1` frames for a network that
            makes more than it sees.
        flow: `(B, T, past + future, 2, h, w)`: to neighbours `-past .. -1, 1 .. future`, x then y,
            in low pixels; beyond the ends of the sequence it has no meaning; `None` where nobody
            asked for it.
        past: how many neighbours before each frame there is flow to; 1 or more.
    """

    low: Tensor
    high: Tensor
    flow: Tensor | None
    past: int = 1

    @property
    def rate(self) -> int:
        """How many frames of the truth come with a low frame, up to the last."""
        return (self.high.shape[1] - 1) // max(self.low.shape[1] - 1, 1)

    def flow_within(self, past: int, future: int) -> Tensor:
        """Flow to neighbours `-past .. -1, 1 .. future` alone.

        Raises:
            UsageError: the batch has no flow to these.
        """
        have = 0 if self.flow is None else self.flow.shape[2] - self.past
        if self.flow is None or past > self.past or future > have:
            raise UsageError(
                f"expected flow to {past} frames before and {future} after in each batch, found "
                f"that to {self.past} and {have}; set data.packed = false"
            )
        return self.flow[:, :, self.past - past : self.past + future]

    def to(self, device: torch.device) -> Batch:
        """The same on a device; a GPU goes on computing while it is copied there."""
        low, high = (_send(side, device) for side in (self.low, self.high))
        flow = None if self.flow is None else _send(self.flow, device)
        return Batch(low, high, flow, self.past)

    def mirrored(self) -> Batch:
        """Every sequence, and then its way back without the last frame again.

        Raises:
            UsageError: there is flow to more frames on one side than on the other.
        """
        low, high = (torch.cat((clip, clip[:, :-1].flip(1)), 1) for clip in (self.low, self.high))
        if self.flow is None:
            return Batch(low, high, None)
        if self.flow.shape[2] != 2 * self.past:
            raise UsageError(
                "expected a network that sees as many frames after as before for mirrored "
                f"sequences, found {self.past} before and {self.flow.shape[2] - self.past} after; "
                "set mirrored = false"
            )
        back = self.flow[:, :-1].flip(1, 2)  # before and after change places
        flow = torch.cat((self.flow, back), 1)
        last = self.flow.shape[1] - 1
        for offset in range(1, self.past + 1):
            for left in range(min(offset, last + 1)):  # the neighbour lies beyond the turn
                there, seen = last - left, self._slot(2 * left - offset)
                met = torch.zeros_like(flow[:, 0, 0]) if seen is None else self.flow[:, there, seen]
                flow[:, there, self._slot(offset)] = met
                flow[:, last + left, self._slot(-offset)] = met
        return Batch(low, high, flow, self.past)

    def _slot(self, offset: int) -> int | None:
        """Where the flow to a neighbour stands; nowhere for the frame itself."""
        return self.past + offset - (offset > 0) if offset else None


def _send(tensor: Tensor, device: torch.device) -> Tensor:
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


class Sampler:
    """Draws sequences from packed clips and turns them about."""

    def __init__(
        self,
        versions: Sequence[Version],
        *,
        scale: int,
        first_phase: bool,
        weights: Sequence[float] | None = None,
    ) -> None:
        """Take the clips.

        Args:
            versions: of `open_pack`.
            scale: how many times smaller the low frames are.
            first_phase: whether low samples lie on the first high pixel of each block (BD-DUF)
                and not in its middle: mirrored truth then begins `scale - 1` pixels elsewhere.
            weights: how likely each version is; `by_length` if not given.
        """
        self.versions, self.scale, self.first_phase = versions, scale, first_phase
        self._weight = by_length(versions) if weights is None else np.asarray(weights)

    def batch(self, seed: int, step: int, *, size: int, frames: int, crop: int) -> Batch:
        """Draw a batch.

        Args:
            seed: of the run.
            step: of the run; the same seed and step give the same batch.
            size: sequences.
            frames: of each.
            crop: side of a low frame, in pixels; clips that are smaller or shorter are left out.

        Raises:
            UsageError: all of them are.
        """
        random = np.random.default_rng((seed, step))
        drawn = [self._draw(random, frames, crop) for _ in range(size)]
        low, high, flow = (torch.stack(parts) for parts in zip(*drawn, strict=True))
        return Batch(low[:, :, None].float() / 255, high[:, :, None].float() / 255, flow.float())

    def _draw(
        self, random: np.random.Generator, frames: int, crop: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        version = self._clip(random, frames, crop)
        count = len(version.low)
        stride = min(int(random.choice((1, 1, 1, 2))), version.flow.shape[1])
        if (frames - 1) * stride >= count:
            stride = 1
        first = int(random.integers(count - (frames - 1) * stride))
        times = slice(first, first + (frames - 1) * stride + 1, stride)
        y, x = _place(random, version.low[first], crop, least=2 if self.first_phase else 0)
        turns = (bool(random.random() < 0.5), bool(random.random() < 0.5))
        moved = [(self.scale - 1) * (self.first_phase and turn) for turn in turns]
        top, left = y * self.scale - moved[0], x * self.scale - moved[1]
        side = crop * self.scale
        low: NDArray[np.uint8] = version.low[times, y : y + crop, x : x + crop]
        high: NDArray[np.uint8] = version.high[times, top : top + side, left : left + side]
        flow = version.flow[times, stride - 1, :, y : y + crop, x : x + crop]
        if random.random() < 0.5:  # backwards in time
            low, high, flow = low[::-1], high[::-1], flow[::-1, ::-1]
        swap = bool(random.random() < 0.5)
        tensors = [torch.from_numpy(np.array(array)) for array in (low, high, flow)]
        return _turn(tensors[0], tensors[1], tensors[2].movedim(-1, 2), turns, swap)

    def check(self, *, frames: int, crop: int) -> None:
        """Refuse sequences that no clip has.

        Raises:
            UsageError: all clips are too short or too small.
        """
        self._chances(frames, crop)

    def _clip(self, random: np.random.Generator, frames: int, crop: int) -> Version:
        return self.versions[int(random.choice(len(self.versions), p=self._chances(frames, crop)))]

    def _chances(self, frames: int, crop: int) -> NDArray[np.float64]:
        fits = [
            len(version.low) >= frames and min(version.low.shape[1:]) >= crop + 2
            for version in self.versions
        ]
        if not any(fits):
            raise UsageError(
                f"expected clips of {frames} frames and more than {crop} low pixels, found none; "
                "make the crop smaller or the sequences shorter"
            )
        weight: NDArray[np.float64] = self._weight * fits
        weight /= weight.sum()
        return weight


def by_length(versions: Sequence[Version]) -> NDArray[np.float64]:
    """Weights with which a clip that is longer is drawn more often, but not in proportion."""
    weights: NDArray[np.float64] = np.sqrt([min(len(version.low), 150) for version in versions])
    return weights


def _place(random: np.random.Generator, frame: Luma, crop: int, *, least: int) -> tuple[int, int]:
    """The best of three places for a crop: detail teaches more than sky."""
    height, width = frame.shape
    places = []
    for _ in range(3):
        y = int(random.integers(least, height - crop + 1))
        x = int(random.integers(least, width - crop + 1))
        seen = frame[y : y + crop, x : x + crop].astype(np.float32)
        detail = sum(float(np.abs(np.diff(seen, axis=axis)).mean()) for axis in (0, 1))
        places.append((detail**0.5 * random.uniform(0.3, 1), y, x))
    return max(places)[1:]


def _turn(
    low: Tensor, high: Tensor, flow: Tensor, turns: tuple[bool, bool], swap: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Mirror (vertically, horizontally) and transpose, with what that means for flow.

    Args:
        low: `(T, h, w)`.
        high: `(T, H, W)`.
        flow: `(T, 2, 2, h, w)`, x then y in the third axis.
        turns: whether to mirror rows, and columns.
        swap: whether to transpose afterwards.
    """
    for axis, component, turn in ((-2, 1, turns[0]), (-1, 0, turns[1])):
        if turn:
            low, high, flow = low.flip(axis), high.flip(axis), flow.flip(axis)
            flow[:, :, component] *= -1
    if swap:
        low, high = low.transpose(-1, -2), high.transpose(-1, -2)
        flow = flow.transpose(-1, -2).flip(2)
    return low.contiguous(), high.contiguous(), flow.contiguous()
