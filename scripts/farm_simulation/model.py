"""A farm as a discrete-event simulation: one driver, workers that fail or are slow, one network.

The driver plans: it decodes each file in turn and hands out segments as it finds them. A worker
that is free takes the next one, fetches it, enlarges it, and waits until the driver has counted it
as finished; the driver does so for one segment at a time. A file whose segments are all there is
joined, one file at a time. A worker that fails loses the segment that it has, which is handed out
again before others, and comes back later. Times are seconds; nothing here knows what a video is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

Factors = Callable[[np.random.Generator, int], NDArray[np.float64]]
"""How many times longer than usual so many segments take."""

_READY, _DONE, _FAILED = range(3)
_NONE = -1
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Archive:
    """What is to be enlarged: files that are all alike, in segments that are all alike.

    Attributes:
        files: how many.
        frames: of each.
        segment: frames of a segment; the last one of a file has what is left.
    """

    files: int
    frames: int
    segment: int

    @property
    def each(self) -> int:
        """Segments of a file."""
        return -(-self.frames // self.segment)

    @property
    def total(self) -> int:
        """Segments of all files."""
        return self.files * self.each


@dataclass(frozen=True, slots=True)
class Farm:
    """What works, and how long it takes; seconds.

    Attributes:
        workers: how many segments are worked on at a time.
        frame: of a worker, for a frame.
        segment: of a worker, for a segment, beside its frames.
        start: of a worker, before its first segment.
        skip: of a worker, for each frame of the file before its segment.
        plan: of the driver, for a frame that it decodes to find segments.
        count: of the driver, for a segment that is finished.
        transfer: of the network that all share, for a frame, there and back.
        join: of the driver's other thread, for a frame of a finished file.
        speculate: whether a worker that finds nothing to do begins again what another has begun,
            and the first to finish counts. Who will be last is known perfectly.
    """

    workers: int
    frame: float
    segment: float = 0.0
    start: float = 0.0
    skip: float = 0.0
    plan: float = 0.0
    count: float = 0.0
    transfer: float = 0.0
    join: float = 0.0
    speculate: bool = False


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong.

    Attributes:
        rate: failures of a worker in a second, without memory.
        repair: seconds until a failed worker can start again.
        factors: how many times longer segments take; `None`: none does.
    """

    rate: float = 0.0
    repair: float = 0.0
    factors: Factors | None = None


@dataclass(slots=True)
class Outcome:
    """What came of it.

    Attributes:
        makespan: seconds until the last file is finished.
        enlarged: seconds until the last segment is.
        worked: of all workers on segments, for nothing too.
        lost: of that, what failures cost.
        twice: of that, what was begun a second time and not needed.
        starved: of all workers, waiting for the driver to plan.
        failures: of workers that had a segment.
    """

    makespan: float = 0.0
    enlarged: float = 0.0
    worked: float = 0.0
    lost: float = 0.0
    twice: float = 0.0
    starved: float = 0.0
    failures: int = 0


def simulate(archive: Archive, farm: Farm, faults: Faults = Faults(), *, seed: int = 0) -> Outcome:
    """Let a farm work until everything is done; the same seed gives the same outcome."""
    return _Run(archive, farm, faults, np.random.default_rng(seed)).run()


