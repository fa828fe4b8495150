"""Finds the work: files are opened and cut in threads, never far ahead of the workers."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from upreel.errors import UpreelError
from upreel.farm.film import Film
from upreel.farm.items import Item
from upreel.inference.plan import Start

_PATIENCE = 0.05  # seconds


@dataclass(frozen=True, slots=True)
class Opened:
    """A file is opened."""

    film: Film


@dataclass(frozen=True, slots=True)
class Next:
    """A segment is there to be made."""

    film: Film
    start: Start


@dataclass(frozen=True, slots=True)
class Planned:
    """All segments of a file are known."""

    film: Film


@dataclass(frozen=True, slots=True)
class Skipped:
    """There is nothing to do for a file: its result is there."""

    item: Item


@dataclass(frozen=True, slots=True)
class Failed:
    """A file cannot be opened, or not be read to its end."""

    item: Item
    film: Film | None
    error: Exception


Found = Opened | Next | Planned | Skipped | Failed


class Planner:
    """Threads that each take a file after the other. Use it as a context manager."""

    def __init__(
        self,
        items: Sequence[Item],
        open_film: Callable[[Item], Film | None],
        *,
        ahead: int,
        threads: int,
    ) -> None:
        """Prepare.

        Args:
            items: what is to be made.
            open_film: opens one; `None` where its result is there already.
            ahead: how many findings wait, at most.
            threads: how many files are read at the same time.
        """
        self._items: Iterator[Item] = iter(items)
        self._open = open_film
        self._found: queue.Queue[Found] = queue.Queue(ahead)
        self._turn = threading.Lock()
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"planner {number}", daemon=True)
            for number in range(threads)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def next(self) -> Found | None:
        """What was found next; `None`: nothing, for now."""
        try:
            return self._found.get_nowait()
        except queue.Empty:
            return None

    def left(self) -> Iterable[Found]:
        """What nobody has asked for, after the end."""
        while (found := self.next()) is not None:
            yield found

    def _work(self) -> None:
        while not self._stopped.is_set():
            with self._turn:
                item = next(self._items, None)
            if item is None:
                return
            self._plan(item)

    def _plan(self, item: Item) -> None:
        film: Film | None = None
        try:
            film = self._open(item)
            if film is None:
                self._put(Skipped(item))
                return
            if not self._put(Opened(film)):
                return
            for start in film.starts():
                if not self._put(Next(film, start)):
                    return
            self._put(Planned(film))
        except Exception as error:  # handed on: one file must not end the others
            self._put(Failed(item, film, error))

    def _put(self, found: Found) -> bool:
        while not self._stopped.is_set():
            try:
                self._found.put(found, timeout=_PATIENCE)
                return True
            except queue.Full:
                continue
        if isinstance(found, Opened):
            found.film.close()
        return False


def sentence(error: Exception) -> str:
    """An error in one line."""
    if isinstance(error, UpreelError):
        return str(error)
    return f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
