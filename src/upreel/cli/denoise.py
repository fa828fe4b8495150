"""`upreel denoise`: scans of a microscope without their noise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from upreel.cli.console import Verbose
from upreel.cli.trusting import AllPixels


def denoise(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN",
            help="A movie or a burst of scans (.asd .gwy .h5-jpk .ibw .jpk .npy .npz .png .spm "
            ".stp .tif .top), or a folder of such files.",
        ),
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT", help=".gwy, .npz or .tif.")],
    kind: Annotated[
        Literal["afm"], typer.Option(help="What the scans are: atomic force microscopy.")
    ],
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME[+NAME...]",
            help="denoise:afm or a .safetensors file (the network); burst-mean (rows aligned "
            "over the burst); mean, median (of the registered burst); rows-median, rows-modus, "
            "rows-polynomial-0 to -2, rows-median-of-differences, rows-facet, scars, plane, "
            "background-2, background-3.",
        ),
    ] = "denoise:afm",
    burst: Annotated[
        int,
        typer.Option(
            min=1,
            help="How many frames are looked at for each of them, itself among them; fewer where "
            "the sample changes fast.",
        ),
    ] = 10,
    channel: Annotated[
        str | None,
        typer.Option(help="Its name in IN, such as 'Height Sensor'.", show_default="height"),
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also show both side by side: a video (.mp4, .mkv), or the middle frame (.png).",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace OUT if it is there.")
    ] = False,
    max_pixels: AllPixels = 2**28,
    verbose: Verbose = False,
) -> None:
    """Take the noise off scans: float32 heights, with their scale and metadata as they were.

    upreel denoise movie.asd clean.tif --kind afm --preview both.mp4

    upreel denoise burst/ clean.gwy --kind afm --method rows-median-of-differences+scars+mean

    upreel denoise image.spm level.gwy --kind afm --method rows-median+scars+plane

    More: docs/afm.md
    """
    from upreel.cli.progress import shown
    from upreel.inference.scans import denoise_scan, summary

    with shown(f"{source.name} -> {target.name}") as progress:
        result = denoise_scan(
            source,
            target,
            method=method,
            burst=burst,
            channel=channel,
            max_pixels=max_pixels,
            preview=preview,
            overwrite=overwrite,
            progress=progress,
        )
    typer.echo(f"{result.path}: {summary(result.scan)}, in {result.seconds:.1f} s")
    if preview is not None:
        typer.echo(f"{preview}: before and after")
