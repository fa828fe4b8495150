"""`upreel eval`: scores, under a protocol that is named."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from upreel.cli.console import Verbose


def evaluate(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="Names from 'upreel models', or files of weights."),
    ],
    data: Annotated[
        Path,
        typer.Option(
            help="A folder of clips that no model was trained on; or one with folders train and "
            "val, and then val counts."
        ),
    ],
    protocol: Annotated[
        str, typer.Option(help="val-bi-y8, val-bd-duf-y8 or val-codec24-y8.")
    ] = "val-bi-y8",
    scale: Annotated[int, typer.Option(help="2, 3 or 4.")] = 4,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
    verbose: Verbose = False,
) -> None:
    """Score models on clips, beside bicubic and the best linear filter.

    upreel eval swift:clean --data clips

    upreel eval swift:bd --data clips --protocol val-bd-duf-y8
    """
    from rich.console import Console

    from upreel.evaluation.evaluate import evaluate as score
    from upreel.evaluation.protocols import find_protocol
    from upreel.models.weights import load

    upscalers = {name: load(name, scale) for name in models}
    report = score(upscalers, find_protocol(protocol, scale), data)
    if as_json:
        typer.echo(report.to_json())
    else:
        Console().print(report.to_table())
