"""What a user may wish for a result: options that several commands take, and how they are read."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from upreel.core.instants import FrameRate, Times
from upreel.errors import UsageError

if TYPE_CHECKING:
    from upreel.inference.interpolation import Tally

_MULTIPLE = re.compile(r"([0-9]+)x")
_RATE = re.compile(r"[0-9]+(/[0-9]+|\.[0-9]*)?|\.[0-9]+")
_TIME = re.compile(r"([0-9]+:){0,2}([0-9]+(\.[0-9]*)?|\.[0-9]+)")

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Flow = Literal["dis", "dis-half", "dis-double", "farneback", "variational", "zeros", "spynet"]

Scale = Annotated[
    int | None,
    typer.Option(
        min=2,
        max=8,
        help="How many times larger: 2, 3, 4 or 8, as the model can.",
        show_default="4; with --fps or --slowmo alone, frames keep their size",
    ),
]
Size = Annotated[str | None, typer.Option(help="Size of the result instead, such as 1920x1080.")]
Height = Annotated[
    int | None, typer.Option(help="Height of the result instead; the width follows.")
]
Model = Annotated[
    str, typer.Option(help="A name from 'upreel models', or a .safetensors or .pth file.")
]
Codec = Annotated[
    str | None,
    typer.Option(help="Video codec or encoder, such as h264, hevc, libsvtav1, ffv1."),
]
Crf = Annotated[float | None, typer.Option(help="Quality of the encoder; smaller is better.")]
Preset = Annotated[str | None, typer.Option(help="Speed of the encoder, such as veryfast or slow.")]
PixelFormat = Annotated[
    str | None, typer.Option(help="Pixel format of the result, such as yuv420p10le.")
]
Begin = Annotated[str | None, typer.Option(help="Where to begin: seconds, or H:MM:SS.")]
End = Annotated[str | None, typer.Option(help="Where to end: seconds, or H:MM:SS.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")]
PrecisionWish = Annotated[
    Precision, typer.Option(help="What the network computes in; auto measures.")
]
FlowWish = Annotated[
    Flow | None,
    typer.Option(
        help="What finds the motion for a network that uses it.",
        show_default="what it was trained with",
    ),
]
FlowWeights = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="For --flow spynet: its .pth file, or that of a BasicVSR."),
]
Tile = Annotated[
    int | None,
    typer.Option(help="Cut frames into tiles of this many pixels, to save memory.", min=16),
]
Deinterlace = Annotated[
    Literal["auto", "on", "off"], typer.Option(help="auto goes by what the file says.")
]
Audio = Annotated[bool, typer.Option("--audio/--no-audio", help="Carry sound over.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it is there.")]
KeepGoing = Annotated[
    bool,
    typer.Option(
        "--keep-going",
        help="Give the result its final name even if IN is damaged; else OUT.partial.EXT.",
    ),
]
Segment = Annotated[int, typer.Option(help="Frames of IN in a segment, at most.", min=2)]
Fps = Annotated[
    str | None,
    typer.Option(
        metavar="RATE",
        help="Frames in a second of the result: 2x as many, or 60, or 24000/1001.",
    ),
]
Slowmo = Annotated[
    str | None,
    typer.Option(
        metavar="TIMES",
        help="Play 2x slower (3x, 4x, ...) with 2x as many frames; sound keeps its pitch.",
    ),
]
Interpolator = Annotated[
    str, typer.Option(help="What makes new frames: a model with a scale of 1, or its file.")
]


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
    if tally.held >= 0.0005 * tally.made > 0:
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
