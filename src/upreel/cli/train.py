"""`upreel train`: from a recipe and clips to a file of weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from upreel.cli.console import Verbose
from upreel.cli.trusting import MaxPixels, Protocols, trusting
from upreel.cli.wishes import Device


def train(
    recipe: Annotated[
        str,
        typer.Argument(
            help="A .toml file, or a recipe that ships, such as swift-x4-clean; or "
            "swift-x4-clean-smoke: a run of minutes that shows that training works."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder of this run.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="A folder of clips, in place of the sets that the recipe names: one that 'upreel "
            "data prepare' has indexed; or with folders train and val of videos and image folders; "
            "or videos and image folders themselves, and then nothing is scored. 'procedural' or "
            "'dead-leaves': clips that need no file, which a recipe may also name beside FOLDER."
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="Where prepared clips lie; runs on the same clips may share it."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint in --out.")
    ] = False,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a value of the recipe; repeatable."
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Of torch. With 1, the same recipe gives the same bits."),
    ] = None,
    device: Device = "auto",
    compiled: Annotated[
        bool,
        typer.Option(
            "--compile",
            help="Let torch compile the network: faster steps on a GPU after minutes of waiting.",
        ),
    ] = False,
    max_pixels: MaxPixels = None,
    protocols: Protocols = None,
    verbose: Verbose = False,
) -> None:
    """Train a network and write its weights, with their scores and the recipe in them.

    Where the recipe wants it, clips are prepared first (luma, degraded versions, optical flow);
    then the steps begin. Stop it at any time with Ctrl-C, and go on with --resume.

    upreel train swift-x4-clean-smoke --data procedural --out runs/smoke

    upreel train swift-x4-clean --data clips --out runs/clean

    upreel train swift-x4-clean --data clips --out runs/clean --resume

    upreel train swift-x4-clean --data clips --out runs/clean --device cuda --compile

    upreel train swift-x4-clean --data clips --out runs/try --set optimizer.rate=1e-3
    --set 'stages=[{steps=500, batch=4, crop=48, frames=6}]'

    upreel train swift-x4-clean --data clips --out runs/leaves
    --set 'data.sets=[{name="leaves", path="dead-leaves", weight=0.2}]'

    Then: upreel upscale in.mp4 out.mp4 --model runs/clean/swift-x4-clean.safetensors
    """
    import torch

    from upreel.training.ranks import is_first
    from upreel.training.recipe import read_recipe
    from upreel.training.trainer import train as fit

    if threads is not None:
        torch.set_num_threads(threads)
    weights = fit(
        read_recipe(recipe, changes or ()),
        data=data,
        out=out,
        cache=cache,
        resume=resume,
        device=device,
        compiled=compiled,
        trust=trusting(max_pixels, protocols),
        progress=lambda line: typer.echo(line, err=True),
    )
    if is_first():
        typer.echo(str(weights))
