"""What packing clips is worth: seconds for a batch with and without it.

    python scripts/time_batches.py CLIPS --recipe swift-x4-clean --steps 40

Both are timed in turn, by the process's own clock of CPU time, so that other work does not count.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch

from upreel.models import upscaler_class
from upreel.training.batches import find_parts, open_batches
from upreel.training.ranks import Ranks
from upreel.training.recipe import read_recipe


def spent(
    recipe_name: str, changes: list[str], data: Path, cache: Path, steps: int
) -> tuple[float, float]:
    """CPU seconds: before the first batch, and for each batch."""
    recipe = read_recipe(recipe_name, changes)
    network = upscaler_class(recipe.network.name)(
        **{"scale": recipe.scale, **recipe.network.arguments}
    )
    began = time.process_time()
    batches = open_batches(recipe, find_parts(recipe, data), network.spec, cache, Ranks(), print)
    ready = time.process_time()
    for _ in batches(range(steps)):
        pass
    return ready - began, (time.process_time() - ready) / steps


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--recipe", default="swift-x4-clean")
    parser.add_argument("--steps", type=int, default=40)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as cache:
        for name, packed in (("packed", "true"), ("read directly", "false")):
            first, each = spent(
                arguments.recipe,
                [f"data.packed={packed}"],
                arguments.clips,
                Path(cache),
                arguments.steps,
            )
            print(f"{name}: {first:.1f} s before the first batch, {each * 1000:.0f} ms each")


if __name__ == "__main__":
    main()
