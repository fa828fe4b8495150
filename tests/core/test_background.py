"""Iterating in a thread: order, errors, and an end that leaves nothing behind."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator

import pytest

from upreel.core.background import make_ahead, prefetch


def test_items_keep_their_order() -> None:
    assert list(prefetch(range(100), depth=3)) == list(range(100))


def test_it_runs_in_another_thread_and_not_too_far_ahead() -> None:
    made: list[int] = []
    threads: set[int] = set()
    started = threading.Event()

    def produce() -> Iterator[int]:
        for number in range(100):
            threads.add(threading.get_ident())
            made.append(number)
            started.set()
            yield number

    stream = prefetch(produce(), depth=2)
    assert next(stream) == 0
    started.wait(5)
    assert len(made) <= 1 + 2 + 1  # taken, waiting, in the producer's hand
    assert threads == threads - {threading.get_ident()}
    stream.close()


def test_an_error_comes_after_the_items_before_it() -> None:
    def produce() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("broken")

    stream = prefetch(produce())
    assert [next(stream), next(stream)] == [1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(stream)


def test_an_error_while_the_source_is_closed_reaches_the_consumer() -> None:
    class Source(Generator[int, None, None]):
        def __init__(self) -> None:
            self.inner = iter([1])

        def send(self, value: None) -> int:
            return next(self.inner)

        def throw(self, *error: object) -> int:
            raise GeneratorExit

        def close(self) -> None:
            raise OSError("cannot close")

    stream = prefetch(Source())
    assert next(stream) == 1
    with pytest.raises(OSError, match="cannot close"):
        next(stream)


def test_closing_early_closes_the_source_and_ends_the_thread() -> None:
    closed = threading.Event()

    def produce() -> Iterator[int]:
        try:
            number = 0
            while True:
                yield number
                number += 1
        finally:
            closed.set()

    before = threading.active_count()
    stream = prefetch(produce(), depth=2)
    next(stream)
    stream.close()
    assert closed.is_set()
    assert threading.active_count() == before


def test_what_is_made_ahead_keeps_its_order_and_its_distance() -> None:
    begun: list[int] = []

    def make(item: int) -> int:
        begun.append(item)
        return item * item

    made = make_ahead(make, range(9), workers=4, depth=3)
    assert next(made) == 0
    assert max(begun) <= 3
    assert list(made) == [item * item for item in range(1, 9)]


def test_an_error_ahead_comes_in_its_turn() -> None:
    made = make_ahead(lambda item: 1 // (2 - item), range(9), workers=4, depth=3)
    assert [next(made), next(made)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(made)
