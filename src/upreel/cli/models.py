"""`upreel models`: the networks and weights that ship, and those of others to fetch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from upreel.cli.console import Verbose, show_download

if TYPE_CHECKING:
    from upreel.models.upscaler import Spec
    from upreel.models.weights import Weights


app = typer.Typer()


@app.callback(invoke_without_command=True)
def models(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
    verbose: Verbose = False,
) -> None:
    """List the models that ship, with what they cost, what they see and what they reach.

    A name goes to --model: upreel upscale in.mp4 out.mp4 --model swift:clean
    """
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console
    from rich.table import Table

    from upreel.models.weights import manifest

    entries = manifest()
    if as_json:
        typer.echo(json.dumps([to_json(weights) for weights in entries], indent=2))
        return
    table = Table(title="'bicubic' (a filter, x2 x3 x4) and:", title_justify="left", box=None)
    table.add_column("model", no_wrap=True)
    for column in ("scale", "parameters", "file"):
        table.add_column(column, justify="right", no_wrap=True)
    for column in ("sees", "scores", "licence"):
        table.add_column(column)
    for weights in entries:
        header = weights.provenance
        table.add_row(
            header.name,
            f"x{header.scale}",
            f"{weights.parameters:,}",
            f"{weights.bytes / 1000:.0f} kB",
            describe_context(read_spec(weights)),
            describe_scores(header.scores),
            header.licence,
        )
    table.caption = "What each was trained on, and its recipe: upreel models --json"
    Console().print(table)


@app.command()
def get(
    name: Annotated[str, typer.Argument(help="vgg16, vgg19 or alexnet.")],
    verbose: Verbose = False,
) -> None:
    """Fetch weights of others, for perceptual losses and metrics; what breaks off is resumed."""
    from upreel.models.backbones import find_backbone
    from upreel.models.backbones import get as fetch

    backbone = find_backbone(name)
    shown = show_download(name, backbone.address, backbone.licence)
    typer.echo(fetch(name, progress=shown))


def read_spec(weights: Weights) -> Spec | None:
    """The spec of the network that the weights are for; None if it enlarges nothing."""
    from upreel.models import ZOO
    from upreel.models.weights import build

    return build(weights.path).spec if weights.provenance.network in ZOO else None


def describe_context(spec: Spec | None) -> str:
    """Which frames a step sees, in words."""
    if spec is None:
        return "bursts of scans (upreel denoise)"
    frames = " + ".join(
        f"{count} {name}"
        for count, name in ((spec.past, "before"), (spec.future, "after"))
        if count
    )
    memory = "what it remembers" if spec.state else ""
    middle = "1 frame" if spec.step == 1 else f"{spec.step} frames"
    return ", ".join(filter(None, (spec.color, middle, frames, memory)))


def describe_scores(scores: dict[str, dict[str, float]]) -> str:
    """Each protocol with its figures, on lines of their own."""
    return "\n".join(
        f"{protocol}: " + ", ".join(f"{name} {value:g}" for name, value in figures.items())
        for protocol, figures in scores.items()
    )


def to_json(weights: Weights) -> dict[str, object]:
    """One file of weights as plain values."""
    spec = read_spec(weights)
    return {
        **weights.provenance.model_dump(),
        "file": weights.path.name,
        "bytes": weights.bytes,
        "sha256": weights.sha256,
        "parameters": weights.parameters,
        "color": spec and spec.color,
        "past": spec and spec.past,
        "future": spec and spec.future,
        "recurrent": spec and bool(spec.state),
    }
