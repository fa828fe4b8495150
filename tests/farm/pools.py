"""Workers in this process, so that what the farm does can be tested without Ray."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from upreel.farm.orders import Answer, Event, Lost, Order
from upreel.farm.worker import Worker
from upreel.inference.pins import Pins
from upreel.inference.precision import Precision


class MemoryStore:
    """A store in a dictionary."""

    def __init__(self) -> None:
        self.held: dict[int, bytes] = {}

    def put(self, data: bytes) -> object:
        self.held[len(self.held)] = data
        return len(self.held) - 1

    def get(self, held: object) -> bytes:
        return self.held[cast(int, held)]


class Here:
    """Two workers of which the one that was asked last answers first; orders are pickled."""

    def __init__(
        self,
        store: MemoryStore,
        cache: Path,
        *,
        size: int = 2,
        dies: Callable[[Order], bool] = lambda order: False,
    ) -> None:
        self.size = size
        self._workers = [Worker(store, cache) for _ in range(size)]
        self._given: list[Order] = []
        self._dies = dies
        self.made: list[Order] = []

    @property
    def free(self) -> int:
        return self.size - len(self._given)

    def give(self, order: Order) -> None:
        assert self.free
        self._given.append(order)

    def wait(self, seconds: float) -> Sequence[Answer]:
        if not self._given:
            return []
        order = self._given.pop()
        number = len(self._given)
        if self._dies(order):
            return [Answer(order, f"worker {number}", Lost("killed"))]
        self.made.append(order)
        copy = cast(Order, pickle.loads(pickle.dumps(order)))
        return [Answer(order, f"worker {number}", self._workers[number].make(copy))]

    def choose_pins(self, device: str, precision: Precision) -> Pins:
        return self._workers[0].choose_pins(device, precision, 1)

    def under_way(self) -> int:
        return 0

    def news(self) -> Sequence[Event]:
        return []
