"""`upreel upscale`: the main job."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from upreel.cli.console import Verbose
from upreel.cli.trusting import MaxPixels, Protocols, trusting
from upreel.cli.wishes import (
    Audio,
    Begin,
    Codec,
    Crf,
    Deinterlace,
    Device,
    End,
    FlowWeights,
    FlowWish,
    Fps,
    Height,
    Interpolator,
    KeepGoing,
    Model,
    Overwrite,
    PixelFormat,
    PrecisionWish,
    Preset,
    Scale,
    Segment,
    Size,
    Slowmo,
    Tile,
    describe,
    parse_fps,
    parse_size,
    parse_time,
    parse_times,
)
from upreel.errors import UsageError


def upscale(
    source: Annotated[
        str,
        typer.Argument(
            metavar="IN",
            help="A video, a GIF, an image, a folder of images or a pattern (f/%05d.png).",
        ),
    ],
    target: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="A video (.mp4, .mkv, ...), an image, or a folder."),
    ],
    scale: Scale = None,
    size: Size = None,
    height: Height = None,
    model: Model = "swift:real",
    codec: Codec = None,
    crf: Crf = None,
    preset: Preset = None,
    pix_fmt: PixelFormat = None,
    start: Begin = None,
    end: End = None,
    device: Device = "auto",
    precision: PrecisionWish = "auto",
    flow: FlowWish = None,
    flow_weights: FlowWeights = None,
    tile: Tile = None,
    deinterlace: Deinterlace = "auto",
    audio: Audio = True,
    overwrite: Overwrite = False,
    keep_going: KeepGoing = False,
    preview: Annotated[
        Path | None,
        typer.Option(metavar="PNG", help="Also draw a picture of one frame before and after."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--no-resume",
            help="Keep finished segments where the work breaks off, and go on from there; else "
            "one unbroken run.",
        ),
    ] = True,
    segment: Segment = 400,
    status: Annotated[
        Path | None,
        typer.Option(metavar="JSON", help="Also tell other programs in this file how far it is."),
    ] = None,
    max_pixels: MaxPixels = None,
    protocols: Protocols = None,
    fps: Fps = None,
    slowmo: Slowmo = None,
    interpolator: Interpolator = "glide",
    verbose: Verbose = False,
) -> None:
    """Enlarge a video, make it smoother, or both; all else stays as it is.

    upreel upscale in.mp4 out.mp4

    upreel upscale in.mp4 smooth.mp4 --fps 2x

    upreel upscale in.mp4 out.mp4 --scale 2 --fps 60

    upreel upscale in.mp4 slow.mp4 --slowmo 4x

    upreel upscale in.mkv out.mkv --height 1080 --codec hevc --crf 20

    upreel upscale scan.png scan-4x.png

    upreel upscale frames/%05d.png out-frames/ --scale 2 --model swift:clean
    """
    from upreel.cli.progress import shown
    from upreel.inference.pipeline import Options, Progress
    from upreel.inference.pipeline import upscale as run
    from upreel.inference.status import Status
    from upreel.video.encoding import Encoding

    if not source:
        raise UsageError("expected a video or images as IN, found an empty name")
    options = Options(
        scale=scale,
        size=None if size is None else parse_size(size),
        height=height,
        model=model,
        encoding=Encoding(codec=codec, crf=crf, preset=preset, pixel_format=pix_fmt),
        start=None if start is None else parse_time(start),
        end=None if end is None else parse_time(end),
        device=device,
        precision=precision,
        flow=flow,
        flow_weights=flow_weights,
        tile=tile,
        deinterlace=deinterlace,
        audio=audio,
        overwrite=overwrite,
        keep_going=keep_going,
        preview=preview,
        resume=resume,
        segment=segment,
        trust=trusting(max_pixels, protocols),
        fps=None if fps is None else parse_fps(fps),
        slowmo=None if slowmo is None else parse_times("--slowmo", slowmo),
        interpolator=interpolator,
    )
    with ExitStack() as stack:
        progress = stack.enter_context(shown(f"{Path(source).name} -> {target.name}"))
        told = stack.enter_context(Status(status, target)) if status else None

        def report(now: Progress) -> None:
            progress(now)
            if told:
                told.update(now)

        result = run(source, target, options, progress=report)
    width, tall = result.size
    typer.echo(
        f"{result.path}: {result.frames} frames of {width}x{tall} "
        f"in {result.seconds:.1f} s ({result.fps:.1f} fps)"
    )
    if result.tally:
        typer.echo(describe(result.tally))
    if result.preview:
        typer.echo(f"{result.preview}: one frame before and after")
