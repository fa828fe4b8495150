"""Splits of clips for training, validation and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from upreel.errors import UsageError

K = TypeVar("K", bound=str)
T = TypeVar("T")


def split(clips: Sequence[T], seed: int, *, parts: Mapping[K, float]) -> dict[K, list[T]]:
    """Divide clips at random, whole clips only; the order within a part is that of `clips`.

    Args:
        clips: in an order that does not change, such as sorted by name.
        seed: of the draw.
        parts: shares by name, such as `{"train": 70, "val": 15, "test": 15}`.

    Raises:
        UsageError: the shares are not above 0.
    """
    if min(parts.values()) < 0 or not sum(parts.values()):
        found = ", ".join(f"{share:g}" for share in parts.values())
        raise UsageError(f"expected shares of which one is above 0, found {found}")
    order = np.random.default_rng(seed).permutation(len(clips))
    total, used, begin = sum(parts.values()), 0.0, 0
    divided: dict[K, list[T]] = {}
    for name, share in parts.items():
        used += share
        end = round(used / total * len(clips))
        divided[name] = [clips[index] for index in sorted(order[begin:end])]
        begin = end
    return divided
