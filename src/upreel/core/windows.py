"""Windows over a stream: what a network sees of the frames around those it enlarges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Span(Generic[T]):
    """Neighbouring items of one scene.

    Attributes:
        items: `past` + middle + `future` items in their order.
        past: how many items stand before the middle.
        future: how many items stand after the middle.
        first: whether the middle begins a scene, so that no state is carried into it.
    """

    items: tuple[T, ...]
    past: int
    future: int
    first: bool

    @property
    def middle(self) -> tuple[T, ...]:
        """The items that this span is about."""
        return self.items[self.past : len(self.items) - self.future]


def windows(
    items: Iterable[T],
    *,
    past: int = 0,
    future: int = 0,
    step: int = 1,
    begins_scene: Callable[[T], bool] = lambda item: False,
) -> Iterator[Span[T]]:
    """Cut a stream into spans whose middles, one after the other, are the stream itself.

    A span never reaches over the border of a scene: there it is shorter. At most
    `past + step + future` items are held at a time.

    Args:
        items: the stream.
        past: items wanted before the middle.
        future: items wanted after the middle.
        step: items in the middle (fewer in the last span of a scene).
        begins_scene: tells of an item whether a new scene begins with it; the first item of the
            stream always begins one.
    """
    held: list[T] = []  # what came before the next middle, the middle, what comes after
    before = 0  # how many of `held` come before the next middle
    first = True

    def spans(*, ended: bool) -> Iterator[Span[T]]:
        nonlocal before, first
        while (waiting := len(held) - before) > (0 if ended else step + future - 1):
            middle = min(step, waiting)
            after = min(future, waiting - middle)
            yield Span(tuple(held[: before + middle + after]), before, after, first)
            del held[: max(0, before + middle - past)]
            before = min(past, before + middle)
            first = False

    for item in items:
        if begins_scene(item):
            yield from spans(ended=True)
            held.clear()
            before, first = 0, True
        held.append(item)
        yield from spans(ended=False)
    yield from spans(ended=True)
