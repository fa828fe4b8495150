"""A loss for networks that tell how wrong they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from upreel.losses.seen import Seen, demand


@dataclass(frozen=True, slots=True)
class Doubt:
    """How far the error that a network expects is from the one that it makes.

    The mean absolute difference, over blocks of pixels: single pixels are noise. What the network
    makes does not move by it, only what it says.

    Attributes:
        block: side of a block.
    """

    block: Annotated[int, Field(ge=1)] = 8

    def __call__(self, seen: Seen) -> Tensor:
        """The loss of a batch; needs what the network expects."""
        doubt = demand(seen.doubt, "doubt", "a network that tells how wrong it is").float()
        error = (seen.output.detach().float() - seen.truth).abs().mean(-3, keepdim=True)
        frames = F.avg_pool2d((doubt - error).flatten(0, 1), self.block).abs().mean((1, 2, 3))
        return (frames.view(error.shape[:2]) @ seen.weight).mean()
