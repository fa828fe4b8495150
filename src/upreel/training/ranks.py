"""Several processes that train one network, as `torchrun` starts them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from upreel.data.samples import Batch
from upreel.errors import UsageError
from upreel.inference.precision import choose_device

_PATIENCE = timedelta(days=2)
"""How long a process waits for the others: the first one prepares all clips, and scores."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those that train together; on its own it is the first of one."""

    rank: int = 0
    count: int = 1

    def slice(self, batch: Batch) -> Batch:
        """The part of a global batch that this process sees.

        Raises:
            UsageError: the processes cannot share it evenly.
        """
        return split(batch, self.count, "processes")[self.rank]

    def choose_device(self, name: str) -> torch.device:
        """Where this process computes; if on a GPU, each on its own.

        Raises:
            UsageError: there is no such device here.
        """
        device = choose_device(name)
        if self.count > 1 and str(device) == "cuda":
            device = choose_device(f"cuda:{os.environ['LOCAL_RANK']}")
        return device

    def average(self, network: nn.Module, loss: float) -> float:
        """Give each gradient its mean over all processes, and return the mean of the losses."""
        if self.count == 1:
            return loss
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        mean = gradients[0].new_tensor([loss])
        flat = torch.cat([*(gradient.flatten() for gradient in gradients), mean])
        dist.all_reduce(flat)
        flat /= self.count
        sizes = [gradient.numel() for gradient in gradients]
        parts = flat[:-1].split_with_sizes(sizes)
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))
        return float(flat[-1])

    def wait(self) -> None:
        """Go on when all have come here."""
        if self.count > 1:
            dist.barrier()


@contextmanager
def join() -> Iterator[Ranks]:
    """Meet the other processes that `torchrun` started, if it did; they talk over gloo."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Ranks()
        return
    dist.init_process_group("gloo", timeout=_PATIENCE)
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def is_first() -> bool:
    """Whether this process speaks for all that `torchrun` started, or was not started by it."""
    return os.environ.get("RANK", "0") == "0"


def split(batch: Batch, parts: int, what: str) -> list[Batch]:
    """Cut a batch into parts of one size.

    Raises:
        UsageError: there are none of one size.
    """
    size = len(batch.low)
    if size % parts:
        raise UsageError(f"expected a batch that {parts} {what} can share, found one of {size}")
    flows: tuple[Tensor | None, ...] = (None,) * parts
    if batch.flow is not None:
        flows = batch.flow.chunk(parts)
    sides = zip(batch.low.chunk(parts), batch.high.chunk(parts), flows, strict=True)
    return [Batch(low, high, flow, batch.past) for low, high, flow in sides]
