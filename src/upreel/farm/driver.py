"""The farm: hands segments to workers, takes them in, joins what is complete."""

from __future__ import annotations

import hashlib
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from upreel.errors import UpreelError
from upreel.farm.film import Film, place_of
from upreel.farm.items import Item
from upreel.farm.orders import (
    Answer,
    Event,
    EventName,
    GoneError,
    Lost,
    Made,
    Outcome,
    Pool,
    Refused,
    SharedFile,
    Store,
)
from upreel.farm.planner import Failed, Found, Next, Opened, Planned, Planner, Skipped, sentence
from upreel.farm.storage import Cache, Mirror
from upreel.inference.job import FieldOfWeights
from upreel.inference.options import Options
from upreel.inference.pins import Pins
from upreel.inference.plan import Start
from upreel.inference.work import is_result, remove_work

log = logging.getLogger(__name__)

TRIES = 3
"""How often a segment is tried that kills its worker."""

_INTERVAL = 1.0  # seconds between two reports
_PATIENCE = 0.2
_WORKERS_PER_PLANNER = 8
_MOST_PLANNERS = 8


@dataclass(slots=True)
class _State:
    """What the driver knows of a film.

    Attributes:
        film: the film.
        running: how many of its segments are with workers.
        planned: whether all its segments are known.
        joining: its end, once that is under way.
    """

    film: Film
    running: int = 0
    planned: bool = False
    joining: Future[Path] | None = None


