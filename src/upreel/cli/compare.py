"""`upreel compare`: two videos side by side, in a report that can be looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from upreel.cli.console import Verbose
from upreel.cli.trusting import MaxPixels, Protocols, trusting


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="A video, or a folder of images.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another of the same scene.")],
    reference: Annotated[
        Path | None, typer.Option(help="What both should look like; without it A is.")
    ] = None,
    offset: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long after the others B begins.")
    ] = 0.0,
    out: Annotated[Path, typer.Option(help="The report; one that is there is replaced.")] = Path(
        "report.html"
    ),
    max_pixels: MaxPixels = None,
    protocols: Protocols = None,
    verbose: Verbose = False,
) -> None:
    """Compare two videos, aligned by their timestamps, and write an HTML report.

    upreel compare a.mp4 b.mp4

    upreel compare a.mp4 b.mp4 --reference original.mp4 --out report.html

    upreel compare a.mp4 cut.mp4 --offset 12.5
    """
    from upreel.evaluation.compare import compare as write_comparison

    report = write_comparison(
        first, second, out,
        reference=reference, offset=offset, trust=trusting(max_pixels, protocols),
    )  # fmt: skip
    for row in report.rows:
        means = row.means
        typer.echo(f"{row.name}: {means['psnr']:.2f} dB, SSIM {means['ssim']:.4f}")
    typer.echo(f"{out}: open it in a browser")
