"""A file in, a larger file out: decoder, network and encoder, each in its own thread."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from upreel.core.background import prefetch
from upreel.core.instants import FrameRate
from upreel.errors import DamagedError, MediaError, UsageError
from upreel.inference.cores import encoder_threads, one_core_spared
from upreel.inference.geometry import Geometry, plan_size
from upreel.inference.guard import Guarded
from upreel.inference.interpolation import Tally
from upreel.inference.loop import enlarge
from upreel.inference.planes import PlaneConverter
from upreel.inference.precision import Precision, choose_device, choose_precision
from upreel.inference.preview import Preview
from upreel.inference.retiming import (
    DEFAULT_INTERPOLATOR,
    Retiming,
    makes_frames,
    plan_retiming,
)
from upreel.inference.stages import Stage, Stages
from upreel.models.same import Same
from upreel.models.upscaler import Upscaler, WithFlow
from upreel.models.weights import load, scales_of
from upreel.ops.flow import FlowProvider
from upreel.video.coding import Coding
from upreel.video.deinterlace import Deinterlace
from upreel.video.encoding import Encoding
from upreel.video.frame import Frame
from upreel.video.geometry import shown_size
from upreel.video.output_colors import output_colors
from upreel.video.reader import Reader
from upreel.video.scenes import mark_cuts
from upreel.video.target import check_place
from upreel.video.writer import check_target, open_writer

log = logging.getLogger(__name__)

DEFAULT_MODEL = "swift:real"


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may wish; the defaults are right for someone who wishes nothing.

    Attributes:
        scale: how many times larger; 4 where neither this nor a size is given.
        size: (width, height) of the result, as players show it.
        height: of the result, as players show it; the width follows.
        model: a shipped name, or a file of weights.
        encoding: how the result is encoded.
        start: seconds from the beginning of the file where the result begins.
        end: seconds from the beginning of the file before which the result ends.
        device: a device of torch, or `auto`.
        precision: what the network computes in.
        flow: what finds the optical flow of a network that uses it; its own choice without it.
        tile: side of the tiles that a frame is cut into, in input pixels; without it, whole frames,
            or tiles for networks that need them.
        deinterlace: `auto` deinterlaces what the file says is interlaced.
        audio: whether sound is carried over.
        overwrite: whether an existing result is replaced.
        keep_going: whether the result of a damaged input gets the final name.
        preview: where to draw a picture of one frame before and after.
        fps: frames in a second, or a multiple of them; frames keep their size where none of
            `scale`, `size` and `height` is given.
        slowmo: how many times slower the result is played, with as many frames more.
        interpolator: what makes new frames: a shipped name, or a file of weights.
    """

    scale: int | None = None
    size: tuple[int, int] | None = None
    height: int | None = None
    model: str = DEFAULT_MODEL
    encoding: Encoding = field(default_factory=Encoding)
    start: Fraction | None = None
    end: Fraction | None = None
    device: str = "auto"
    precision: Precision = "auto"
    flow: FlowProvider | None = None
    tile: int | None = None
    deinterlace: Deinterlace = "auto"
    audio: bool = True
    overwrite: bool = False
    keep_going: bool = False
    preview: Path | None = None
    fps: FrameRate | None = None
    slowmo: int | None = None
    interpolator: str = DEFAULT_INTERPOLATOR


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the work is.

    Attributes:
        frames: written so far.
        total: expected; `None` where the file does not say.
        seconds: since the first frame was asked for.
    """

    frames: int
    total: int | None
    seconds: float

    @property
    def fps(self) -> float:
        """Frames per second so far."""
        return self.frames / self.seconds if self.seconds else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds that are left at this speed."""
        if self.total is None or not self.frames:
            return None
        return max(0, self.total - self.frames) * self.seconds / self.frames


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it.

    Attributes:
        path: the file or folder that was written.
        size: (width, height) of its frames, as players show them.
        frames: how many.
        seconds: from the first frame to the finished file.
        stages: seconds that each stage was busy.
        preview: the picture of before and after, if one was asked for.
        tally: what the frames are, where new ones were asked for.
    """

    path: Path
    size: tuple[int, int]
    frames: int
    seconds: float
    stages: dict[Stage, float]
    preview: Path | None = None
    tally: Tally | None = None


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
    check_target(target, source, overwrite=options.overwrite, encoding=options.encoding)
    if options.preview:
        if options.preview.suffix.lower() != ".png":
            raise UsageError(
                f"expected a name that ends in .png for the preview, found {options.preview}"
            )
        check_place(options.preview, "image", Path(source), overwrite=options.overwrite)
        if options.preview.resolve() == target.resolve():
            raise UsageError(f"{target} is the output already; choose another name for the picture")
    stages, tally = Stages(), Tally()
    with _open(source, options) as reader:
        job = _plan(reader, options, upscaler)
        with open_writer(
            target,
            source=reader,
            size=job.geometry.size,
            encoding=job.share(options.encoding),
            audio=options.audio,
            overwrite=options.overwrite,
            pace=job.retiming.pace(reader) if job.retiming else None,
        ) as writer:
            coding = Coding.of(writer.layout, writer.colors)
            total = job.retiming.total(reader) if job.retiming else reader.frames
            preview = None
            if options.preview:
                preview = Preview(job.source_coding(reader), coding, frames=total)
            began = time.perf_counter()
            count = 0
            write = stages.timed("encode", writer.write)
            results = _enlarged(reader, job, coding, writer.size, stages, tally)
            with closing(prefetch(results, depth=2)) as pairs:
                for before, after in pairs:
                    write(after)
                    count += 1
                    if preview:
                        preview.offer(before, after)
                    progress(Progress(count, total, time.perf_counter() - began))
            if not count:
                raise _nothing(reader, options)
            partial = reader.damage is not None and not options.keep_going
            path = writer.finish(partial=partial)
            if reader.damage and not partial:
                log.warning("%s; the result has the frames that could be decoded", reader.damage)
        picture = None
        if preview and options.preview:
            picture = preview.draw(options.preview, reader.video, overwrite=options.overwrite)
    if partial:
        raise DamagedError(
            f"{reader.damage}; the {count} frames that could be "
            f"{'made' if job.retiming else 'decoded'} are in {path} "
            "(--keep-going gives them the final name)"
        )
    seconds = time.perf_counter() - began
    size = shown_size(writer.size, reader.video.rotation)
    done = tally if job.retiming else None
    return Result(path, size, count, seconds, stages.seconds, picture, done)


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
        job = _plan(reader, options, upscaler)
        coding, size = job.source_coding(reader), job.geometry.size
        results = _enlarged(reader, job, coding, size, Stages(), Tally())
        slower = job.retiming.slower if job.retiming else 1
        with closing(prefetch(results, depth=2)) as pairs:
            for _, frame in pairs:
                yield replace(frame, time_base=frame.time_base * slower)
        if reader.damage and not options.keep_going:
            raise DamagedError(reader.damage)


@dataclass(frozen=True, slots=True)
class _Job:
    """What is to be done with a source."""

    geometry: Geometry
    upscaler: Upscaler
    device: torch.device
    retiming: Retiming | None

    def share(self, encoding: Encoding) -> Encoding:
        """The encoding with as many threads as the network leaves it, unless it says how many."""
        if encoding.threads or self.device.type != "cpu":
            return encoding
        return replace(encoding, threads=encoder_threads())

    def source_coding(self, reader: Reader) -> Coding:
        video = reader.video  # what its tags leave open is guessed as the writer guesses it
        return Coding.of(video.layout, output_colors(video, video.layout))


def _open(source: str | Path, options: Options) -> Reader:
    return Reader(source, start=options.start, end=options.end, deinterlace=options.deinterlace)


def _nothing(reader: Reader, options: Options) -> UsageError | MediaError:
    """The error for a source of which no frame came."""
    if reader.damage is None and (options.start is not None or options.end is not None):
        return UsageError(
            f"expected frames between --start and --end, found none there in {reader.path}; "
            "'upreel probe' tells how long it is"
        )
    return MediaError(reader.damage or f"no frame of {reader.path} could be decoded")


def _plan(reader: Reader, options: Options, upscaler: Upscaler | None) -> _Job:
    in_time = options.fps is not None or options.slowmo is not None
    larger = (options.scale, options.size, options.height) != (None, None, None)
    if upscaler is None and in_time and not larger and not makes_frames(options.model):
        upscaler = Same()
    scales = (upscaler.spec.scale,) if upscaler else scales_of(options.model)
    turned = reader.video.rotation % 180 == 90
    stored = (reader.video.width, reader.video.height)
    geometry = plan_size(
        stored[::-1] if turned else stored,
        scales,
        scale=options.scale,
        size=options.size,
        height=options.height,
    )
    if turned:
        geometry = replace(geometry, size=geometry.size[::-1])
    device = choose_device(options.device)
    dtype = choose_precision(options.precision, device)

    def make(dtype: torch.dtype) -> Upscaler:
        return load(options.model, geometry.scale, device=device, dtype=dtype)

    in_fp32 = None
    if upscaler is None:
        upscaler = make(dtype)
        if dtype != torch.float32:
            in_fp32 = lambda: make(torch.float32)  # noqa: E731
    upscaler = Guarded(upscaler, tile=options.tile or upscaler.spec.tile, in_fp32=in_fp32)
    if options.flow:
        if not upscaler.spec.inputs:
            raise UsageError(
                f"expected a network that uses optical flow for --flow, found {options.model}; "
                "leave --flow out"
            )
        upscaler = WithFlow(upscaler, options.flow)
    retiming = plan_retiming(
        reader,
        upscaler.spec,
        fps=options.fps,
        slowmo=options.slowmo,
        interpolator=options.interpolator,
        device=device,
        dtype=dtype,
    )
    return _Job(geometry, upscaler, device, retiming)


def _enlarged(
    reader: Reader,
    job: _Job,
    coding: Coding,
    size: tuple[int, int],
    stages: Stages,
    tally: Tally,
) -> Iterator[tuple[Frame, Frame]]:
    """Pairs of a frame of the source and the frame of the target that comes of it."""
    converter = PlaneConverter(
        job.source_coding(reader),
        coding,
        color=job.upscaler.spec.color,
        source_size=(reader.video.width, reader.video.height),
        size=job.geometry.size,
        target_size=size,
    )
    retiming = job.retiming
    low = stages.timed("to tensor", converter.low)
    with ExitStack() as stack:  # closed from the last to the first: a thread before what it reads
        stack.enter_context(one_core_spared())
        frames = stack.enter_context(
            closing(prefetch(stages.iterate("decode", mark_cuts(reader)), depth=4))
        )
        if retiming:
            made = retiming.before(frames, job.source_coding(reader), stages, tally)
            frames = stack.enter_context(closing(made))
        pairs = stack.enter_context(
            closing(
                enlarge(
                    job.upscaler,
                    ((frame, low(frame)) for frame in frames),
                    begins_scene=lambda frame: frame.cut,
                    device=job.device,
                    ahead=2,
                    stages=stages,
                )
            )
        )
        results = _as_frames(pairs, converter, stages)
        yield from retiming.after(results, tally) if retiming else results


def _as_frames(
    pairs: Iterable[tuple[Frame, Tensor]], converter: PlaneConverter, stages: Stages
) -> Iterator[tuple[Frame, Frame]]:
    for frame, enlarged in pairs:
        began = time.perf_counter()
        pair = frame, converter.high(frame, enlarged)
        stages.add("to frame", time.perf_counter() - began)
        yield pair
