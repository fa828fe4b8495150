"""`upreel eval`: scores, under a protocol that is named."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from upreel.cli.console import Verbose
from upreel.cli.trusting import MaxPixels, Protocols, trusting


def evaluate(
    models: Annotated[
        list[str],
        typer.Option(
            "--model",
            help="A name from 'upreel models', or a file of weights; repeatable. Two with a plus "
            "between them work one after the other: average+swift:clean.",
        ),
    ],
    data: Annotated[
        Path,
        typer.Option(
            help="A folder of clips that no model was trained on; one with folders train and val, "
            "and then val counts; one that 'upreel data prepare' made; or the word procedural "
            "or dead-leaves: clips that are drawn."
        ),
    ],
    protocol: Annotated[
        str, typer.Option(help="What the scores mean, such as val-bi-y8 or vid4-bi-y.")
    ] = "val-bi-y8",
    scale: Annotated[
        int | None, typer.Option(help="2, 3, 4 or 8; the protocol's own without it.")
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            help="What is measured beside PSNR in place of the protocol's own metrics, such as "
            "ssim,tof,warp-difference,lpips."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print every score of every frame, for spreadsheets.")
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(help="Also write a report with plots and pictures: one file, for a browser."),
    ] = None,
    cached: Annotated[
        bool,
        typer.Option(
            "--cache/--no-cache", help="Take scores from earlier runs where nothing has changed."
        ),
    ] = True,
    max_pixels: MaxPixels = None,
    protocols: Protocols = None,
    verbose: Verbose = False,
) -> None:
    """Score models on clips, beside bicubic, the best linear filter, and what papers state.

    A run that was stopped goes on with the clip that it had come to.

    upreel eval --model swift:clean --model lanczos --data clips

    upreel data prepare vid4 Vid4 && upreel eval --model swift:bd --data Vid4 --protocol vid4-bd-y

    upreel eval --model warp+swift:clean --data Vid4 --protocol stvsr-vid4

    upreel eval --model swift:real --data procedural --metrics ssim,warp-difference,lpips,vmaf
    """
    from rich.console import Console

    from upreel.errors import UsageError
    from upreel.evaluation.evaluate import evaluate as score
    from upreel.evaluation.html import check_target
    from upreel.evaluation.protocols import find_protocol
    from upreel.evaluation.relay import load_relay
    from upreel.evaluation.results import Results
    from upreel.models.weights import to_labels

    if as_json and as_csv:
        raise UsageError("expected one of --json and --csv, found both; keep one")
    if html is not None:
        check_target(html)
    found, trust = find_protocol(protocol, scale), trusting(max_pixels, protocols)
    if metrics is not None:
        found = found.measuring(name.strip() for name in metrics.split(","))
    upscalers = {
        label: load_relay(name, found.scale)
        for label, name in zip(to_labels(models), models, strict=True)
    }
    report = score(upscalers, found, data, results=Results() if cached else None, trust=trust)
    if html is not None:
        from upreel.evaluation.html.exhibits import write_report

        write_report(report, upscalers, found, data, html, trust)
    if as_json:
        typer.echo(report.to_json())
    elif as_csv:
        typer.echo(report.to_csv(), nl=False)
    else:
        Console().print(report.to_table())
