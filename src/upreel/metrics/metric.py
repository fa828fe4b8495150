"""What a metric is: a pure update, a merge, a value. It sees two frames of a clip at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from upreel.ops.color import code_range, rgb_to_ycbcr


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame and the one before, as the protocol wants them: its colour, rounding and crop.

    Attributes:
        output: `(C, H, W)`, 0..1: RGB, or luma in studio range.
        truth: same shape.
        before: output and truth of the previous frame; `None` at the start of a clip.
    """

    output: Tensor
    truth: Tensor
    before: tuple[Tensor, Tensor] | None = None

    def __post_init__(self) -> None:
        """Refuse frames of several sizes."""
        for frame in (self.output, *(self.before or ())):
            if frame.shape != self.truth.shape:
                raise ValueError(
                    f"a metric compares frames of one size, found {tuple(frame.shape)} "
                    f"and {tuple(self.truth.shape)}"
                )


@dataclass(frozen=True, slots=True)
class Sums:
    """What a metric remembers: a total, and of how many frames."""

    total: float = 0.0
    count: int = 0


class Metric(Protocol):
    """A score of a clip, found frame by frame."""

    @property
    def name(self) -> str:
        """As protocols call it."""

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger value is a better one."""

    def update(self, sums: Sums, seen: Seen) -> Sums:
        """Add a frame; nothing is added where the metric needs a previous frame and has none."""

    def merge(self, a: Sums, b: Sums) -> Sums:
        """The sums of two parts of a clip."""

    def value(self, sums: Sums) -> float | None:
        """The score; `None` where no frame had one."""


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean over frames of what a function makes of each.

    Attributes:
        name: as protocols call it.
        higher_is_better: whether a larger value is a better one.
        score: the value of one frame; `None` where it has none.
    """

    name: str
    higher_is_better: bool
    score: Callable[[Seen], float | None]

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


def to_luma(frame: Tensor) -> Tensor:
    """Luma of BT.601 in studio range, `(1, H, W)`, of RGB; luma stays as it is."""
    return frame if len(frame) == 1 else rgb_to_ycbcr(frame, "smpte170m", "tv", 8)[:1]


def to_rgb(frame: Tensor) -> Tensor:
    """RGB, `(3, H, W)`; luma in studio range becomes grey."""
    if len(frame) == 3:
        return frame
    black, span, _ = code_range("tv", 8)
    return ((frame - black) / span).expand(3, -1, -1)
