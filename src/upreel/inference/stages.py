"""How long each stage of the pipeline is busy."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, nullcontext
from typing import Literal, TypeVar

T = TypeVar("T")
A = TypeVar("A")

Stage = Literal["decode", "interpolate", "to tensor", "inputs", "network", "to frame", "encode"]


class Stages:
    """Seconds that each stage was busy; stages run at the same time, so they add up to more."""

    def __init__(self) -> None:
        self.seconds: dict[Stage, float] = {}

    def add(self, stage: Stage, seconds: float) -> None:
        """Count time; each stage runs in one thread."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def iterate(self, stage: Stage, items: Iterable[T]) -> Generator[T, None, None]:
        """Pass items on, counting the time that it takes to make them."""
        iterator = iter(items)
        with closing(iterator) if isinstance(iterator, Generator) else nullcontext():
            while True:
                began = time.perf_counter()
                try:
                    item = next(iterator)
                except StopIteration:
                    return
                finally:
                    self.add(stage, time.perf_counter() - began)
                yield item

    def timed(self, stage: Stage, function: Callable[[A], T]) -> Callable[[A], T]:
        """The same function, with its time counted."""

        def call(argument: A) -> T:
            began = time.perf_counter()
            try:
                return function(argument)
            finally:
                self.add(stage, time.perf_counter() - began)

        return call
