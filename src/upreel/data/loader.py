"""Batches straight from files: crops in space and time of weighted sets, degraded as they are read.

Each sequence depends on the seed, the step and its place in the global batch, and on nothing else:
any number of threads or ranks sees the same batches, and a run goes on at any step.
"""

from __future__ import annotations

import bisect
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from upreel.data.samples import Batch
from upreel.errors import UsageError
from upreel.ops.flow import FlowProvider, flow_to_neighbours

log = logging.getLogger(__name__)

Pixels = NDArray[np.uint8]
Color = Literal["luma", "rgb"]
MARGIN = 4
"""Low pixels around a crop that are degraded with it, so that its border is like its middle."""
WIDE_MARGIN = 32
"""The same where flow is what matters: it is found with them."""


class Source(Protocol):
    """A clip that sequences are drawn from.

    Attributes:
        name: for messages.
    """

    @property
    def name(self) -> str:
        """For messages."""

    def measure(self) -> tuple[int, int, int]:
        """How many frames there are, their height, their width."""

    def read(self, times: Sequence[int]) -> Pixels:
        """Frames at rising indices, `(T, C, H, W)`, 8 bits: luma in studio range, or RGB."""


class Degrader(Protocol):
    """Makes low frames: `degrade` with its chain and scale."""

    def __call__(self, clip: Pixels, *, key: str) -> Pixels:
        """From `(T, C, H, W)` to `(T, C, H / scale, W / scale)`, the same for the same key."""


