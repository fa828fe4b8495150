"""From a trained network to a file of weights that says where it comes from."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from upreel.core.files import PendingFile
from upreel.data.clips import Clip
from upreel.models.weights import Provenance, save
from upreel.training.recipe import Recipe


def export(
    recipe: Recipe,
    network: nn.Module,
    clips: Sequence[Clip],
    out: Path,
    *,
    scores: Mapping[str, dict[str, float]] | None = None,
    curve: Mapping[int, float] | None = None,
) -> Path:
    """Write the weights of a network with their provenance.

    Args:
        recipe: that made it.
        network: with the weights to write.
        clips: that it was trained on.
        out: the folder; a file of this name in it is replaced.
        scores: by protocol.
        curve: see `Provenance`.

    Raises:
        OutputError: the disk is full.
    """
    provenance = Provenance(
        network=recipe.network.name,
        arguments={"scale": recipe.scale, **recipe.network.arguments},
        name=recipe.name,
        scale=recipe.scale,
        trained_on=credit(clips, recipe.credits),
        recipe=without_places(recipe).model_dump_json(),
        commit=find_commit(),
        scores=dict(scores or {}),
        curve=dict(curve or {}),
    )
    with PendingFile(weights_path(recipe, out), overwrite=True) as pending:
        save(pending.path, network, provenance)
        return pending.commit()


def without_places(recipe: Recipe) -> Recipe:
    """The recipe with names of files and folders alone: where they lie is nobody else's concern."""
    network = recipe.network.model_copy(update={"init": Path(recipe.network.init).name})
    sets = tuple(
        each.model_copy(update={"path": Path(each.path).name}) for each in recipe.data.sets
    )
    data = recipe.data.model_copy(update={"sets": sets})
    losses = tuple(
        each.model_copy(update={"options": {**each.options, "weights": Path(weights).name}})
        if isinstance(weights := each.options.get("weights"), str)
        else each
        for each in recipe.losses
    )
    judge = recipe.discriminator
    if judge is not None:
        judge = judge.model_copy(update={"motion": Path(judge.motion).name})
    return recipe.model_copy(
        update={"network": network, "data": data, "losses": losses, "discriminator": judge}
    )


def weights_path(recipe: Recipe, out: Path) -> Path:
    """Where the weights of a run are written: `OUT/swift-x4-clean.safetensors`."""
    network, _, flavour = recipe.name.partition(":")
    stem = "-".join(filter(None, (network, f"x{recipe.scale}", flavour)))
    return out / f"{stem}.safetensors"


def credit(clips: Sequence[Clip], more: str) -> str:
    """The clips, each with licence and source, and what licences ask for beside that."""
    names = dict.fromkeys(
        f"{clip.path.parent.name if clip.still else clip.name} ({clip.credit})" for clip in clips
    )
    return ". ".join(filter(None, (", ".join(names), more)))


def find_commit() -> str:
    """The commit of the source tree that this package lies in; `unknown` where it is installed."""
    package = Path(__file__).parents[1]
    try:
        done = subprocess.run(
            ["git", "-C", str(package), "log", "-1", "--format=%H", "--", "."],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError:  # no git here
        return "unknown"
    return done.stdout.strip() or "unknown"
