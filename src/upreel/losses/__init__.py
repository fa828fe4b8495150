"""What networks are trained on. Recipes choose by name: `make_loss`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from upreel.errors import ConfigError
from upreel.losses.adversarial import Adversarial
from upreel.losses.discriminator import Discriminator
from upreel.losses.doubt import Doubt
from upreel.losses.patch_discriminator import PatchDiscriminator
from upreel.losses.perceptual import Perceptual
from upreel.losses.pixels import (
    charbonnier,
    frequency,
    huber,
    l1,
    mse,
    rmse,
    temporal_difference,
    total_variation,
)
from upreel.losses.recurrent_discriminators import (
    ImageAndFlowDiscriminator,
    RecurrentDiscriminator,
)
from upreel.losses.seen import Seen
from upreel.losses.sequences import FlowWeighted, PingPong, WarpConsistency
from upreel.losses.sparsity import Sparsity
from upreel.losses.srgan_discriminator import SrganDiscriminator
from upreel.losses.warp_direction import OwnMotion

Loss = Callable[..., Tensor]
"""Output and truth, `(B, T, C, H, W)`, and what each frame counts, `(T,)`, to a single number.

Options follow as keywords."""

Term = Callable[[Seen], Tensor]
"""A loss with its options set: all of a batch, to a single number."""

Option = int | float | str | bool | list[str] | list[float]
"""A value of a recipe."""

LOSSES: dict[str, Loss] = {
    "l1": l1,
    "mse": mse,
    "charbonnier": charbonnier,
    "huber": huber,
    "rmse": rmse,
    "frequency": frequency,
    "total-variation": total_variation,
    "temporal-difference": temporal_difference,
}
"""Losses of output and truth alone."""

TERMS: dict[str, Callable[..., Term]] = {
    "adversarial": Adversarial,
    "perceptual": Perceptual,
    "flow-weighted": FlowWeighted,
    "warp": WarpConsistency,
    "ping-pong": PingPong,
    "own-motion": OwnMotion,
    "sparsity": Sparsity,
    "doubt": Doubt,
}
"""Losses that need more: what makes them, with their options as keywords."""

DISCRIMINATORS: dict[str, Callable[..., Discriminator]] = {
    "patch": PatchDiscriminator,
    "srgan": SrganDiscriminator,
    "recurrent": RecurrentDiscriminator,
    "image-and-flow": ImageAndFlowDiscriminator,
}
"""What networks are trained against: from channels of a frame, with options as keywords."""


def make_loss(name: str, options: Mapping[str, Option] | None = None) -> Term:
    """Make a loss by its name in a recipe.

    Args:
        name: in `LOSSES` or `TERMS`.
        options: its own keywords, such as `eps`.

    Raises:
        ConfigError: there is no loss of that name, or it has no such option or value of one.
    """
    options = dict(options or {})
    check_loss(name, options)
    if name in TERMS:
        return TERMS[name](**options)
    loss = LOSSES[name]
    return lambda seen: loss(seen.output, seen.truth, seen.weight, **options)


def check_loss(name: str, options: Mapping[str, Option]) -> None:
    """Refuse what cannot be made, without making it: `perceptual` would ask for its weights.

    Raises:
        ConfigError: there is no loss of that name, or it has no such option or value of one.
    """
    if name not in {**LOSSES, **TERMS}:
        known = ", ".join(sorted((*LOSSES, *TERMS)))
        raise ConfigError(f"expected a loss out of {known}, found {name!r}")
    _check_options(f"loss {name!r}", TERMS.get(name) or LOSSES[name], options)


def check_discriminator(name: str, options: Mapping[str, Option]) -> None:
    """Refuse what cannot be made.

    Raises:
        ConfigError: there is no discriminator of that name, or it has no such option or value of
            one.
    """
    if name not in DISCRIMINATORS:
        known = ", ".join(DISCRIMINATORS)
        raise ConfigError(f"expected a discriminator out of {known}, found {name!r}")
    _check_options(f"discriminator {name!r}", DISCRIMINATORS[name], options)


def _check_options(what: str, made: Callable[..., object], options: Mapping[str, Option]) -> None:
    parameters = inspect.signature(made, eval_str=True).parameters
    known = {key: found.annotation for key, found in parameters.items() if key not in _ALWAYS}
    for key, value in options.items():
        if key not in known:
            has = f"the options {', '.join(known)}" if known else "no options"
            raise ConfigError(f"the {what} has {has}, found {key!r}")
        try:
            TypeAdapter(known[key]).validate_python(value, strict=True)
        except ValidationError as error:
            said = error.errors()[0]["msg"].removeprefix("Input should be ")
            raise ConfigError(f"the {what} expects {said} as {key!r}, found {value!r}") from error


_ALWAYS = ("output", "truth", "weight", "planes")
