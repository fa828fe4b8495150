"""`upreel data`: clips for training and for scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from upreel.cli.console import Verbose

data = typer.Typer(help="Clips for training and for scores.", no_args_is_help=True)


@data.command("degrade")
def degrade(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="A video, or a folder of images.", exists=True)
    ],
    target: Annotated[
        Path, typer.Argument(metavar="OUT", help="A folder for PNG, or a .mkv (lossless FFV1).")
    ],
    chain: Annotated[
        str,
        typer.Option(
            "--with",
            help="BI, BD-DUF, BD-BasicVSR, area, codec24, or steps: "
            "'blur(sigma=1.2)+BI+noise(sigma=2)+codec(crf=24)'.",
        ),
    ] = "BI",
    scale: Annotated[int, typer.Option(min=1, max=8, help="How many times smaller.")] = 4,
    seed: Annotated[int, typer.Option(help="Of the random draws of the steps.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    verbose: Verbose = False,
) -> None:
    """Make the small version of a video, as a network sees it in training or in a test.

    upreel data degrade clip.mp4 small --with BD-DUF
    """
    from upreel.data.degradations import parse_chain
    from upreel.evaluation.degrading import degrade_file

    count = degrade_file(
        source, target, parse_chain(chain), scale=scale, seed=seed, overwrite=overwrite
    )
    typer.echo(f"{count} frames in {target}")
