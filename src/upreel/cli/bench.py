"""`upreel bench`: how fast, and with how much memory, beside two peers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from upreel.cli.console import Verbose
from upreel.cli.trusting import MaxPixels, Protocols, trusting


def bench(
    source: Annotated[
        Path | None,
        typer.Argument(metavar="[IN]", help="A video to measure with; else the bundled sample."),
    ] = None,
    model: Annotated[
        str, typer.Option(help="A name from 'upreel models', or a .safetensors or .pth file.")
    ] = "swift:real",
    models: Annotated[
        str | None,
        typer.Option(
            help="Names with commas between them, or 'all': compare quality with speed instead."
        ),
    ] = None,
    networks: Annotated[
        str | None,
        typer.Option(help="Networks of the zoo, or 'all': weights, time and memory of each."),
    ] = None,
    limit: Annotated[
        float, typer.Option(min=1, help="With --networks: seconds for each measurement.")
    ] = 120,
    data: Annotated[
        Path | None,
        typer.Option(help="Clips that quality is measured on; else the bundled sample alone."),
    ] = None,
    protocol: Annotated[str, typer.Option(help="How quality is measured.")] = "val-bi-y8",
    scale: Annotated[
        int, typer.Option(min=2, max=4, help="With --models: how many times larger.")
    ] = 4,
    html: Annotated[
        Path | None, typer.Option(help="With --models: a file for the plot, .html.")
    ] = None,
    repetitions: Annotated[int, typer.Option(min=1, help="Runs of each row; medians count.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
    max_pixels: MaxPixels = None,
    protocols: Protocols = None,
    verbose: Verbose = False,
) -> None:
    """Measure each stage from file to file, beside a per-frame network and a plain filter.

    And what it costs to enlarge a video in segments, in decibels.

    upreel bench

    upreel bench my.mp4 --repetitions 1 --json

    upreel bench --models all --data clips --html front.html

    upreel bench --networks basicvsr,edvr
    """
    from importlib.resources import as_file, files

    from rich.console import Console

    from upreel.evaluation import pareto
    from upreel.evaluation.bench import SCALE, default_cases, to_json, to_table
    from upreel.evaluation.bench import bench as measure
    from upreel.evaluation.html import check_target, write
    from upreel.evaluation.quality import place
    from upreel.evaluation.resets import measure_price
    from upreel.models.weights import load

    if networks is not None:
        _compare_networks(networks, limit, as_json=as_json)
        return
    if html is not None:
        check_target(html)
    trust = trusting(max_pixels, protocols)
    with as_file(files("upreel") / "sample" / "sample.mp4") as sample:
        if models is not None:
            points, title = place(
                models,
                source or sample,
                data or sample.parent,
                protocol,
                scale=scale,
                repetitions=repetitions,
                trust=trust,
                progress=lambda line: typer.echo(line, err=True),
            )
            if data is None:
                title += ", quality on the bundled sample alone (name clips with --data)"
            if html is not None:
                write(pareto.to_html(points, title), html)
            if as_json:
                typer.echo(pareto.to_json(points, title))
                return
            Console().print(pareto.to_table(points, title))
            for line in pareto.to_lines(points):
                typer.echo(line)
            return
        measured = measure(
            default_cases(model),
            source or sample,
            repetitions=repetitions,
            trust=trust,
            progress=lambda line: typer.echo(line, err=True),
        )
        if as_json:
            typer.echo(to_json(measured))
            return
        Console().print(to_table(measured))
        typer.echo(f"On the bundled sample, {measure_price(load(model, SCALE), sample)}")


def _compare_networks(names: str, limit: float, *, as_json: bool) -> None:
    """Print what each network costs."""
    import torch
    from rich.console import Console

    from upreel.cli.doctor import processor_name
    from upreel.evaluation.networks import measure_networks, to_json, to_table
    from upreel.inference.precision import choose_device
    from upreel.models import ZOO

    costs = measure_networks(
        [*ZOO] if names == "all" else [name.strip() for name in names.split(",")],
        limit=limit,
        progress=lambda line: typer.echo(line, err=True),
    )
    on_gpu = choose_device().type == "cuda"
    device = torch.cuda.get_device_name() if on_gpu else processor_name()
    if as_json:
        typer.echo(to_json(costs, device))
    else:
        Console().print(to_table(costs, device))
