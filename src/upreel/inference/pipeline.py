"""A file in, a larger file out, in one run or in several."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from upreel.core.background import prefetch
from upreel.errors import DamagedError, MediaError, UsageError
from upreel.inference.cores import network_threads
from upreel.inference.interpolation import Tally
from upreel.inference.job import (
    Job,
    enlarged,
    files_of_weights,
    find_geometry,
    only_in_time,
    plan_job,
)
from upreel.inference.join import SegmentedWriter, can_be_joined, open_target
from upreel.inference.ledger import describe_job
from upreel.inference.options import DEFAULT_MODEL, HARMLESS, Flow, Options, Progress, Result
from upreel.inference.pins import Pins, choose_pins
from upreel.inference.plan import Plan, cut_into_segments
from upreel.inference.preview import Preview, check_picture
from upreel.inference.sources import Sources
from upreel.inference.stages import Stages
from upreel.inference.work import Work, is_result, remove_work
from upreel.models.same import Same
from upreel.models.upscaler import Upscaler
from upreel.video.coding import Coding
from upreel.video.frame import Frame
from upreel.video.geometry import shown_size
from upreel.video.image_writer import ImageWriter
from upreel.video.reader import Reader
from upreel.video.scenes import mark_cuts
from upreel.video.writer import Writer, check_target

__all__ = ["DEFAULT_MODEL", "Flow", "Options", "Progress", "Result", "stream", "upscale"]

log = logging.getLogger(__name__)


def upscale(
    source: str | Path,
    target: str | Path,
    options: Options | None = None,
    *,
    upscaler: Upscaler | None = None,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> Result:
    """Enlarge a video, image, or folder of images, and carry over all that belongs to it.

    Args:
        source: a video file, an animated GIF, an image, a folder of images, or a pattern of names.
        target: a video file, an image, or a folder for images.
        options: what to do and how.
        upscaler: used instead of `options.model`.
        progress: called after every frame.

    Raises:
        UsageError: the options cannot be met.
        MediaError: the source is no video.
        DamagedError: a part of the source could not be read; what could be is in
            `OUT.partial.EXT`.
        OutputError: the target cannot be written.
    """
    options = options or Options()
    target = Path(target)
    finished = is_result(target)  # a run was killed after its last step but one
    _check(source, target, options, overwrite=options.overwrite or finished)
    if not options.resume:
        remove_work(target)
    with ExitStack() as stack:
        reader = stack.enter_context(_open(source, options))
        sources = Sources(source, strict=not options.keep_going, trust=options.trust)
        resumable = upscaler is None and options.resume and sources.known
        upscaler = _given(upscaler, options)
        geometry = find_geometry(reader, options, upscaler)
        work = None
        if resumable and can_be_joined(target, reader, options.encoding):
            work = stack.enter_context(Work(target))
            weights = files_of_weights(options, upscaler, geometry.scale)
            description = describe_job(
                sources.identity, target, options, weights, leave_out=HARMLESS
            )
            same = work.begin(description, lambda: _choose_pins(options))
            if finished and not same:
                _check(source, target, options, overwrite=options.overwrite)
            stack.enter_context(network_threads(work.ledger.pins.threads))
        pins = work.ledger.pins if work else _choose_pins(options)
        job = plan_job(reader, geometry, options, upscaler, pins)

        def check() -> None:
            sources.check()
            if work is not None:
                work.pin_tile(job.guard.tile)

        writer = open_target(
            target,
            source=reader,
            size=geometry.size,
            encoding=replace(options.encoding, threads=pins.encoder_threads),
            audio=options.audio,
            overwrite=options.overwrite or finished,
            pace=job.retiming.pace(reader) if job.retiming else None,
            work=work,
            check=check,
        )
        stack.enter_context(writer)
        frames: Iterable[Frame] = mark_cuts(reader)
        if isinstance(writer, SegmentedWriter):
            plan = Plan.of(*job.specs, most=options.segment)
            frames = cut_into_segments(reader, plan, writer.start, writer.expect)
        return _run(reader, frames, job, writer, sources, options, progress)


def _given(upscaler: Upscaler | None, options: Options) -> Upscaler | None:
    """The upscaler that needs no weights, if it is one."""
    return Same() if upscaler is None and only_in_time(options) else upscaler


def _check(source: str | Path, target: Path, options: Options, *, overwrite: bool) -> None:
    check_target(target, source, overwrite=overwrite, encoding=options.encoding)
    if options.preview:
        check_picture(options.preview, source, target, overwrite=options.overwrite)


def _run(
    reader: Reader,
    frames: Iterable[Frame],
    job: Job,
    writer: Writer | ImageWriter | SegmentedWriter,
    sources: Sources,
    options: Options,
    progress: Callable[[Progress], None],
) -> Result:
    """Enlarge frames into a writer, after what an earlier run has written, and finish it."""
    stages, tally = Stages(), Tally()
    coding = Coding.of(writer.layout, writer.colors)
    ledger = writer.ledger if isinstance(writer, SegmentedWriter) else None
    count = done = ledger.frames if ledger else 0
    total = job.retiming.total(reader) if job.retiming else reader.frames
    preview = None
    if options.preview:
        left = None if total is None else total - done
        preview = Preview(job.source_coding(reader), coding, frames=left)
    began = time.perf_counter()
    write = stages.timed("encode", writer.write)
    origin = ledger.origin if ledger else None
    results = enlarged(reader, frames, job, coding, writer.size, stages, tally, origin=origin)
    with closing(prefetch(results, depth=2)) as pairs:
        for before, after in pairs:
            write(after)
            count += 1
            if preview:
                preview.offer(before, after)
            progress(Progress(count, total, time.perf_counter() - began, done))
    if not count:
        raise _nothing(reader, options)
    damage = reader.damage or (ledger and ledger.damage)
    partial = damage is not None and not options.keep_going
    sources.check()
    path = writer.finish(partial=partial)
    if damage and not partial:
        log.warning("%s; the result has the frames that could be decoded", damage)
    picture = None
    if preview and options.preview:
        picture = preview.draw(options.preview, reader.video, overwrite=options.overwrite)
    if partial:
        raise DamagedError(
            f"{damage}; the {count} frames that could be "
            f"{'made' if job.retiming else 'decoded'} are in {path} "
            "(--keep-going gives them the final name)"
        )
    seconds = time.perf_counter() - began
    size = shown_size(writer.size, reader.video.rotation)
    return Result(
        path,
        size,
        count,
        seconds,
        stages.seconds,
        picture,
        tally if job.retiming else None,
        done,
    )


def stream(
    source: str | Path, options: Options | None = None, *, upscaler: Upscaler | None = None
) -> Generator[Frame, None, None]:
    """Enlarge a video and hand out its frames, one by one, in the pixel layout of the source.

    Raises:
        UsageError: the options cannot be met.
        MediaError: the source is no video.
        DamagedError: a part of the source could not be read; raised after the last good frame.
    """
    options = options or Options()
    with _open(source, options) as reader:
        upscaler = _given(upscaler, options)
        geometry = find_geometry(reader, options, upscaler)
        job = plan_job(reader, geometry, options, upscaler, _choose_pins(options))
        coding, size = job.source_coding(reader), job.geometry.size
        frames = mark_cuts(reader)
        results = enlarged(reader, frames, job, coding, size, Stages(), Tally())
        slower = job.retiming.slower if job.retiming else 1
        with closing(prefetch(results, depth=2)) as pairs:
            for _, frame in pairs:
                yield replace(frame, time_base=frame.time_base * slower)
        if reader.damage and not options.keep_going:
            raise DamagedError(reader.damage)


def _open(source: str | Path, options: Options) -> Reader:
    return Reader(
        source, start=options.start, end=options.end, deinterlace=options.deinterlace,
        trust=options.trust,
    )  # fmt: skip


def _nothing(reader: Reader, options: Options) -> UsageError | MediaError:
    """The error for a source of which no frame came."""
    if reader.damage is None and (options.start is not None or options.end is not None):
        return UsageError(
            f"expected frames between --start and --end, found none there in {reader.path}; "
            "'upreel probe' tells how long it is"
        )
    return MediaError(reader.damage or f"no frame of {reader.path} could be decoded")


def _choose_pins(options: Options) -> Pins:
    return choose_pins(options.device, options.precision, threads=options.encoding.threads)