class Farm:
    """Makes many videos with many workers."""

    def __init__(
        self,
        pool: Pool,
        store: Store,
        *,
        items: Sequence[Item],
        out: Path,
        options: Options,
        pins: Pins,
        cache: Path,
        mirror: Mirror | None = None,
        tell: Callable[[Event], None] = lambda event: None,
    ) -> None:
        """Prepare.

        Args:
            pool: the workers.
            store: where weights and segments are put.
            items: what is to be made.
            out: the folder of results.
            options: for all of them.
            pins: what the workers have chosen, for work that begins.
            cache: a folder for what is fetched.
            mirror: the folder of results where that is elsewhere; `out` is for work then.
            tell: called with all that happens.
        """
        self._pool, self._store = pool, store
        self._items, self._out = items, out
        self._options, self._pins = options, pins
        self._cache = Cache(cache)
        self._tell = tell
        self._mirror = mirror
        self._shared: dict[Path, SharedFile] = {}
        self._states: dict[int, _State] = {}  # by the identity of the film
        self._ready: deque[tuple[Film, Start]] = deque()
        self._given: dict[int, tuple[Film, Start]] = {}  # by the identity of the order
        self._tries: Counter[tuple[str, int]] = Counter()
        self._outcome = Outcome()
        self._began = time.perf_counter()
        self._told = 0.0
        self._before = self._made = 0
        self._expected: dict[str, int] = {}

    def run(self) -> Outcome:
        """Do all the work; a file that fails does not end the others."""
        planners = min(_MOST_PLANNERS, 1 + self._pool.size // _WORKERS_PER_PLANNER)
        with ExitStack() as stack:
            stack.callback(self._close_all)
            joiner = stack.enter_context(ThreadPoolExecutor(1, "joiner"))
            planner = Planner(
                self._items, self._open, ahead=self._pool.size + planners, threads=planners
            )
            stack.callback(self._close_left, planner)
            stack.enter_context(planner)
            while self._files() < len(self._items):
                self._hand_out(planner)
                for answer in self._pool.wait(_PATIENCE):
                    self._take(answer)
                for state in list(self._states.values()):
                    self._go_on(state, joiner)
                self._report()
        self._outcome.frames = self._made
        self._outcome.seconds = self._seconds()
        self._report(end=True)
        return self._outcome

    def _files(self) -> int:
        outcome = self._outcome
        return len(outcome.done) + len(outcome.skipped) + len(outcome.failed)

    def _open(self, item: Item) -> Film | None:
        """Open a film; in a thread of the planner."""
        target = place_of(self._out / item.name, self._out)
        if self._mirror is None:
            there = target.exists()
        else:
            target.unlink(missing_ok=True)  # a run was killed before it was there
            there = self._mirror.exists(item.name)
        if there and not self._options.overwrite:
            if is_result(target):  # a run was killed after its last step but one
                remove_work(target)
            return None
        return Film(
            item.source,
            self._cache.fetch(item.source),
            target,
            self._options,
            self._pins,
            self._share,
            mirror=self._mirror,
            name=item.name,
        )

    def _share(self, files: Mapping[FieldOfWeights, Path]) -> dict[FieldOfWeights, SharedFile]:
        """Put each file into the store, once."""
        for path in files.values():
            if path not in self._shared:
                data = path.read_bytes()
                digest = hashlib.sha256(data).hexdigest()
                self._shared[path] = SharedFile(path.name, digest, self._store.put(data))
        return {name: self._shared[path] for name, path in files.items()}

    def _hand_out(self, planner: Planner) -> None:
        """Give every free worker something to do, as far as there is something."""
        while self._pool.free:
            while not self._ready and (found := planner.next()) is not None:
                self._hear(found)
            if not self._ready:
                return
            film, start = self._ready.popleft()
            state = self._states.get(id(film))
            if state is None:  # it has failed meanwhile
                continue
            order = film.order(start)
            self._given[id(order)] = film, start
            state.running += 1
            self._pool.give(order)

    def _hear(self, found: Found) -> None:
        match found:
            case Opened(film):
                self._states[id(film)] = _State(film)
                self._before += film.before
                if film.expected is not None:
                    self._expected[film.source] = film.expected
                self._say("opened", film, frames=film.before, total=film.expected)
            case Next(film, start):
                self._ready.append((film, start))
            case Planned(film):
                if id(film) in self._states:
                    self._states[id(film)].planned = True
            case Skipped(item):
                target = self._out / item.name
                self._outcome.skipped.append(target)
                self._tell(
                    Event("skipped", self._seconds(), item.source, str(target), files=self._count())
                )
            case Failed(item, film, error):
                if film is None:
                    self._note_failure(item.source, self._out / item.name, sentence(error))
                elif id(film) in self._states:
                    self._fail(film, sentence(error))

    def _take(self, answer: Answer) -> None:
        film, start = self._given.pop(id(answer.order))
        state = self._states.get(id(film))
        if state is None:  # it has failed meanwhile
            return
        state.running -= 1
        match answer.outcome:
            case Made() as made:
                self._take_segment(film, made, answer)
            case Refused(message, final=True):
                self._fail(film, message)
            case Refused(message) | Lost(message):
                self._try_again(film, start, answer, message)

    def _take_segment(self, film: Film, made: Made, answer: Answer) -> None:
        for message in made.messages:
            log.warning("%s: %s", Path(film.source).name, message)
        try:
            film.add(made, self._store)
        except GoneError as error:
            self._try_again(film, answer.order.start, answer, str(error))
            return
        except UpreelError as error:
            self._fail(film, str(error))
            return
        frames = made.done.frames
        self._made += frames
        self._say(
            "segment", film, worker=answer.worker, segment=made.done.number, frames=frames,
            took=round(made.seconds, 3), fps=round(frames / max(made.seconds, 1e-9), 2),
        )  # fmt: skip

    def _try_again(self, film: Film, start: Start, answer: Answer, message: str) -> None:
        """Give a segment to the next free worker, unless it was tried often enough."""
        key = (film.source, start.number)
        self._tries[key] += 1
        self._say("lost", film, worker=answer.worker, segment=start.number, message=message)
        if self._tries[key] < TRIES:
            self._ready.appendleft((film, start))
            return
        self._fail(
            film,
            f"{film.describe(start)} of {film.source} could not be made in {TRIES} tries, the "
            f"last on {answer.worker}: {message}",
        )

    def _go_on(self, state: _State, joiner: ThreadPoolExecutor) -> None:
        """Join a film of which nothing is left to do, and note the end of one that is joined."""
        film = state.film
        if state.joining is None:
            ready = any(other is film for other, _ in self._ready)
            if state.planned and not state.running and not ready:
                state.joining = joiner.submit(film.join)
            return
        if not state.joining.done():
            return
        error = state.joining.exception()
        if isinstance(error, Exception):
            self._fail(film, sentence(error))
            return
        path = state.joining.result()
        self._forget(film)
        self._outcome.done.append(path)
        self._say("done", film, frames=film.frames, files=self._count())

    def _fail(self, film: Film, message: str) -> None:
        self._forget(film)
        self._note_failure(film.source, film.target, message)

    def _note_failure(self, source: str, target: Path, message: str) -> None:
        self._outcome.failed.append((source, message))
        self._tell(
            Event("failed", self._seconds(), source, str(target), message=message,
                  files=self._count())
        )  # fmt: skip

    def _forget(self, film: Film) -> None:
        del self._states[id(film)]
        film.close()

    def _close_all(self) -> None:
        for state in list(self._states.values()):
            self._forget(state.film)

    def _close_left(self, planner: Planner) -> None:
        for found in planner.left():
            if isinstance(found, Opened):
                found.film.close()

    def _seconds(self) -> float:
        return round(time.perf_counter() - self._began, 3)

    def _count(self) -> tuple[int, int]:
        return self._files(), len(self._items)

    def _say(
        self,
        event: EventName,
        film: Film,
        *,
        worker: str | None = None,
        segment: int | None = None,
        frames: int | None = None,
        total: int | None = None,
        took: float | None = None,
        fps: float | None = None,
        message: str | None = None,
        files: tuple[int, int] | None = None,
    ) -> None:
        self._tell(
            Event(
                event, self._seconds(), film.source, film.shown, worker, segment, frames,
                total, took, fps, None, files, message,
            )
        )  # fmt: skip

    def _report(self, *, end: bool = False) -> None:
        """Tell how far all is, now and then."""
        for event in self._pool.news():
            self._tell(replace(event, seconds=self._seconds()))
        now = self._seconds()
        if not end and now - self._told < _INTERVAL:
            return
        self._told = now
        made = self._made + (0 if end else self._pool.under_way())
        fps = made / max(now, 1e-9)
        total = self._total()
        left = None
        if total is not None and fps:
            left = round(max(0, total - self._before - made) / fps, 1)
        self._tell(
            Event(
                "end" if end else "progress", now, frames=self._before + made, total=total,
                fps=round(fps, 2), seconds_left=0.0 if end else left, files=self._count(),
            )
        )  # fmt: skip

    def _total(self) -> int | None:
        """Frames expected of all files: of those not opened yet as many as of the others."""
        if not self._expected:
            return None
        unknown = sum(source not in self._expected for source, _ in self._outcome.failed)
        still = len(self._items) - len(self._outcome.skipped) - unknown
        return round(sum(self._expected.values()) / len(self._expected) * still)
