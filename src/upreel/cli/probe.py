"""`upreel probe`: what a file says of itself, or how two files differ."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upreel.cli.console import Verbose
from upreel.cli.trusting import MaxPixels, Protocols, trusting

if TYPE_CHECKING:
    from upreel.video.probe import MediaInfo, StreamInfo, VideoInfo


def probe(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A media file.")],
    other: Annotated[
        Path | None,
        typer.Argument(metavar="OTHER", help="Another, to be compared with it line by line."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
    max_pixels: MaxPixels = None,
    protocols: Protocols = None,
    verbose: Verbose = False,
) -> None:
    """Print what a video file says of itself: picture, timing, colours, every stream, chapters.

    upreel probe in.mkv

    upreel probe in.mkv out.mkv    (what differs is marked)

    upreel probe in.mkv --json
    """
    from upreel.video.probe import describe
    from upreel.video.probe import probe as read

    trust = trusting(max_pixels, protocols)
    infos = [read(path, trust) for path in (source, other) if path is not None]
    if as_json:
        described = [describe(info) for info in infos]
        typer.echo(json.dumps(described if other else described[0], indent=2))
        return
    print_table(infos)


def print_table(infos: list[MediaInfo]) -> None:
    """One row for each property, one column for each file; rows that differ are marked."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    columns = [tabulate(info) for info in infos]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", style="cyan", no_wrap=True)
    for info in infos:
        table.add_column(Text(info.path.name), overflow="fold")
    if len(infos) > 1:
        table.add_column("")
    labels = dict.fromkeys(label for column in columns for label in column)
    for label in labels:
        values = [column.get(label, "-") for column in columns]
        differs = len(set(values)) > 1
        mark = [Text("differs" if differs else "")] if len(infos) > 1 else []
        style = "yellow" if differs else None
        table.add_row(Text(label), *(Text(value) for value in values), *mark, style=style)
    Console().print(table)


def tabulate(info: MediaInfo) -> dict[str, str]:
    """A file's properties by name, in words, in the order in which they are shown."""
    rows = {
        "container": info.container,
        "size": f"{info.size_bytes:,} bytes",
        "duration": seconds(info.duration),
        "start": seconds(info.start),
    }
    if info.video is not None:
        rows |= {f"video {name}": text for name, text in tabulate_video(info.video).items()}
    counts: dict[str, int] = {}
    for stream in info.streams:
        counts[stream.kind] = counts.get(stream.kind, 0) + 1
        rows[f"{stream.kind} stream {counts[stream.kind]}"] = describe_stream(stream)
    for number, chapter in enumerate(info.chapters, 1):
        span = f"{seconds(chapter.start)} to {seconds(chapter.end)}"
        rows[f"chapter {number}"] = f"{span} {chapter.title}".rstrip()
    rows |= {f"metadata {key}": value for key, value in sorted(info.metadata.items())}
    return rows


def tabulate_video(video: VideoInfo) -> dict[str, str]:
    """What the frames are like."""
    rate = "?" if video.frame_rate is None else f"{float(video.frame_rate):.6g} fps"
    colors = video.colors
    rows = {
        "frames": "not told" if video.frames is None else str(video.frames),
        "size": f"{video.width}x{video.height}",
        "pixel format": video.pixel_format,
        "frame rate": f"{rate}, variable" if video.variable_frame_rate else rate,
        "time base": f"{video.time_base} s",
        "colours": " ".join(
            f"{name}={value or '?'}"
            for name, value in (
                ("range", colors.range),
                ("matrix", colors.matrix),
                ("primaries", colors.primaries),
                ("transfer", colors.transfer),
                ("siting", colors.siting),
            )
        ),
        "pixel aspect": str(video.sample_aspect_ratio or "not told"),
        "rotation": f"{video.rotation} degrees" + (", mirrored" if video.mirrored else ""),
        "fields": f"interlaced, {video.field_order} first" if video.interlaced else "progressive",
    }
    rows |= {} if video.hdr is None else {"HDR10": str(video.hdr)}
    return rows | ({"dynamic HDR": ", ".join(video.dynamic_hdr)} if video.dynamic_hdr else {})


def describe_stream(stream: StreamInfo) -> str:
    """One stream in one line."""
    length = None if stream.duration is None else seconds(stream.duration)
    title = None if stream.title is None else repr(stream.title)
    parts = (stream.codec or "unknown codec", stream.language, stream.detail, length, title)
    return ", ".join(part for part in parts if part)


def seconds(value: Fraction | None) -> str:
    """A time for people."""
    return "not told" if value is None else f"{float(value):.3f} s"
