"""What makes segments: the same code as `upreel upscale`, one order at a time."""

from __future__ import annotations

import logging
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from upreel.errors import MediaError, UpreelError, UsageError, WeightsError
from upreel.farm.orders import Introduction, Made, Order, Refused, Store
from upreel.farm.storage import Cache
from upreel.inference.cores import network_threads
from upreel.inference.interpolation import Tally
from upreel.inference.job import Job, open_source, plan_job, unlearned
from upreel.inference.join import open_assembly
from upreel.inference.ledger import versions
from upreel.inference.options import Options
from upreel.inference.pins import Pins, choose_pins
from upreel.inference.plan import Plan
from upreel.inference.precision import Precision
from upreel.inference.segment import make_segment
from upreel.inference.sources import Sources
from upreel.video.reader import Reader

_PIECE = 16 << 20


class Worker:
    """Makes segments. What the last order needed is kept for the next: network, input, weights."""

    def __init__(self, store: Store, cache: Path) -> None:
        """Begin.

        Args:
            store: where weights come from and segments go.
            cache: a folder for what is fetched.
        """
        self._store = store
        self._cache = Cache(cache)
        self._frames = 0
        self._seen: tuple[str, str] | None = None
        self._job: tuple[object, Job] | None = None

    def introduce(self) -> Introduction:
        """Say who this is."""
        return Introduction(platform.node(), os.getpid(), versions())

    def choose_pins(self, device: str, precision: Precision, threads: int) -> Pins:
        """Choose as `upreel upscale` would here, with so many threads.

        Raises:
            UsageError: there is no such device.
        """
        with network_threads(threads):
            pins = choose_pins(device, precision, threads=threads)
        shared = pins.device == "cpu"  # an encoder works beside the network on the same cores
        return pins.model_copy(update={"encoder_threads": max(1, threads // 2)}) if shared else pins

    def frames(self) -> int:
        """How many frames of the present order are made."""
        return self._frames

    def make(self, order: Order) -> Made | Refused:
        """Make a segment; what a user can act on comes back as a refusal."""
        began = time.perf_counter()
        messages: list[str] = []
        try:
            with (
                _heard(messages),
                network_threads(order.pins.threads),
                tempfile.TemporaryDirectory(dir=self._cache.scratch) as folder,
            ):
                return replace(
                    self._make(order, Path(folder) / "segment"),
                    seconds=time.perf_counter() - began,
                    messages=tuple(messages),
                )
        except UpreelError as error:
            final = isinstance(error, MediaError | UsageError | WeightsError)
            return Refused(str(error), final)
        finally:
            self._frames = 0

    def _make(self, order: Order, path: Path) -> Made:
        source = self._cache.fetch(order.source)
        sources = Sources(source, strict=not order.options.keep_going)
        self._check(order, sources)
        options = self._with_weights(order)
        with open_source(source, options) as reader:
            job = self._plan(reader, order, options)
            assembly = open_assembly(
                order.target,
                source=reader,
                size=order.geometry.size,
                encoding=replace(options.encoding, threads=order.pins.encoder_threads),
                audio=options.audio,
                overwrite=False,
                pace=job.retiming.pace(reader) if job.retiming else None,
            )
            tally = Tally()
            done = make_segment(
                reader,
                job,
                assembly,
                Plan.of(*job.specs, most=options.segment),
                order.start,
                first=order.first,
                path=path,
                tally=tally,
                progress=self._count,
            )
        sources.check()
        with path.open("rb") as file:
            parts = [self._store.put(piece) for piece in iter(lambda: file.read(_PIECE), b"")]
        return Made(done, parts, tally, 0.0)

    def _count(self, frames: int) -> None:
        self._frames = frames

    def _check(self, order: Order, sources: Sources) -> None:
        """Find out whether this is the file that the farm means; once for each."""
        if self._seen == (order.source, order.identity):
            return
        if sources.identity != order.identity:
            raise MediaError(
                f"expected {order.source} to be the same file everywhere, found another one on "
                f"{platform.node()}; use a shared file system, or addresses such as s3://"
            )
        self._seen = order.source, order.identity

    def _with_weights(self, order: Order) -> Options:
        """The options with the files of weights as they lie here."""
        options = order.options
        for field, file in order.weights.items():
            path = self._cache.keep(file.name, file.sha256, partial(self._store.get, file.held))
            if field == "flow_weights":
                options = replace(options, flow_weights=path)
            elif field == "model":
                options = replace(options, model=str(path))
            else:
                options = replace(options, interpolator=str(path))
        return options

    def _plan(self, reader: Reader, order: Order, options: Options) -> Job:
        """The job, with the network of the last order where it is the same."""
        key = (options, order.geometry.scale, order.pins)
        if self._job is None or self._job[0] != key:
            self._job = None  # two networks at a time would need twice the memory
            upscaler = unlearned(options)
            job = plan_job(reader, order.geometry, options, upscaler, order.pins)
            self._job = key, job
        return replace(self._job[1], geometry=order.geometry)


class _Listener(logging.Handler):
    def __init__(self, messages: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.append(record.getMessage())


@contextmanager
def _heard(messages: list[str]) -> Iterator[None]:
    """Collect what is logged."""
    log, listener = logging.getLogger("upreel"), _Listener(messages)
    log.addHandler(listener)
    try:
        yield
    finally:
        log.removeHandler(listener)
