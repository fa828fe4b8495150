"""Work that runs ahead in threads of its own, over a short queue."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None


@dataclass(frozen=True, slots=True)
class _Item(Generic[T]):
    value: T


def prefetch(items: Iterable[T], *, depth: int = 4) -> Generator[T, None, None]:
    """Iterate over `items` in a thread of its own, at most `depth` items ahead.

    An error inside `items` is raised here, after the items that came before it. When the consumer
    stops early (`close`, an error, Ctrl-C), the thread ends at its next item, `items` is closed in
    that thread, and the thread is joined: nothing runs on.
    """
    waiting: queue.Queue[_Item[T] | _End] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def put(entry: _Item[T] | _End) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(entry, timeout=0.05)
                return True
            except queue.Full:
                continue
        return False

    def produce() -> None:
        error: BaseException | None = None
        try:
            with closing(items) if isinstance(items, Generator) else nullcontext():
                for value in items:
                    if not put(_Item(value)):
                        break
        except BaseException as caught:  # handed to the consumer, whatever it is
            error = caught
        put(_End(error))

    thread = threading.Thread(target=produce, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            entry = waiting.get()
            if isinstance(entry, _End):
                if entry.error is not None:
                    raise entry.error
                return
            yield entry.value
    finally:
        stopped.set()
        thread.join()


def make_ahead(
    make: Callable[[S], T], items: Iterable[S], *, workers: int, depth: int
) -> Generator[T, None, None]:
    """Call `make` for each item in threads, at most `depth` items ahead, and keep their order.

    An error is raised here, in its turn. When the consumer stops early, calls that have not begun
    are dropped, and the others are waited for.
    """
    waiting: deque[Future[T]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="ahead")
    try:
        for item in items:
            waiting.append(pool.submit(make, item))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
