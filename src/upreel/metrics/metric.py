"""What a metric is: a pure update, a merge, a value. It sees two frames of a clip at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from upreel.metrics.motion import Motion


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame and the one before, whole, in the colour and rounding that the protocol wants.

    Attributes:
        output: `(C, H, W)`, 0..1: RGB, or luma in studio range.
        truth: same shape.
        before: output and truth of the previous frame; `None` at the start of a clip.
        crop: rows and columns that do not count: top, left, bottom, right. Flow is found before it
            is cut off.
        motion: of the truth, from the frame before; made here unless it is given.
    """

    output: Tensor
    truth: Tensor
    before: tuple[Tensor, Tensor] | None = None
    crop: tuple[int, int, int, int] = (0, 0, 0, 0)
    motion: Motion | None = None

    def __post_init__(self) -> None:
        """Refuse frames of several sizes."""
        for frame in (self.output, *(self.before or ())):
            if frame.shape != self.truth.shape:
                raise ValueError(
                    f"a metric compares frames of one size, found {tuple(frame.shape)} "
                    f"and {tuple(self.truth.shape)}"
                )
        if self.before is not None and self.motion is None:
            object.__setattr__(self, "motion", Motion(self.before[1], self.truth))

    def inner(self, image: Tensor) -> Tensor:
        """What of an image or a flow `(..., H, W)` counts."""
        top, left, bottom, right = self.crop
        height, width = image.shape[-2:]
        return image[..., top : height - bottom, left : width - right]

    @property
    def both(self) -> tuple[Tensor, Tensor]:
        """What counts of output and truth."""
        return self.inner(self.output), self.inner(self.truth)


@dataclass(frozen=True, slots=True)
class Sums:
    """What a metric remembers: a total, and of how many frames."""

    total: float = 0.0
    count: int = 0


class Metric(Protocol):
    """A score of a clip."""

    @property
    def name(self) -> str:
        """As protocols call it."""

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger value is a better one."""

    def values(self, clip: Iterable[Seen]) -> tuple[float, ...]:
        """The score of each frame; see `Mean.values` for frames without one."""


class FrameMetric(Metric, Protocol):
    """A metric that is found frame by frame."""

    def update(self, sums: Sums, seen: Seen) -> Sums:
        """Add a frame; nothing is added where the metric needs a previous frame and has none."""

    def merge(self, a: Sums, b: Sums) -> Sums:
        """The sums of two parts of a clip."""

    def value(self, sums: Sums) -> float | None:
        """The score; `None` where no frame had one."""


Score = Callable[[Seen], float | None]
"""The value of one frame; `None` where it has none."""


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean over frames of what a function makes of each.

    Attributes:
        name: as protocols call it.
        higher_is_better: whether a larger value is a better one.
        score: the value of one frame.
    """

    name: str
    higher_is_better: bool
    score: Score

    def update(self, sums: Sums, seen: Seen) -> Sums:
        """Add a frame."""
        found = self.score(seen)
        return sums if found is None else Sums(sums.total + found, sums.count + 1)

    def merge(self, a: Sums, b: Sums) -> Sums:
        """The sums of two parts."""
        return Sums(a.total + b.total, a.count + b.count)

    def value(self, sums: Sums) -> float | None:
        """The mean."""
        return sums.total / sums.count if sums.count else None

    def values(self, clip: Iterable[Seen]) -> tuple[float, ...]:
        """The value of each frame.

        Frames at the start that have none (the first one has no motion) are left out; a later one
        without a value is `nan`.
        """
        found: list[float] = []
        for seen in clip:
            value = self.value(self.update(Sums(), seen))
            if found or value is not None:
                found.append(math.nan if value is None else value)
        return tuple(found)
