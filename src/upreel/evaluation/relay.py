"""Upscalers one after the other: how the field makes space-time out of two networks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from upreel.models.upscaler import Upscaler
from upreel.models.weights import load, scales_of, split_stages


@dataclass(frozen=True, slots=True)
class Relay:
    """Two upscalers or more, each of which enlarges what the one before it has made.

    Every one runs in a loop of its own, so that it gets windows, and optical flow, of the frames
    that it sees.

    Attributes:
        stages: first to last.
    """

    stages: tuple[Upscaler, ...]

    @property
    def scale(self) -> int:
        """How many times larger a frame gets in all."""
        return math.prod(stage.spec.scale for stage in self.stages)

    @property
    def rate(self) -> int:
        """How many frames come back for each."""
        return math.prod(stage.spec.rate for stage in self.stages)

    @property
    def views(self) -> int:
        """1 unless a stage wants more."""
        return max(stage.spec.views for stage in self.stages)


Model: TypeAlias = Upscaler | Relay
"""What can be scored."""


def as_relay(model: Model) -> Relay:
    """A single upscaler as a relay of one."""
    return model if isinstance(model, Relay) else Relay((model,))


def load_relay(model: str, scale: int) -> Model:
    """Make one model ready, or several with `+` between them: `average+swift:clean`.

    Args:
        model: a name or a file of weights, or some in their order.
        scale: of those that have scales; one for which there is no other has 1.

    Raises:
        UsageError: no model has such a name, or this scale.
        WeightsError: a file is damaged or made for another network.
    """
    stages = tuple(
        load(name, 1 if scales_of(name) == (1,) else scale) for name in split_stages(model)
    )
    return stages[0] if len(stages) == 1 else Relay(stages)
