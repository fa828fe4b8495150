"""Ray: a cluster to connect to or to start, workers as its actors, its object store."""

from __future__ import annotations

import logging
import math
import os
import secrets
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from upreel.errors import OutputError, UsageError
from upreel.farm.orders import (
    Answer,
    Event,
    EventName,
    GoneError,
    Introduction,
    Lost,
    Made,
    Order,
    Refused,
)
from upreel.farm.planner import sentence
from upreel.farm.worker import Worker
from upreel.inference.ledger import KIND_OF_PROCESSOR, versions
from upreel.inference.pins import Pins
from upreel.inference.precision import Precision

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # before ray is imported
# By default its workers yield to everything else on a machine; `upreel upscale` does not either.
os.environ.setdefault("RAY_worker_niceness", "0")
try:
    import ray
    from ray import ObjectRef
    from ray.actor import ActorHandle
    from ray.exceptions import RayActorError, RayError, RayTaskError
except ImportError as error:
    raise UsageError(
        "expected Ray, which 'upreel farm' needs: pip install 'upreel[farm]'"
    ) from error

log = logging.getLogger(__name__)

LOCAL_STORE = 256 << 20
"""Bytes of the object store of a Ray that is started here; what does not fit goes to the disk."""
_FALSE_STARTS = 3
PATIENCE = 60.0
"""Seconds without any worker after which a line says what is waited for."""


class RayStore:
    """Ray's object store; what stands for bytes is a reference of Ray."""

    def put(self, data: bytes) -> object:
        """See `Store`."""
        return ray.put(data)

    def get(self, held: object) -> bytes:
        """See `Store`."""
        assert isinstance(held, ObjectRef)
        try:
            data = ray.get(held)
        except RayError as error:
            raise GoneError(f"it is gone with the machine that made it: {_short(error)}") from error
        assert isinstance(data, bytes)
        return data


@dataclass(slots=True)
class _Member:
    """One actor.

    Attributes:
        name: in messages, and in Ray's dashboard.
        actor: the handle.
        hello: what it says of itself, until that has come.
        order: what it works on.
        answer: what will come of it.
        asked: how many frames of the order are made, if that was asked.
        frames: what it answered last.
    """

    name: str
    actor: ActorHandle[Any]
    hello: ObjectRef[Introduction] | None
    order: Order | None = None
    answer: ObjectRef[Made | Refused] | None = None
    asked: ObjectRef[int] | None = None
    frames: int = 0

    @property
    def free(self) -> bool:
        return self.hello is None and self.order is None


