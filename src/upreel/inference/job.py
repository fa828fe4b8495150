"""What is to be done with a source, and the doing, in threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from upreel.core.background import prefetch
from upreel.errors import MediaError, UsageError
from upreel.inference.cores import cores_for
from upreel.inference.geometry import Geometry, plan_size
from upreel.inference.guard import Guarded
from upreel.inference.interpolation import Tally
from upreel.inference.loop import enlarge
from upreel.inference.options import Options
from upreel.inference.pins import Pins
from upreel.inference.planes import PlaneConverter
from upreel.inference.precision import choose_device, choose_precision
from upreel.inference.retiming import Retiming, makes_frames, plan_retiming
from upreel.inference.stages import Stages
from upreel.models.learned_flow import WithLearnedFlow, read_spynet
from upreel.models.same import Same
from upreel.models.upscaler import Spec, Upscaler, WithFlow
from upreel.models.weights import file_of, load, scales_of
from upreel.video.coding import Coding
from upreel.video.frame import Frame
from upreel.video.output_colors import output_colors
from upreel.video.reader import Reader

FieldOfWeights = Literal["model", "interpolator", "flow_weights"]
"""The options that stand for a file of weights."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done with a source.

    Attributes:
        geometry: how large the result gets.
        upscaler: what enlarges.
        guard: the part of it that takes smaller tiles when memory runs out.
        device: where it computes.
        retiming: what changes in time.
    """

    geometry: Geometry
    upscaler: Upscaler
    guard: Guarded
    device: torch.device
    retiming: Retiming | None

    @property
    def specs(self) -> list[Spec]:
        """Of all upscalers that frames go through."""
        interpolator = self.retiming.interpolator if self.retiming else None
        return [each.spec for each in (interpolator, self.upscaler) if each is not None]

    def source_coding(self, reader: Reader) -> Coding:
        """How the frames of the source are coded."""
        video = reader.video  # what its tags leave open is guessed as the writer guesses it
        return Coding.of(video.layout, output_colors(video, video.layout))


def open_source(source: str | Path, options: Options) -> Reader:
    """The source as the options want it read; use it as a context manager."""
    return Reader(
        source,
        start=options.start,
        end=options.end,
        deinterlace=options.deinterlace,
        trust=options.trust,
    )


def no_frame(reader: Reader, options: Options) -> UsageError | MediaError:
    """The error for a source of which no frame came."""
    if reader.damage is None and (options.start is not None or options.end is not None):
        return UsageError(
            f"expected frames between --start and --end, found none there in {reader.path}; "
            "'upreel probe' tells how long it is"
        )
    return MediaError(reader.damage or f"no frame of {reader.path} could be decoded")


def unlearned(options: Options) -> Upscaler | None:
    """The upscaler that needs no weights, if the options want one: frames keep their size."""
    return Same() if only_in_time(options) else None


def first_frame(reader: Reader, job: Job) -> Frame | None:
    """The first frame of the result, without its planes; `None`: the source has none.

    Raises:
        MediaError: the source cannot be read.
    """
    frames = iter(reader)
    first = job.retiming.first(frames) if job.retiming else next(frames, None)
    return None if first is None else first.with_planes((), first.layout)


def only_in_time(options: Options) -> bool:
    """Whether frames keep their size and only others are added."""
    in_time = options.fps is not None or options.slowmo is not None
    larger = (options.scale, options.size, options.height) != (None, None, None)
    return in_time and not larger and not makes_frames(options.model)


def find_geometry(reader: Reader, options: Options, upscaler: Upscaler | None) -> Geometry:
    """How large the result gets, as it is stored.

    Raises:
        UsageError: the model cannot reach the size that the options ask for.
    """
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
    return replace(geometry, size=geometry.size[::-1]) if turned else geometry


def files_of_weights(
    options: Options, upscaler: Upscaler | None, scale: int
) -> dict[FieldOfWeights, Path]:
    """What the result depends on beside the source and the options, by the option that names it.

    Raises:
        UsageError: a model is not there.
    """
    files: dict[FieldOfWeights, Path | None] = {"flow_weights": options.flow_weights}
    if upscaler is None:
        files["model"] = file_of(options.model, scale)
    if (options.fps or options.slowmo) and 1 in scales_of(options.interpolator):
        files["interpolator"] = file_of(options.interpolator, 1)
    # One that is missing is refused when it is read.
    return {name: file for name, file in files.items() if file is not None and file.is_file()}


def plan_job(
    reader: Reader, geometry: Geometry, options: Options, upscaler: Upscaler | None, pins: Pins
) -> Job:
    """Make everything that the job needs.

    Args:
        reader: the source, opened.
        geometry: see `find_geometry`.
        options: the wishes.
        upscaler: used instead of `options.model`.
        pins: what is chosen already.

    Raises:
        UsageError: the options cannot be met.
        WeightsError: a file of weights is damaged.
    """
    device = choose_device(pins.device)
    dtype = choose_precision(pins.precision, device)

    def make(dtype: torch.dtype) -> Upscaler:
        return load(options.model, geometry.scale, device=device, dtype=dtype)

    in_fp32 = None
    if upscaler is None:
        upscaler = make(dtype)
        if dtype != torch.float32:
            in_fp32 = lambda: make(torch.float32)  # noqa: E731
    tile = pins.tile or options.tile or upscaler.spec.tile
    guard = Guarded(upscaler, tile=tile, in_fp32=in_fp32)
    upscaler = _with_flow(guard, options, device)
    retiming = plan_retiming(
        reader,
        upscaler.spec,
        fps=options.fps,
        slowmo=options.slowmo,
        interpolator=options.interpolator,
        device=device,
        dtype=dtype,
    )
    return Job(geometry, upscaler, guard, device, retiming)


def _with_flow(upscaler: Upscaler, options: Options, device: torch.device) -> Upscaler:
    """The upscaler with the optical flow that the options ask for."""
    if options.flow_weights and options.flow != "spynet":
        raise UsageError("expected --flow spynet beside --flow-weights; add it")
    if not options.flow:
        return upscaler
    if not upscaler.spec.inputs:
        raise UsageError(
            f"expected a network that uses optical flow for --flow, found {options.model}; "
            "leave --flow out"
        )
    if options.flow != "spynet":
        return WithFlow(upscaler, options.flow)
    if options.flow_weights is None:
        raise UsageError(
            "expected a file with the weights of SPyNet, which do not ship: name one of BasicSR "
            "or mmagic, of SPyNet or of BasicVSR, with --flow-weights FILE"
        )
    return WithLearnedFlow(upscaler, read_spynet(options.flow_weights).to(device))


def enlarged(
    reader: Reader,
    source: Iterable[Frame],
    job: Job,
    coding: Coding,
    size: tuple[int, int],
    stages: Stages,
    tally: Tally,
    *,
    origin: Fraction | None = None,
) -> Iterator[tuple[Frame, Frame]]:
    """Pairs of a frame of the source and the frame of the target that comes of it.

    Args:
        reader: of the source.
        source: its frames, scene cuts marked; results of those without a segment are left out.
        job: what is to be done.
        coding: of the result.
        size: of the result, width and height.
        stages: where time is counted.
        tally: where frames are counted.
        origin: seconds of the source where the result begins, if not with the first frame.
    """
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

    def high(pair: tuple[Frame, Tensor]) -> Frame:
        return converter.high(*pair)

    to_frame = stages.timed("to frame", high)
    with ExitStack() as stack:  # closed from the last to the first: a thread before what it reads
        stack.enter_context(cores_for(job.guard.inner))
        frames = stack.enter_context(closing(prefetch(stages.iterate("decode", source), depth=4)))
        if retiming:
            made = retiming.before(frames, job.source_coding(reader), stages, tally, origin)
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
        results: Iterator[tuple[Frame, Frame]] = (
            (frame, to_frame((frame, values))) for frame, values in pairs
        )
        if retiming:
            results = retiming.after(results, tally, origin)
        yield from (pair for pair in results if pair[1].segment is not None)
