"""The recipes for scans: read from TOML, and carried out."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from importlib import resources
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from torch import nn

from upreel.core.files import reason
from upreel.errors import ConfigError
from upreel.evaluation.scans import mean_scores, score_methods, simulated_movies, with_network
from upreel.inference.denoising import NETWORK
from upreel.models.weights import Argument, Provenance, save
from upreel.training.denoising import DenoiserRecipe, train_denoiser
from upreel.training.export import find_commit
from upreel.training.pseudo_truth import (
    PseudoTruthRecipe,
    denoise_with_rbpn,
    network_arguments,
    train_on_pseudo_truth,
)

PROTOCOL = "simulated-afm"
"""The middle scans of the first movies of `evaluation.scans`: see `ScanScores`."""
ScanRecipe = DenoiserRecipe | PseudoTruthRecipe
_TRAINED_ON = "simulated AFM movies (upreel.data.scan_simulator); nothing else"


def read_scan_recipe(source: str | Path, changes: Sequence[str] = ()) -> ScanRecipe:
    """Read a recipe and change some of its values.

    Args:
        source: a TOML file, or the name of one that ships, such as `denoise-afm`.
        changes: `steps=100`: a key and a value as in TOML.

    Raises:
        ConfigError: a key is unknown, or a value cannot be used.
    """
    path = Path(source)
    if not path.suffix:
        path = scan_recipes().get(path.name, path)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        tables |= tomllib.loads("\n".join(changes))
    except OSError as error:
        known = ", ".join(scan_recipes())
        raise ConfigError(
            f"expected a .toml file or a recipe out of {known}, found {reason(error)} at {path}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"expected TOML in {path} and KEY=VALUE after it, but: {error}"
        ) from error
    kinds: dict[object, type[ScanRecipe]] = {
        "noise2noise": DenoiserRecipe, "pseudo-truth": PseudoTruthRecipe,
    }  # fmt: skip
    method = tables.get("method")
    if method not in kinds:
        raise ConfigError(f"{path.name}: expected a method out of {', '.join(map(str, kinds))}")
    try:
        return TypeAdapter(kinds[method]).validate_python(tables)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{path.name}: {first['msg']} at {where!r}") from error


def scan_recipes() -> dict[str, Path]:
    """The recipes for scans that ship, by name."""
    folder = Path(str(resources.files("upreel"))) / "recipes" / "scans"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def train_scans(
    recipe: ScanRecipe, out: Path, *, progress: Callable[[str], None] = lambda line: None
) -> Path:
    """Carry a recipe out, or go on with it where it was stopped.

    Args:
        recipe: of the run.
        out: its folder.
        progress: is told lines about what happens.

    Returns:
        The file of weights, `OUT/denoise-afm.safetensors` or `OUT/rbpn-afm.safetensors`, which has
        its scores on simulated movies in it.
    """
    network: nn.Module
    arguments: dict[str, Argument]
    if isinstance(recipe, DenoiserRecipe):
        network = denoiser = train_denoiser(recipe, out, progress=progress)
        kind, arguments, name = NETWORK, {"channels": recipe.channels}, "denoise:afm"
        method = with_network(denoiser)
    else:
        network = rbpn = train_on_pseudo_truth(recipe, out, progress=progress)
        kind, arguments, name = "rbpn", network_arguments(recipe), "rbpn:afm"
        method = partial(denoise_with_rbpn, rbpn)
    means = mean_scores(score_methods({name: method}, simulated_movies(recipe.scored))[name])
    provenance = Provenance(
        network=kind,
        arguments=arguments,
        name=name,
        scale=1,
        trained_on=_TRAINED_ON,
        recipe=recipe.model_dump_json(),
        commit=find_commit(),
        scores={PROTOCOL: {key: round(value, 4) for key, value in asdict(means).items()}},
    )
    path = out / f"{name.replace(':', '-')}.safetensors"
    save(path, network, provenance)
    return path
