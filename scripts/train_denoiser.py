"""Train the denoiser of scans on simulated bursts and write its weights.

    python scripts/train_denoiser.py --out DIR [KEY=VALUE ...]

A run that was stopped goes on where it was. KEY=VALUE changes the recipe, see `DenoiserRecipe`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from upreel.inference.denoising import NETWORK
from upreel.models.weights import Provenance, save
from upreel.training.denoising import DenoiserRecipe, train_denoiser
from upreel.training.export import find_commit


def main() -> None:
    """Train and write `OUT/denoise-afm.safetensors`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    changes = dict(change.split("=", 1) for change in arguments.changes)
    values = ", ".join(f'"{key}": {value}' for key, value in changes.items())
    recipe = DenoiserRecipe.model_validate_json("{" + values + "}")
    network = train_denoiser(recipe, arguments.out, progress=lambda line: print(line, flush=True))
    provenance = Provenance(
        network=NETWORK,
        arguments={"channels": recipe.channels},
        name="denoise:afm",
        scale=1,
        trained_on="simulated AFM movies (upreel.data.scan_simulator); nothing else",
        recipe=json.dumps(recipe.model_dump()),
        commit=find_commit(),
    )
    save(arguments.out / "denoise-afm.safetensors", network, provenance)


if __name__ == "__main__":
    main()
