"""What a loss may look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor

from upreel.errors import UsageError
from upreel.losses.discriminator import Scores

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seen:
    """One batch, after the network.

    Attributes:
        output: `(B, T, C, H, W)`, 0..1.
        truth: the same shape and range.
        weight: what each frame counts, `(T,)`, with a sum of 1.
        flow: `(B, T, 2, 2, h, w)`: to the frame before and after, x then y, in low pixels, as in
            `Batch`. None where the batch has none, or the network makes more frames than it sees.
        fake: what the discriminator says of `output`.
        real: what it says of `truth`, where a loss looks at it.
        low: what the network saw of these frames, `(B, T, C, h, w)`, or of fewer.
        motion: the flow that it found itself, laid out as `flow`. None where it finds none.
        parameters: its weights, by name.
        doubt: the error that it expects in each pixel, `(B, T, 1, H, W)`, in the units of
            `output`. None where it expects none.
    """

    output: Tensor
    truth: Tensor
    weight: Tensor
    flow: Tensor | None = None
    fake: Scores | None = None
    real: Scores | None = None
    low: Tensor | None = None
    motion: Tensor | None = None
    parameters: Mapping[str, Tensor] | None = None
    doubt: Tensor | None = None


def demand(value: T | None, loss: str, what: str) -> T:
    """What a loss cannot do without.

    Raises:
        UsageError: it is not there.
    """
    if value is None:
        raise UsageError(f"the loss {loss!r} expects {what}, found none in this run")
    return value
