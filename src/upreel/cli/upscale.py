"""`upreel upscale`: the main job."""

from __future__ import annotations

import re
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from upreel.cli.console import Verbose
from upreel.cli.trusting import MaxPixels, Protocols, trusting
from upreel.core.instants import FrameRate, Times
from upreel.errors import UsageError

if TYPE_CHECKING:
    from upreel.inference.interpolation import Tally

_MULTIPLE = re.compile(r"([0-9]+)x")
_RATE = re.compile(r"[0-9]+(/[0-9]+|\.[0-9]*)?|\.[0-9]+")
_TIME = re.compile(r"([0-9]+:){0,2}([0-9]+(\.[0-9]*)?|\.[0-9]+)")

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Flow = Literal["dis", "dis-half", "farneback", "variational", "zeros", "spynet"]


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
    scale: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=8,
            help="How many times larger: 2, 3, 4 or 8, as the model can.",
            show_default="4; with --fps or --slowmo alone, frames keep their size",
        ),
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="Size of the result instead, such as 1920x1080.")
    ] = None,
    height: Annotated[
        int | None, typer.Option(help="Height of the result instead; the width follows.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="A name from 'upreel models', or a .safetensors or .pth file.")
    ] = "swift:real",
    codec: Annotated[
        str | None,
        typer.Option(help="Video codec or encoder, such as h264, hevc, libsvtav1, ffv1."),
    ] = None,
    crf: Annotated[
        float | None, typer.Option(help="Quality of the encoder; smaller is better.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Speed of the encoder, such as veryfast or slow.")
    ] = None,
    pix_fmt: Annotated[
        str | None, typer.Option(help="Pixel format of the result, such as yuv420p10le.")
    ] = None,
    start: Annotated[str | None, typer.Option(help="Where to begin: seconds, or H:MM:SS.")] = None,
    end: Annotated[str | None, typer.Option(help="Where to end: seconds, or H:MM:SS.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "auto",
    precision: Annotated[
        Precision, typer.Option(help="What the network computes in; auto measures.")
    ] = "auto",
    flow: Annotated[
        Flow | None,
        typer.Option(
            help="What finds the motion for a network that uses it.",
            show_default="what it was trained with",
        ),
    ] = None,
    flow_weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="For --flow spynet: its .pth file, or that of a BasicVSR."
        ),
    ] = None,
    tile: Annotated[
        int | None,
        typer.Option(help="Cut frames into tiles of this many pixels, to save memory.", min=16),
    ] = None,
    deinterlace: Annotated[
        Literal["auto", "on", "off"], typer.Option(help="auto goes by what the file says.")
    ] = "auto",
    audio: Annotated[bool, typer.Option("--audio/--no-audio", help="Carry sound over.")] = True,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace OUT if it is there.")
    ] = False,
    keep_going: Annotated[
        bool,
        typer.Option(
            "--keep-going",
            help="Give the result its final name even if IN is damaged; else OUT.partial.EXT.",
        ),
    ] = False,
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
    segment: Annotated[int, typer.Option(help="Frames of IN in a segment, at most.", min=2)] = 400,
    status: Annotated[
        Path | None,
        typer.Option(metavar="JSON", help="Also tell other programs in this file how far it is."),
    ] = None,
    max_pixels: MaxPixels = None,
    protocols: Protocols = None,
    fps: Annotated[
        str | None,
        typer.Option(
            metavar="RATE",
            help="Frames in a second of the result: 2x as many, or 60, or 24000/1001.",
        ),
    ] = None,
    slowmo: Annotated[
        str | None,
        typer.Option(
            metavar="TIMES",
            help="Play 2x slower (3x, 4x, ...) with 2x as many frames; sound keeps its pitch.",
        ),
    ] = None,
    interpolator: Annotated[
        str, typer.Option(help="What makes new frames: a model with a scale of 1, or its file.")
    ] = "glide",
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


def parse_size(text: str) -> tuple[int, int]:
    """Read `1920x1080`.

    Raises:
        UsageError: it is something else.
    """
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise UsageError(f"expected a size such as 1920x1080, found {text!r}")
    return int(width), int(height)


def parse_fps(text: str) -> FrameRate:
    """Read a multiple (`2x`) or frames in a second (`60`, `24000/1001`, `23.976`).

    Raises:
        UsageError: it is something else.
    """
    if _MULTIPLE.fullmatch(text):
        return Times(parse_times("--fps", text))
    if not _RATE.fullmatch(text) or not text.rpartition("/")[2].strip("0."):
        raise UsageError(
            "expected a frame rate above 0 such as 60 or 24000/1001, or a multiple such as 2x, "
            f"found {text!r}"
        )
    rate = Fraction(text)
    ntsc = Fraction(round(rate * 1001 / 1000) * 1000, 1001)  # 23.976 stands for 24000/1001
    return ntsc if "." in text and abs(rate - ntsc) < Fraction(1, 200) else rate


def parse_times(option: str, text: str) -> int:
    """Read `2x`.

    Raises:
        UsageError: it is something else.
    """
    match = _MULTIPLE.fullmatch(text)
    if match is None:
        raise UsageError(
            f"expected a whole number of times such as 2x for {option}, found {text!r}"
        )
    return int(match[1])


def describe(tally: Tally) -> str:
    """One line on what the frames of a result are."""
    parts = f"{tally.made} new frames"
    if tally.held:
        parts += f" ({tally.held / tally.made:.1%} of their area repeated: motion out of reach)"
    parts += f", {tally.given} of the source, {tally.repeated.total()} repeated"
    if tally.repeated:
        reasons = ", ".join(f"{count} {reason}" for reason, count in tally.repeated.most_common())
        parts += f" ({reasons})"
    return parts


def parse_time(text: str) -> Fraction:
    """Read seconds (`12.5`) or hours, minutes and seconds (`1:02:03.5`).

    Raises:
        UsageError: it is something else.
    """
    if not _TIME.fullmatch(text):
        raise UsageError(
            f"expected seconds or H:MM:SS from the beginning of the file as a time, found {text!r}"
        )
    seconds = Fraction(0)
    for part in text.split(":"):
        seconds = seconds * 60 + Fraction(part)
    return seconds
