"""Recipes: everything that a run of training depends on beside the clips, read from TOML."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import Field, ValidationError, model_validator

from upreel.core.files import reason
from upreel.data.cache import Packing
from upreel.data.degradations import parse_chain
from upreel.errors import ConfigError
from upreel.evaluation.protocols import Protocol, find_protocol
from upreel.losses import check_discriminator, check_loss
from upreel.training.tables import (
    ClipSet,
    Data,
    Discriminator,
    Loss,
    Network,
    NetworkOptimizer,
    Optimizer,
    Positive,
    Stage,
    Table,
)

_SMOKE = "-smoke"


class Recipe(Table):
    """The whole recipe.

    Attributes:
        name: of what it makes, as users will ask for it: `swift:clean`.
        scale: how many times larger frames get.
        seed: of the random numbers.
        network: what is trained.
        data: what it sees.
        stages: one after the other; all their steps together are the run.
        optimizer: how the weights move.
        losses: whose weighted sum is minimised. A sequence's first frame, which has no past,
            counts half.
        discriminator: what the loss `adversarial` plays against.
        precision: what convolutions run in.
        checkpointing: whether what a step of the network computed is computed again for its
            gradients instead of kept: less memory, a third more time.
        protocol: how it is scored.
        validate_every: steps between scores.
        save_every: steps between checkpoints.
        credits: what licences of clips ask to be said, beside the names and licences themselves.
    """

    name: str
    scale: Literal[1, 2, 3, 4, 8]
    seed: int = 1
    network: Network = Network()
    data: Data
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    optimizer: NetworkOptimizer
    losses: Annotated[tuple[Loss, ...], Field(min_length=1)] = (Loss(name="charbonnier"),)
    discriminator: Discriminator | None = None
    precision: Literal["bf16", "fp16", "fp32"] = "bf16"
    checkpointing: bool = False
    protocol: str
    validate_every: Positive = 1000
    save_every: Positive = 200
    credits: str = ""

    @model_validator(mode="after")
    def _has_two_sides(self) -> Recipe:
        count = sum(loss.name == "adversarial" for loss in self.losses)
        if count != (self.discriminator is not None):
            found = "a table" if self.discriminator else "no table"
            raise ValueError(
                "expected one loss 'adversarial' and a table 'discriminator', or neither, found "
                f"{count} and {found}"
            )
        return self

    @property
    def steps(self) -> int:
        """Of the whole run."""
        return sum(stage.steps for stage in self.stages)

    @property
    def validation(self) -> Protocol:
        """The protocol at the recipe's scale."""
        return find_protocol(self.protocol, self.scale)

    @property
    def packing(self) -> Packing:
        """How the clips are prepared."""
        degradations = {name: parse_chain(text) for name, text in self.data.versions.items()}
        smallest = min(stage.crop for stage in self.stages) + 2
        return Packing(
            degradations, self.scale, self.data.strides, self.data.frames, smallest=smallest
        )


def read_recipe(source: str | Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe and change some of its values.

    Args:
        source: a TOML file, the `recipe.json` of a run, or the name of a recipe that ships, such
            as `swift-x4-clean`; with `-smoke` after it, for a run of minutes that shows that
            training works: the recipe's table `smoke` then takes the place of its other values.
        changes: `optimizer.rate=1e-3`, `stages.0.steps=100`, `network.init=my.safetensors`: a key
            and a value as in TOML; a string needs no quotes.

    Raises:
        ConfigError: a key is unknown, or a value cannot be used.
    """
    name = str(source)
    path = _find(name if Path(name).suffix else name.removesuffix(_SMOKE))
    try:
        text = path.read_text(encoding="utf-8")
        tables = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"expected a recipe at {path}, found {reason(error)}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"expected TOML in {path}, but: {error}") from error
    if not isinstance(tables, dict) or not isinstance(tables.get("smoke", {}), dict):
        raise ConfigError(f"expected tables in {path}, found something else")
    smoke = tables.pop("smoke", {})
    if name.endswith(_SMOKE):
        _merge(tables, smoke)
    for change in changes:
        _change(tables, change)
    try:
        # JSON has no tuples, so lists are fine there, and nothing else is converted.
        recipe = Recipe.model_validate_json(json.dumps(tables, default=str))
    except ValidationError as error:
        raise ConfigError(f"{path.name}: {_explain(error)}") from error
    for loss in recipe.losses:
        check_loss(loss.name, loss.options)
    if recipe.discriminator is not None:
        check_discriminator(recipe.discriminator.name, recipe.discriminator.arguments)
    _ = recipe.validation  # an unknown protocol is refused now, not after the first steps
    return recipe


def recipes() -> dict[str, Path]:
    """The recipes that ship, by name."""
    folder = Path(str(resources.files("upreel"))) / "recipes"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def _find(source: str | Path) -> Path:
    path = Path(source)
    if path.suffix or path.is_file():
        return path
    if path.name not in recipes():
        names = ", ".join(recipes())
        raise ConfigError(f"expected a .toml file or a recipe out of {names}, found {path.name!r}")
    return recipes()[path.name]


def _merge(tables: dict[str, object], others: Mapping[str, object]) -> None:
    """Set values in place; tables are merged, lists are not."""
    for key, value in others.items():
        own = tables.get(key)
        if isinstance(value, dict) and isinstance(own, dict):
            _merge(own, value)
        else:
            tables[key] = value


def _change(tables: dict[str, object], change: str) -> None:
    """Set one value in place."""
    dotted, sign, text = change.partition("=")
    if not sign or not dotted.strip():
        raise ConfigError(f"expected KEY=VALUE such as optimizer.rate=1e-3, found {change!r}")
    *parents, last = dotted.strip().split(".")
    table: object = tables
    for key in parents:
        table = _inside(table, key, dotted)
    value = _parse(text.strip())
    if isinstance(table, list) and last.isdecimal() and int(last) < len(table):
        table[int(last)] = value
    elif isinstance(table, dict):
        table[last] = value
    else:
        raise ConfigError(f"expected a table to set {dotted!r} in, found none")


def _inside(table: object, key: str, dotted: str) -> object:
    if isinstance(table, dict):
        return table.setdefault(key, {})
    if isinstance(table, list) and key.isdecimal() and int(key) < len(table):
        return cast(object, table[int(key)])
    raise ConfigError(f"expected a table or an entry of a list at {key!r} of {dotted!r}")


def _parse(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _explain(error: ValidationError) -> str:
    """The first mistake in one line."""
    first = error.errors()[0]
    *parents, last = [str(part) for part in first["loc"]] or ["recipe"]
    where = ".".join(parents) or "the recipe"
    if first["type"] == "extra_forbidden":
        known = _keys(parents)
        close = get_close_matches(last, known, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(known)}"
        return f"unknown key {last!r} in {where}: {hint}"
    if first["type"] == "missing":
        return f"the key {last!r} is missing in {where}"
    dotted = ".".join([*parents, last])
    if first["type"] == "value_error":  # our own: it has it all
        return f"{dotted}: {first['msg'].removeprefix('Value error, ')}"
    return f"{first['msg']} at {dotted!r}, found {first['input']!r}"


def _keys(location: Sequence[str]) -> list[str]:
    """The keys of the table at a place."""
    tables: dict[str, type[Table]] = {
        "network": Network, "data": Data, "sets": ClipSet, "stages": Stage,
        "optimizer": Optimizer if "discriminator" in location else NetworkOptimizer,
        "losses": Loss, "discriminator": Discriminator,
    }  # fmt: skip
    for part in reversed(location):
        if part in tables:
            return list(tables[part].model_fields)
    return list(Recipe.model_fields)
