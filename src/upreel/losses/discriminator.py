"""What every discriminator is: it tells true frames from made ones, for adversarial training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal, Protocol

from pydantic import Field
from torch import Tensor

Count = Annotated[int, Field(ge=1)]
"""A whole number of a recipe, 1 or more."""

Need = Literal["neighbours", "motion"]
"""What a discriminator may want beside the frames."""

Scores = tuple[Tensor, ...]
"""What a discriminator says before any sigmoid, large for real: one tensor, of any shape, for each
thing that it judges."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Frames to judge, and what a discriminator may hold against them.

    Attributes:
        frames: `(B, K, C, H, W)`, 0..1, true or made.
        neighbours: `(B, K, 2, C, H, W)`: the true frame before each, and the one after it.
        flow: `(B, K, 2, 2, H, W)`: from the true frames, also where `frames` are made, to their
            neighbours; x then y, in pixels of these frames.
        motion: the same from `frames` themselves; a gradient may flow to them.
    """

    frames: Tensor
    neighbours: Tensor | None = None
    flow: Tensor | None = None
    motion: Tensor | None = None

    def detached(self) -> Shown:
        """The same without a way back to who made it."""
        motion = None if self.motion is None else self.motion.detach()
        return replace(self, frames=self.frames.detach(), motion=motion)


class Discriminator(Protocol):
    """A network that tells true frames from made ones.

    Attributes:
        needs: what it has to be shown: `neighbours` with their `flow`, and `motion`.
    """

    @property
    def needs(self) -> frozenset[Need]:
        """See above."""
        ...

    def __call__(self, shown: Shown) -> Scores:
        """Score frames."""
        ...
