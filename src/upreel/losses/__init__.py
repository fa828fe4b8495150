"""What networks are trained on. Recipes choose by name: `make_loss`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from upreel.errors import ConfigError
from upreel.losses.adversarial import Adversarial
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
from upreel.losses.seen import Seen
from upreel.losses.sequences import FlowWeighted, PingPong, WarpConsistency
from upreel.losses.sparsity import Sparsity
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
}
"""Losses that need more: what makes them, with their options as keywords."""


def make_loss(name: str, options: Mapping[str, Option] | None = None) -> Term:
    """Make a loss by its name in a recipe.

    Args:
        name: in `LOSSES` or `TERMS`.
        options: its own keywords, such as `eps`.

    Raises:
        ConfigError: there is no loss of that name, or it has no such option or value of one.
    """
    options = dict(options or {})
    if name in LOSSES:
        loss = LOSSES[name]
        _check_options(name, loss, options)
        return lambda seen: loss(seen.output, seen.truth, seen.weight, **options)
    if name not in TERMS:
        known = ", ".join(sorted((*LOSSES, *TERMS)))
        raise ConfigError(f"expected a loss out of {known}, found {name!r}")
    _check_options(name, TERMS[name], options)
    return TERMS[name](**options)


def _check_options(name: str, loss: Callable[..., object], options: Mapping[str, Option]) -> None:
    parameters = inspect.signature(loss, eval_str=True).parameters
    known = {key: found.annotation for key, found in parameters.items() if key not in _ALWAYS}
    for key, value in options.items():
        if key not in known:
            has = f"the options {', '.join(known)}" if known else "no options"
            raise ConfigError(f"the loss {name!r} has {has}, found {key!r}")
        try:
            TypeAdapter(known[key]).validate_python(value, strict=True)
        except ValidationError as error:
            said = error.errors()[0]["msg"].removeprefix("Input should be ")
            raise ConfigError(
                f"the loss {name!r} expects {said} as {key!r}, found {value!r}"
            ) from error


_ALWAYS = ("output", "truth", "weight")
