"""`upreel data`: clips for training and for scores."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from upreel.cli.console import Verbose, show_download
from upreel.cli.trusting import MaxPixels, Protocols, trusting

data = typer.Typer(help="Clips for training and for scores.", no_args_is_help=True)


@data.command("degrade")
def degrade(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A video, or a folder of images.")],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="A folder for PNG, named like the images of IN, or a .mkv (lossless FFV1).",
        ),
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
    max_pixels: MaxPixels = None,
    protocols: Protocols = None,
    verbose: Verbose = False,
) -> None:
    """Make the small version of a video, as a network sees it in training or in a test.

    upreel data degrade clip.mp4 small --with BD-DUF
    """
    from upreel.cli.progress import shown
    from upreel.data.degradations import parse_chain
    from upreel.evaluation.degrading import degrade_file
    from upreel.inference.pipeline import Progress

    steps, began = parse_chain(chain), time.monotonic()
    with shown(f"{source.name} -> {target.name}") as progress:
        count = degrade_file(
            source,
            target,
            steps,
            scale=scale,
            seed=seed,
            overwrite=overwrite,
            trust=trusting(max_pixels, protocols),
            progress=lambda done, total: progress(Progress(done, total, time.monotonic() - began)),
        )
    typer.echo(f"{count} frames in {target}")


@data.command("prepare")
def prepare(
    dataset: Annotated[
        str,
        typer.Argument(help="vimeo90k, reds, vid4, spmcs, udm10, ucf101, hmdb51, or folder."),
    ],
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="Where it lies.")],
    fetch: Annotated[
        bool, typer.Option("--download", help="Fetch it first, where it has a direct address.")
    ] = False,
    test_only: Annotated[
        bool,
        typer.Option(
            "--test-only",
            help="With --download: fetch the test clips alone (vimeo90k: 15 GB of 82).",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the split of a folder.")] = 0,
    shares: Annotated[
        tuple[int, int, int], typer.Option(help="Train, val and test in a folder, percent.", min=0)
    ] = (70, 15, 15),
    verbose: Verbose = False,
) -> None:
    """Check how a data set lies on the disk, and write an index of its clips.

    upreel data prepare vid4 ~/data/Vid4
    """
    from upreel.data.datasets import prepare as preparation
    from upreel.errors import UsageError

    if test_only and not fetch:
        raise UsageError("expected --download with --test-only, found none; add it, or leave both")
    origin = preparation.origin_of(dataset)
    typer.echo(f"{dataset}: {origin.page}, licence: {origin.licence}")
    if fetch:
        address = preparation.archive_of(dataset, test_only=test_only)
        shown = show_download(dataset, address, f"licence: {origin.licence}")
        preparation.fetch(dataset, root, test_only=test_only, progress=shown)
    index = preparation.prepare(dataset, root, seed=seed, shares=shares)
    counts = {part: sum(clip.split == part for clip in index.clips) for part in _PARTS}
    said = ", ".join(f"{count} {part}" for part, count in counts.items() if count)
    typer.echo(f"{len(index.clips)} clips in {root}: {said}")


_PARTS = ("train", "val", "test")
