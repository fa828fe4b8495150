"""Carry out a recipe for denoising scans: train on simulated bursts and write the weights.

    python scripts/train_denoiser.py denoise-afm --out DIR [KEY=VALUE ...]

The recipe is a TOML file, or one of `src/upreel/recipes/scans`. A run that was stopped goes on
where it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from upreel.training.scan_recipes import read_scan_recipe, train_scans


def main() -> None:
    """Train and write `OUT/denoise-afm.safetensors` or `OUT/rbpn-afm.safetensors`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe")
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_intermixed_args()
    torch.set_num_threads(1)
    recipe = read_scan_recipe(arguments.recipe, arguments.changes)
    print(train_scans(recipe, arguments.out, progress=lambda line: print(line, flush=True)))


if __name__ == "__main__":
    main()
