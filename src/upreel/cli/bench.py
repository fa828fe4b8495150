"""`upreel bench`: how fast, and with how much memory, beside two peers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from upreel.cli.console import Verbose


def bench(
    source: Annotated[
        Path | None,
        typer.Argument(metavar="[IN]", help="A video to measure with; else the bundled sample."),
    ] = None,
    model: Annotated[
        str, typer.Option(help="A name from 'upreel models', or a .safetensors file.")
    ] = "swift:real",
    repetitions: Annotated[int, typer.Option(min=1, help="Runs of each row; medians count.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
    verbose: Verbose = False,
) -> None:
    """Measure each stage from file to file, beside a per-frame network and a plain filter.

    upreel bench

    upreel bench my.mp4 --repetitions 1 --json
    """
    from importlib.resources import as_file, files

    from rich.console import Console

    from upreel.evaluation.bench import bench as measure
    from upreel.evaluation.bench import default_cases, to_json, to_table

    with as_file(files("upreel") / "sample" / "sample.mp4") as sample:
        measured = measure(
            default_cases(model),
            source or sample,
            repetitions=repetitions,
            progress=lambda line: typer.echo(line, err=True),
        )
    if as_json:
        typer.echo(to_json(measured))
    else:
        Console().print(to_table(measured))