class RayPool:
    """Actors, one order each at a time; one that dies is replaced. Use it as a context manager."""

    def __init__(self, size: int, *, threads: int, gpus: float, cache: Path) -> None:
        """Begin to start the workers.

        Args:
            size: how many.
            threads: cores of each.
            gpus: of each; parts of one are possible.
            cache: a folder on their machines for what is fetched.
        """
        self.size = size
        self._threads = threads
        self._gpus = gpus
        self._cache = cache
        self._class = ray.remote(  # type: ignore[call-overload]
            num_cpus=threads, num_gpus=gpus, max_restarts=0, concurrency_groups={"control": 1}
        )(Worker)
        self._run = secrets.token_hex(2)
        self._started = 0
        self._false_starts = 0
        self._news: list[Event] = []
        self._processors: set[str] = set()
        self._members = [self._start() for _ in range(size)]

    def __enter__(self) -> RayPool:
        return self

    def __exit__(self, *details: object) -> None:
        for member in self._members:
            ray.kill(member.actor)

    def _start(self) -> _Member:
        self._started += 1
        name = f"upreel-{self._run}-worker-{self._started}"
        actor = self._class.options(name=name).remote(RayStore(), self._cache)
        hello = actor.introduce.options(name="introduce").remote()
        return _Member(name, actor, hello)

    @property
    def free(self) -> int:
        """See `Pool`."""
        return sum(member.free for member in self._members)

    def give(self, order: Order) -> None:
        """See `Pool`."""
        member = next(member for member in self._members if member.free)
        label = f"{Path(order.source).name} segment {order.start.number + 1}"
        member.order, member.frames = order, 0
        member.answer = member.actor.make.options(name=label).remote(order)

    def wait(self, seconds: float) -> Sequence[Answer]:
        """See `Pool`.

        Raises:
            OutputError: workers cannot be started.
            UsageError: a worker has other versions than this machine.
        """
        waiting = [ref for each in self._members for ref in (each.hello, each.answer) if ref]
        ready, _ = ray.wait(waiting, num_returns=1, timeout=seconds) if waiting else ([], [])
        if not waiting:
            time.sleep(seconds)
        answers = []
        for index, member in enumerate(self._members):
            if member.hello in ready:
                self._greet(index, member)
            elif member.answer in ready:
                answers.append(self._answer(index, member))
        return answers

    def _greet(self, index: int, member: _Member) -> None:
        assert member.hello is not None
        try:
            found = ray.get(member.hello)
        except RayError as error:
            self._false_starts += 1
            if self._false_starts >= _FALSE_STARTS:
                raise OutputError(
                    f"expected workers to start, found {self._false_starts} that did not: "
                    f"{_short(error)}; has every machine of the cluster this version of upreel?"
                ) from error
            self._members[index] = self._start()
            return
        _check_versions(member.name, found)
        self._processors.add(found.versions[KIND_OF_PROCESSOR])
        if len(self._processors) > 1:
            log.warning(
                "Workers have different kinds of processors (%s): frames can differ in their last "
                "bits from one segment to the next.", ", ".join(sorted(self._processors)),
            )  # fmt: skip
        self._false_starts = 0
        member.hello = None
        where = f"process {found.pid} on {found.machine}"
        self._tell_of(member, "worker", where)

    def _tell_of(self, member: _Member, event: EventName, message: str) -> None:
        self._news.append(Event(event, 0.0, worker=member.name, message=message))

    def _answer(self, index: int, member: _Member) -> Answer:
        assert member.answer is not None and member.order is not None
        order, member.order = member.order, None
        answer, member.answer = member.answer, None
        member.asked, member.frames = None, 0
        try:
            return Answer(order, member.name, ray.get(answer))
        except RayActorError as error:
            message = f"the worker died ({_short(error)})"
            self._tell_of(member, "lost", message)
            self._members[index] = self._start()
            return Answer(order, member.name, Lost(message))
        except RayTaskError as error:
            cause = error.cause if isinstance(error.cause, Exception) else error
            return Answer(order, member.name, Refused(sentence(cause), final=False))
        except RayError as error:
            return Answer(order, member.name, Lost(_short(error)))

    def choose_pins(self, device: str, precision: Precision) -> Pins:
        """See `Pool`."""
        ends = time.monotonic() + PATIENCE
        while not self.free:
            self.wait(1.0)
            if time.monotonic() > ends:
                ends = math.inf
                log.warning(
                    "Waiting for a machine with %d free cores and %g GPUs for a worker; if the "
                    "cluster has none, ask for less with --threads and --gpus-per-worker.",
                    self._threads, self._gpus,
                )  # fmt: skip
        member = next(member for member in self._members if member.free)
        try:
            return cast(
                Pins, ray.get(member.actor.choose_pins.remote(device, precision, self._threads))
            )
        except RayTaskError as error:
            raise error.cause from error

    def under_way(self) -> int:
        """See `Pool`."""
        for member in self._members:
            if member.order is None:
                continue
            if member.asked is not None:
                ready, _ = ray.wait([member.asked], timeout=0)
                if not ready:
                    continue
                with suppress(RayError):  # its answer tells
                    member.frames = ray.get(member.asked)
            member.asked = member.actor.frames.options(concurrency_group="control").remote()
        return sum(member.frames for member in self._members if member.order is not None)

    def news(self) -> Sequence[Event]:
        """See `Pool`."""
        news, self._news = self._news, []
        return news


def _check_versions(name: str, found: Introduction) -> None:
    for thing, here in versions().items():
        there = found.versions.get(thing)
        if there != here and thing != KIND_OF_PROCESSOR:
            raise UsageError(
                f"expected {thing} {here} on every machine, found {there} on {found.machine} "
                f"({name}); install the same there"
            )


def _short(error: Exception) -> str:
    """The first lines that say something, as one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])[:300]


@contextmanager
def connected(address: str | None, *, cores: int | None = None) -> Iterator[None]:
    """Connect to a cluster, or start one on this machine and end it afterwards.

    Args:
        address: `auto`, `ray://HOST:10001`, `HOST:6379`; `None`: start one here.
        cores: how many the one that is started here has; as many as the machine without it.

    Raises:
        UsageError: there is no cluster at this address.
    """
    if ray.is_initialized():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        if address is None:
            ray.init(
                "local",
                num_cpus=cores,
                object_store_memory=LOCAL_STORE,
                dashboard_host="127.0.0.1",
                logging_level=logging.ERROR,
                log_to_driver=False,
            )
        else:
            ray.init(address, logging_level=logging.ERROR, log_to_driver=False)
    except Exception as error:  # it raises no other where a process of its own does not start
        raise UsageError(
            f"expected a Ray cluster at {address or 'this machine'}, found none: {_short(error)}; "
            "leave --address out to start one here"
        ) from error
    finally:
        signal.signal(signal.SIGTERM, before)  # Ray has set its own
    try:
        yield
    finally:
        ray.shutdown()


def resources(patience: float = 300.0) -> tuple[int, float]:
    """Cores and GPUs of the cluster, as soon as it has any; its machines may still be starting.

    Args:
        patience: how many seconds to wait for them.

    Raises:
        UsageError: it has none.
    """
    ends = time.monotonic() + patience
    while True:
        found: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        cores, gpus = int(found.get("CPU", 0)), float(found.get("GPU", 0))
        if cores:
            return cores, gpus
        if time.monotonic() > ends:
            raise UsageError(
                f"expected a Ray cluster with cores, found none for {patience:.0f} s; add machines "
                "to it"
            )
        time.sleep(1.0)
