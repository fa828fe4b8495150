"""Print the tables of docs/scale.md: `python -m scripts.farm_simulation [--plot OUT.png]`.

The picture needs matplotlib (extra `dev`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from scripts.farm_simulation import tables
from scripts.farm_simulation.costs import MEASURED, read_costs
from scripts.farm_simulation.rates import OWNED, PREEMPTIBLE, SPOT


def main() -> None:
    """Simulate everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--costs", type=Path, default=MEASURED)
    parser.add_argument("--size", default="320x180", help="of frames, one of those measured")
    parser.add_argument("--other", default="480x270", help="for the limits, too")
    parser.add_argument("--hours", type=float, default=10_000)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    costs = read_costs(given.size, given.costs)
    limits = {size: read_costs(size, given.costs) for size in (given.size, given.other)}
    scaled = tables.scale(costs, given.hours)
    lengths = tables.compare_lengths(costs, given.hours)
    films = tables.compare_films(costs)
    for name, rows in (
        (f"{given.hours:,.0f} hours", tables.scaling_rows(scaled)),
        ("Limits, workers", tables.limit_rows(limits)),
        ("Ledgers", tables.ledger_rows(costs)),
        ("Length of segments, worker-hours", tables.length_rows(lengths)),
        ("A film on 100 workers, minutes", tables.film_rows(films)),
    ):
        print(f"\n{name}\n\n{tables.to_markdown(rows)}")
    best = (f"{tables.best_length(costs, rate):,.0f}" for rate in (OWNED, SPOT, PREEMPTIBLE))
    print(f"\nBest by Young's formula, frames (owned, spot, preemptible): {', '.join(best)}")
    if given.plot:
        from scripts.farm_simulation.plot import draw

        draw(given.plot, scaled, lengths, films)


if __name__ == "__main__":
    main()
