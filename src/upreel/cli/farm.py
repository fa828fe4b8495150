"""`upreel farm`: many videos on many workers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upreel.cli.console import Verbose, say
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
    PixelFormat,
    PrecisionWish,
    Preset,
    Scale,
    Segment,
    Size,
    Slowmo,
    Tile,
    parse_fps,
    parse_size,
    parse_time,
    parse_times,
)

if TYPE_CHECKING:
    from upreel.farm.orders import Event


def farm(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="IN...",
            help="Videos, folders of videos, or addresses of them (s3://bucket/folder).",
        ),
    ],
    out: Annotated[str, typer.Option("--out", "-o", metavar="DIR", help="Where the results go.")],
    address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            envvar="RAY_ADDRESS",
            help="A Ray cluster: auto, HOST:6379, or ray://HOST:10001 from outside of it.",
            show_default="start Ray on this machine",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How many segments are made at the same time.",
            show_default="one for each GPU, or as many as the threads of each leave room for",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Cores of a worker. Other numbers can give other bits.",
            show_default="1; beside GPUs, what they leave for each, up to 8",
        ),
    ] = None,
    gpus_per_worker: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="GPUs of a worker; 0.5: two share one.",
            show_default="1 where there are GPUs",
        ),
    ] = None,
    container: Annotated[
        str | None,
        typer.Option(
            metavar="EXT",
            help="Kind of the results, such as .mp4.",
            show_default="that of IN where it can be written, else .mkv",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results that are there; else skip them.")
    ] = False,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where workers keep what they fetch.",
            show_default="~/.cache/upreel",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what happens as JSON, one object in a line.")
    ] = False,
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
    keep_going: KeepGoing = False,
    segment: Segment = 400,
    max_pixels: MaxPixels = None,
    protocols: Protocols = None,
    fps: Fps = None,
    slowmo: Slowmo = None,
    interpolator: Interpolator = "glide",
    verbose: Verbose = False,
) -> None:
    """Enlarge many videos with many workers, on this machine or on a Ray cluster.

    Each video is cut into the segments that 'upreel upscale' would make; workers make them in any
    order, and the results are the same. Stopped at any moment, the same command goes on. Results
    that are there are skipped.

    upreel farm videos/ --out larger/

    upreel farm a.mp4 b.mkv --out larger/ --height 1080 --workers 4 --threads 2

    upreel farm s3://bucket/in/ --out s3://bucket/out/ --address ray://head:10001

    upreel farm /shared/in --out /shared/out --address auto --gpus-per-worker 0.5 --json

    All machines need this version of upreel, and see paths at the same place (a shared file
    system); addresses are fetched once for each machine. Exit status: 0 all are done, 1 some have
    failed, 2 asked for something that cannot be, 130 or 143 stopped.
    """
    from upreel.farm.running import Crew, run
    from upreel.inference.options import Options
    from upreel.video.encoding import Encoding

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
        segment=segment,
        trust=trusting(max_pixels, protocols),
        fps=None if fps is None else parse_fps(fps),
        slowmo=None if slowmo is None else parse_times("--slowmo", slowmo),
        interpolator=interpolator,
    )
    with ExitStack() as stack:
        if as_json:
            tell: Callable[[Event], None] = _print_json
        else:
            from upreel.cli.farm_progress import shown

            tell = stack.enter_context(shown())
        outcome = run(
            sources,
            out,
            options,
            crew=Crew(address, workers, threads, gpus_per_worker),
            container=container,
            cache=cache,
            tell=tell,
        )
    for source, message in outcome.failed:
        say(f"{source}: {message}")
    if not as_json:
        typer.echo(
            f"{len(outcome.done)} done, {len(outcome.skipped)} skipped, "
            f"{len(outcome.failed)} failed: {outcome.frames} frames in {outcome.seconds:.1f} s "
            f"({outcome.frames / max(outcome.seconds, 1e-9):.1f} fps)"
        )
    if outcome.failed:
        raise typer.Exit(1)


def _print_json(event: Event) -> None:
    from dataclasses import asdict

    told = {name: value for name, value in asdict(event).items() if value is not None}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
