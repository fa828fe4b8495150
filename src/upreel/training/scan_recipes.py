"""The recipes for scans: read from TOML, and carried out."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from upreel.core.files import reason
from upreel.errors import ConfigError
from upreel.inference.denoising import NETWORK
from upreel.models.weights import Provenance, save
from upreel.training.denoising import DenoiserRecipe, train_denoiser
from upreel.training.export import find_commit
from upreel.training.pseudo_truth import PseudoTruthRecipe, network_arguments, train_on_pseudo_truth

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
    except tomllib.TOMLDecodeError as error:
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
    """Carry a recipe out, or go on with it where it was stopped; returns the file of weights."""
    header = {
        "scale": 1, "trained_on": _TRAINED_ON, "recipe": recipe.model_dump_json(),
        "commit": find_commit(),
    }  # fmt: skip
    if isinstance(recipe, DenoiserRecipe):
        path = out / "denoise-afm.safetensors"
        network = train_denoiser(recipe, out, progress=progress)
        save(
            path,
            network,
            Provenance.model_validate(
                header
                | {
                    "network": NETWORK,
                    "arguments": {"channels": recipe.channels},
                    "name": "denoise:afm",
                }
            ),
        )
        return path
    path = out / "rbpn-afm.safetensors"
    rbpn = train_on_pseudo_truth(recipe, out, progress=progress)
    save(
        path,
        rbpn,
        Provenance.model_validate(
            header | {"network": "rbpn", "arguments": network_arguments(recipe), "name": "rbpn:afm"}
        ),
    )
    return path