@dataclass(frozen=True, slots=True)
class WeightedSet:
    """Clips that are drawn together.

    Attributes:
        name: for messages.
        sources: the clips, each as likely as the others.
        weight: how likely the set is beside the others.
    """

    name: str
    sources: Sequence[Source]
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Shape:
    """What a batch is made of; stages of a recipe differ in it.

    Attributes:
        size: sequences in the global batch.
        frames: low frames of a sequence.
        crop: side of a low frame, pixels.
        rate: 2 where every other frame is left out on the low side, but at both ends; 3 where two
            of three are.
        margin: low pixels around it that are degraded with it.
    """

    size: int
    frames: int
    crop: int
    rate: int = 1
    margin: int = MARGIN

    @property
    def span(self) -> int:
        """High frames of a sequence."""
        return (self.frames - 1) * self.rate + 1


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What may happen to a sequence before it is degraded, so that both sides see it alike.

    Attributes:
        strides: temporal strides to draw from.
        flip: whether rows and columns are mirrored half of the time each.
        transpose: whether the axes of a frame are exchanged half of the time.
        reverse: whether time runs backwards half of the time.
        jitter: largest change of contrast and, as a part of the range, of brightness.
    """

    strides: tuple[int, ...] = (1,)
    flip: bool = True
    transpose: bool = True
    reverse: bool = True
    jitter: float = 0.0


@dataclass(frozen=True, slots=True)
class Motion:
    """The optical flow that batches have.

    Attributes:
        past: neighbours before each frame that there is flow to; 1 or more.
        future: neighbours after it.
        provider: what finds it.
        left_out: how many frames at the beginning and at the end of a sequence need none.
    """

    past: int = 1
    future: int = 1
    provider: FlowProvider = "dis"
    left_out: tuple[int, int] = (0, 0)


class Loader:
    """Draws batches from weighted sets."""

    def __init__(
        self,
        sets: Sequence[WeightedSet],
        degrade: Degrader,
        *,
        scale: int,
        seed: int,
        augmentation: Augmentation | None = None,
        flow: Motion | None = None,
    ) -> None:
        """Take the sets.

        Args:
            sets: at least one with a clip and a weight.
            degrade: makes low frames.
            scale: how many times smaller these are.
            seed: of the run.
            augmentation: `Augmentation()` if not given.
            flow: the optical flow of the low frames, if batches are to have it.

        Raises:
            UsageError: there is nothing to draw from.
        """
        self._sets = [part for part in sets if part.weight > 0 and part.sources]
        if not self._sets:
            raise UsageError("expected a set with clips and a weight above 0, found none; name one")
        self._left_out: set[str] = set()
        self._degrade, self._scale, self._seed = degrade, scale, seed
        self._augmentation, self._flow = augmentation or Augmentation(), flow

    def batch(self, step: int, shape: Shape, *, rank: int = 0, ranks: int = 1) -> Batch:
        """A rank's slice of the global batch of a step.

        Raises:
            UsageError: ranks do not divide the batch, or all clips are too small or too short.
            MediaError: a clip cannot be read.
        """
        return self._stack(
            [self._sample(step, index, shape) for index in _slice(shape, rank, ranks)]
        )

    def batches(
        self,
        shapes: Callable[[int], Shape],
        steps: range,
        *,
        rank: int = 0,
        ranks: int = 1,
        workers: int = 1,
    ) -> Iterator[Batch]:
        """Batches of consecutive steps, made ahead in threads; their number changes no value.

        Args:
            shapes: the shape of a step.
            steps: which; a run that goes on begins in the middle.
            rank: which slice of each global batch.
            ranks: how many there are.
            workers: threads.
        """
        waiting: deque[list[Future[tuple[Tensor, Tensor, Tensor | None]]]] = deque()
        pool = ThreadPoolExecutor(workers, thread_name_prefix="loader")
        try:
            for step in steps:
                shape = shapes(step)
                waiting.append(
                    [
                        pool.submit(self._sample, step, index, shape)
                        for index in _slice(shape, rank, ranks)
                    ]
                )
                if len(waiting) > max(2, workers // len(waiting[0])):  # no worker waits for work
                    yield self._stack([future.result() for future in waiting.popleft()])
            while waiting:
                yield self._stack([future.result() for future in waiting.popleft()])
        finally:
            pool.shutdown(cancel_futures=True)

    def _stack(self, samples: Sequence[tuple[Tensor, Tensor, Tensor | None]]) -> Batch:
        flows = [flow for _, _, flow in samples if flow is not None]
        return Batch(
            torch.stack([low for low, _, _ in samples]),
            torch.stack([high for _, high, _ in samples]),
            torch.stack(flows) if flows else None,
            self._flow.past if self._flow else 1,
        )

    def _sample(self, step: int, index: int, shape: Shape) -> tuple[Tensor, Tensor, Tensor | None]:
        random = np.random.default_rng((self._seed, step, index))
        source = self._draw(random, shape)
        times, place = self._place(random, source, shape)
        high = _augment(random, source.read(times)[place], self._augmentation)
        low = self._degrade(
            np.ascontiguousarray(high[:: shape.rate]), key=f"{self._seed}-{step}-{index}"
        )
        flow = None if self._flow is None else _find_flow(_unit(low), self._flow)
        inner = _inner(random, low.shape[-2:], shape)
        outer = tuple(slice(s.start * self._scale, s.stop * self._scale) for s in inner)
        if flow is not None:
            flow = flow[..., inner[0], inner[1]]
        return _unit(low[..., inner[0], inner[1]]), _unit(high[..., outer[0], outer[1]]), flow

    def _draw(self, random: np.random.Generator, shape: Shape) -> Source:
        """A clip that is large and long enough, by the weights of those sets that have one."""
        sets = list(self._sets)
        while sets:
            ends = list(accumulate(part.weight for part in sets))
            drawn = bisect.bisect_right(ends, random.random() * ends[-1])
            sources = sets.pop(min(drawn, len(sets) - 1)).sources
            for place in _order(random, len(sources)):
                if self._fits(sources[place], shape):
                    return sources[place]
        side = shape.crop * self._scale
        raise UsageError(
            f"expected clips of {shape.span} frames of at least {side}x{side} pixels, found "
            "none; make the crop smaller or the sequences shorter"
        )

    def _fits(self, source: Source, shape: Shape) -> bool:
        count, height, width = source.measure()
        if count >= shape.span and min(height, width) // self._scale >= shape.crop:
            return True
        if source.name not in self._left_out:
            self._left_out.add(source.name)
            side = shape.crop * self._scale
            log.warning(
                "%s is left out: expected %d frames of at least %dx%d pixels, found %d of %dx%d",
                source.name, shape.span, side, side, count, width, height,
            )  # fmt: skip
        return False

    def _place(
        self, random: np.random.Generator, source: Source, shape: Shape
    ) -> tuple[range, tuple[slice, slice, slice, slice]]:
        """Which frames, and which part of them: the crop with as much of the margin as there is."""
        count, height, width = source.measure()
        stride = int(random.choice(self._augmentation.strides))
        while (shape.span - 1) * stride >= count:
            stride -= 1
        reach = (shape.span - 1) * stride
        first = int(random.integers(count - reach))
        spans = []
        for side in (height, width):
            low = min(shape.crop + 2 * shape.margin, side // self._scale)
            begin = int(random.integers(side - low * self._scale + 1))
            spans.append(slice(begin, begin + low * self._scale))
        return range(first, first + reach + 1, stride), (
            slice(None),
            slice(None),
            spans[0],
            spans[1],
        )


def _order(random: np.random.Generator, count: int) -> Iterator[int]:
    """One at random; where that does not do, all of them in an order at random."""
    yield int(random.integers(count))
    yield from map(int, random.permutation(count))


def _slice(shape: Shape, rank: int, ranks: int) -> range:
    """The places in the global batch that a rank makes."""
    if shape.size % ranks:
        raise UsageError(
            f"expected a batch that {ranks} processes can share, found {shape.size}; "
            f"take a multiple of {ranks}"
        )
    each = shape.size // ranks
    return range(rank * each, (rank + 1) * each)


def _augment(random: np.random.Generator, clip: Pixels, augmentation: Augmentation) -> Pixels:
    """Turn a clip about; the draws are made in any case, so that one does not change the next."""
    rows, columns, swap, back = random.random(4) < 0.5
    contrast, brightness = random.uniform(-augmentation.jitter, augmentation.jitter, 2)
    if augmentation.flip:
        clip = clip[..., ::-1, :] if rows else clip
        clip = clip[..., ::-1] if columns else clip
    if augmentation.transpose and swap:
        clip = clip.swapaxes(-1, -2)
    if augmentation.reverse and back:
        clip = clip[::-1]
    if augmentation.jitter:
        mean = clip.mean()
        changed = (clip - mean) * (1 + contrast) + mean + 255 * brightness
        clip = np.clip(np.round(changed), 0, 255).astype(np.uint8)
    return clip


def _inner(random: np.random.Generator, size: tuple[int, ...], shape: Shape) -> tuple[slice, slice]:
    """The crop without its margin; anywhere where the clip has no room for one."""
    begins = [
        shape.margin
        if side == shape.crop + 2 * shape.margin
        else int(random.integers(side - shape.crop + 1))
        for side in size
    ]
    return slice(begins[0], begins[0] + shape.crop), slice(begins[1], begins[1] + shape.crop)


def _find_flow(low: Tensor, motion: Motion) -> Tensor:
    """Flow of a sequence `(T, C, h, w)` as `Batch` has it, `(T, past + future, 2, h, w)`."""
    begin, end = motion.left_out
    found = flow_to_neighbours(
        low[None], begin, end, past=motion.past, future=motion.future, provider=motion.provider
    )
    flow = found.new_zeros(len(low), *found.shape[2:])
    flow[begin : len(low) - end] = found[0]
    return flow


def _unit(clip: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(clip)).float() / 255