class _Run:
    """The state of a simulation."""

    def __init__(
        self, archive: Archive, farm: Farm, faults: Faults, random: np.random.Generator
    ) -> None:
        self.archive, self.farm, self.faults = archive, farm, faults
        self.outcome = Outcome()
        self.factors = _factors(faults.factors, random)
        self.lives = _lives(faults.rate, random)
        self.left = [archive.each] * archive.files  # segments to do
        self.unfinished = archive.total
        self.planned = 0  # segments handed out at least once
        self.again: deque[int] = deque()
        self.idle: list[int] = []
        self.counting = self.network = self.joining = 0.0  # busy until then
        workers = farm.workers
        self.segment = [_NONE] * workers  # that a worker has
        self.began = [0.0] * workers
        self.ends = [0.0] * workers
        self.dies = [farm.start + next(self.lives) for _ in range(workers)]
        self.token = [0] * workers  # events with another one are void
        self.twin: dict[int, int] = {}  # of workers that have the same segment
        self.events = [(farm.start, worker, _READY, 0) for worker in range(workers)]
        heapify(self.events)

    def run(self) -> Outcome:
        """Take event after event."""
        while self.unfinished:
            now, worker, kind, token = heappop(self.events)
            if token != self.token[worker]:
                continue
            if kind == _FAILED:
                self._fail(now, worker)
            else:
                if kind == _DONE:
                    now = self._finish(now, worker)
                self._give(now, worker)
        self.outcome.makespan = max(self.outcome.enlarged, self.joining)
        return self.outcome

    def _give(self, now: float, worker: int) -> None:
        """Let a worker take the next segment, if there is one."""
        ready = now
        if self.again:
            segment = self.again.popleft()
        elif self.planned < self.archive.total:
            segment = self.planned
            self.planned += 1
            ready = max(now, self._last_frame(segment) * self.farm.plan)
            self.outcome.starved += ready - now
        elif self.farm.speculate and (slowest := self._slowest(now)) != _NONE:
            segment = self.segment[slowest]
            self.twin[worker], self.twin[slowest] = slowest, worker
        else:
            self.idle.append(worker)
            return
        self._begin(ready, worker, segment)

    def _begin(self, ready: float, worker: int, segment: int) -> None:
        farm, frames = self.farm, self._frames(segment)
        self.network = begin = max(self.network, ready) + frames * farm.transfer
        end = begin + next(self.factors) * self._usual(segment)
        self.segment[worker], self.began[worker], self.ends[worker] = segment, begin, end
        dies = self.dies[worker]
        event = (dies, worker, _FAILED) if dies < end else (end, worker, _DONE)
        heappush(self.events, (*event, self.token[worker]))

    def _finish(self, now: float, worker: int) -> float:
        """Count a segment as finished; when that is done comes back."""
        segment = self.segment[worker]
        self.segment[worker] = _NONE
        self.outcome.worked += now - self.began[worker]
        if (twin := self.twin.pop(worker, _NONE)) != _NONE:
            del self.twin[twin]
            wasted = max(0.0, now - self.began[twin])
            self.outcome.worked += wasted
            self.outcome.twice += wasted
            self.segment[twin] = _NONE
            self.token[twin] += 1
            heappush(self.events, (now, twin, _READY, self.token[twin]))
        self.counting = now = max(self.counting, now) + self.farm.count
        self.unfinished -= 1
        self.outcome.enlarged = now
        file = segment // self.archive.each
        self.left[file] -= 1
        if not self.left[file]:
            self.joining = max(self.joining, now) + self.archive.frames * self.farm.join
        return now

    def _fail(self, now: float, worker: int) -> None:
        """Lose what a worker has done of its segment, and let somebody else begin it."""
        segment = self.segment[worker]
        self.segment[worker] = _NONE
        lost = max(0.0, now - self.began[worker])
        self.outcome.worked += lost
        self.outcome.lost += lost
        self.outcome.failures += 1
        back = now + self.faults.repair + self.farm.start
        self.dies[worker] = back + next(self.lives)
        heappush(self.events, (back, worker, _READY, self.token[worker]))
        if (twin := self.twin.pop(worker, _NONE)) != _NONE:
            del self.twin[twin]  # still has it
            return
        self.again.append(segment)
        if self.idle:
            other = self.idle.pop()
            if self.dies[other] < now:  # meanwhile it failed, and nobody noticed
                self.dies[other] = now + next(self.lives)
            self._give(now, other)

    def _slowest(self, now: float) -> int:
        """The worker that will be the last, if beginning its segment again may be faster."""
        alone = [
            worker
            for worker, segment in enumerate(self.segment)
            if segment != _NONE and worker not in self.twin
        ]
        if not alone:
            return _NONE
        last = max(alone, key=self.ends.__getitem__)
        return last if now + self._usual(self.segment[last]) < self.ends[last] else _NONE

    def _usual(self, segment: int) -> float:
        """Seconds of a worker for a segment that is not slow."""
        farm, before = self.farm, segment % self.archive.each * self.archive.segment
        return farm.segment + self._frames(segment) * farm.frame + before * farm.skip

    def _frames(self, segment: int) -> int:
        archive = self.archive
        return min(archive.segment, archive.frames - segment % archive.each * archive.segment)

    def _last_frame(self, segment: int) -> int:
        """How many frames come before a segment is planned, of all files."""
        file, number = divmod(segment, self.archive.each)
        archive = self.archive
        return file * archive.frames + min((number + 1) * archive.segment, archive.frames)


def _factors(factors: Factors | None, random: np.random.Generator) -> Iterator[float]:
    if factors is None:
        yield from repeat(1.0)
    else:
        while True:
            yield from factors(random, _BLOCK).tolist()


def _lives(rate: float, random: np.random.Generator) -> Iterator[float]:
    """Seconds that workers live."""
    while True:
        yield random.exponential(1 / rate) if rate else np.inf
