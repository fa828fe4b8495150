"""Who gets which core while a video is enlarged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

MOST_ENCODER_THREADS = 16
_HEAVY = 400_000


def encoder_threads() -> int:
    """How many threads an encoder gets beside a network on the CPU.

    On two cores x264's own threads take turns with the network on its core: with a single one,
    `swift` was 1.06 to 1.2 times faster from file to file.
    """
    return 1 if torch.get_num_threads() <= 2 else all_encoder_threads()


def all_encoder_threads() -> int:
    """How many threads an encoder gets that has all cores: its result depends on the number."""
    return min(os.cpu_count() or 1, MOST_ENCODER_THREADS)


@contextmanager
def network_threads(count: int) -> Iterator[None]:
    """Let the network use so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def cores_for(upscaler: object) -> Iterator[None]:
    """Let a network use all cores but one, which decoder, optical flow and encoder share.

    A convolution that is split over all cores waits for its slowest part, and that is the one
    whose core the encoder is using. On two cores `swift` was 1.1 to 1.5 times faster from file to
    file on one of them than on both. A network that takes far longer than the encoder is slower
    so, `clear` 1.45 times: those of 400,000 weights and more get all cores.
    """
    heavy = (
        isinstance(upscaler, nn.Module)
        and sum(tensor.numel() for tensor in upscaler.parameters()) >= _HEAVY
    )
    with network_threads(max(1, torch.get_num_threads() - (not heavy))):
        yield
