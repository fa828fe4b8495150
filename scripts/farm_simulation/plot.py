"""The tables as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

from scripts.farm_simulation.tables import FLEETS, SHIPPED, Film, Length, Scaled


def draw(
    target: Path, scaled: Sequence[Scaled], lengths: Sequence[Length], films: Sequence[Film]
) -> None:
    """Three panels: efficiency by workers; cost, and time of a film, by the length of segments."""
    mpl.use("Agg")
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    series = dict.fromkeys((one.design, one.fleet) for one in scaled)
    for (design, fleet), style in zip(series, ("o-", "s", "x", "v", "^"), strict=True):
        chosen = [one for one in scaled if (one.design, one.fleet) == (design, fleet)]
        label = f"{design}, {'no faults' if fleet == 'none' else fleet}"
        left.semilogx(
            [one.workers for one in chosen],
            [100 * one.efficiency for one in chosen],
            style,
            label=label,
            markersize=5,
        )
    left.set(title="An archive of films", xlabel="workers (cores)", ylabel="efficiency, %")
    left.set_ylim(0, 100)
    frames = [one.segment for one in lengths]
    for fleet, color in zip(FLEETS, ("tab:blue", "tab:orange", "tab:red"), strict=True):
        middle.loglog(frames, [one.lost[fleet] for one in lengths], ":", color=color)
        both = [one.overhead + one.lost[fleet] for one in lengths]
        middle.loglog(frames, both, "o-", color=color, label=fleet)
    middle.set(
        title="Overhead and lost work (dotted: lost)",
        xlabel="frames of a segment",
        ylabel="worker-hours",
    )
    right.semilogx(
        frames, [one.steady for one in films], "o-", color="tab:green", label="no faults"
    )
    right.semilogx(
        frames, [one.slow for one in films], "o-", color="tab:red", label="slow segments"
    )
    right.semilogx(
        frames, [one.twice for one in films], "s--", color="tab:blue", label="and a second attempt"
    )
    right.set(title="One film on 100 workers", xlabel="frames of a segment", ylabel="minutes")
    right.set_ylim(0, 3 * max(one.steady for one in films[:5]))
    for axes in (middle, right):
        axes.axvline(SHIPPED, color="gray", linewidth=0.8)
    for axes in (left, middle, right):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.savefig(target, dpi=80)
