"""However much there is to do, little of it waits in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import cast

import pytest

from upreel.farm import driver
from upreel.farm.driver import Farm
from upreel.farm.items import Item
from upreel.farm.orders import Answer, Event, Made, Order
from upreel.inference.interpolation import Tally
from upreel.inference.ledger import Done
from upreel.inference.options import Options
from upreel.inference.pins import Pins
from upreel.inference.plan import Start

SEGMENTS = 1000
PINS = Pins(device="cpu", precision="fp32", threads=1, encoder_threads=1)


class LongFilm:
    """A film of a thousand segments, none of which takes any time."""

    found = 0
    taken = 0
    most = 0

    def __init__(self, source: str, *args: object, **others: object) -> None:
        self.source = self.shown = source
        self.target = Path(source)
        self.before = self.frames = 0
        self.expected = SEGMENTS
        self.numbers: set[int] = set()
        self.closed = False

    def starts(self) -> Iterator[Start]:
        for number in range(SEGMENTS):
            LongFilm.found += 1
            LongFilm.most = max(LongFilm.most, LongFilm.found - LongFilm.taken)
            yield Start(number, number)

    def order(self, start: Start) -> Order:
        return cast(Order, _Order(self.source, start))

    def add(self, made: Made, store: object) -> None:
        LongFilm.taken += 1
        self.numbers.add(made.done.number)
        self.frames += made.done.frames

    def join(self) -> Path:
        return self.target

    def close(self) -> None:
        self.closed = True


class _Order:
    def __init__(self, source: str, start: Start) -> None:
        self.source, self.start = source, start


class Quick:
    """Four workers that take every order and answer two at a time."""

    size = 4

    def __init__(self) -> None:
        self.given: list[Order] = []
        self.most = 0

    @property
    def free(self) -> int:
        return self.size - len(self.given)

    def give(self, order: Order) -> None:
        self.given.append(order)
        self.most = max(self.most, len(self.given))

    def wait(self, seconds: float) -> Sequence[Answer]:
        ready, self.given = self.given[:2], self.given[2:]
        return [
            Answer(order, "worker", Made(_done(order.start.number), (), Tally(), 0.1))
            for order in ready
        ]

    def choose_pins(self, device: str, precision: str) -> Pins:
        return PINS

    def under_way(self) -> int:
        return 0

    def news(self) -> Sequence[Event]:
        return []


class NoStore:
    def put(self, data: bytes) -> object:
        return data

    def get(self, held: object) -> bytes:
        return b""


def _done(number: int) -> Done:
    return Done.model_construct(number=number, frames=1)


@pytest.fixture
def long_films(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "Film", LongFilm)
    LongFilm.found = LongFilm.taken = LongFilm.most = 0


@pytest.mark.usefixtures("long_films")
def test_planning_does_not_run_away(tmp_path: Path) -> None:
    pool = Quick()
    events: list[Event] = []
    items = [Item(f"{name}.mp4", PurePosixPath(f"{name}.mp4")) for name in "ab"]
    outcome = Farm(
        pool, NoStore(), items=items, out=tmp_path, options=Options(), pins=PINS,
        cache=tmp_path / "cache", tell=events.append,
    ).run()  # fmt: skip
    assert len(outcome.done) == 2
    assert outcome.frames == LongFilm.taken == 2 * SEGMENTS
    assert pool.most == pool.size
    assert LongFilm.most <= 3 * pool.size  # with workers, in the queue, in a planner's hand
    last = events[-1]
    assert (last.event, last.frames, last.total, last.files) == ("end", 2000, 2000, (2, 2))
