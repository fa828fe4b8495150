"""Files of weights that other programs wrote: what is in them, and which network it is for.

Tensors keep their published names here, so that no table of names is needed. What differs from file
to file is what stands around them: `module.` before each name where the network was wrapped for
several GPUs, and dictionaries with more than the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from upreel.errors import WeightsError
from upreel.models import upscaler_class

SUFFIXES = (".pth", ".pt")
"""How names of such files end."""

Arguments = dict[str, int | str | bool]

_NETWORKS = ("rbpn", "dbpn", "srresnet")
_WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict", "model", "net", "generator")
_WRAPPED = "module."


def read_foreign(path: Path) -> tuple[str, Arguments, dict[str, Tensor]]:
    """Read weights that were published by others. Nothing in the file can run code.

    Returns:
        The name of the network in the zoo, what its constructor has to be called with, and its
        tensors.

    Raises:
        WeightsError: the file is missing or damaged, holds a whole program's objects, or weights
            of a network that is not known.
    """
    tensors = _unwrap(_load(path))
    if tensors is None:
        raise WeightsError(
            f"expected a dictionary of tensors in {path}, or one under a name such as "
            f"{', '.join(_WRAPPERS[:4])}, found neither"
        )
    while tensors and all(key.startswith(_WRAPPED) for key in tensors):
        tensors = {key.removeprefix(_WRAPPED): value for key, value in tensors.items()}
    for name in _NETWORKS:
        arguments_of: Callable[[Mapping[str, Tensor]], Arguments | None]
        arguments_of = getattr(upscaler_class(name), "arguments_of")  # noqa: B009 - not in Upscaler
        if (arguments := arguments_of(tensors)) is not None:
            return name, arguments, tensors
    raise WeightsError(
        f"expected weights of {', '.join(_NETWORKS[:-1])} or {_NETWORKS[-1]} in {path}, found "
        f"{len(tensors)} tensors such as {next(iter(tensors), 'none')!r}"
    )


def _load(path: Path) -> object:
    if not path.is_file():
        raise WeightsError(f"expected a file of weights, found nothing at {path}")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # in a damaged file the unpickler may stumble over anything
        raise WeightsError(
            f"expected tensors in {path}, which is damaged or holds other objects, and these are "
            "never made, because they could run code; save network.state_dict() instead"
        ) from error


def _unwrap(found: object) -> dict[str, Tensor] | None:
    """The weights themselves, out of a dictionary of all that a program kept."""
    if not isinstance(found, dict) or not found:
        return None
    if all(isinstance(value, Tensor) for value in found.values()):
        return {str(key): value for key, value in found.items()}
    inner = (_unwrap(found[name]) for name in _WRAPPERS if name in found)
    return next((tensors for tensors in inner if tensors is not None), None)
