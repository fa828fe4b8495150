"""Weights to start from: those of another run, also of a larger scale."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from upreel.errors import WeightsError
from upreel.models.weights import Argument, folder, is_file, read

log = logging.getLogger(__name__)


def warm_start(
    network: nn.Module, init: str, arguments: Mapping[str, Argument] | None = None
) -> None:
    """Fill a network with weights.

    Args:
        network: whose weights are replaced.
        init: a file, or the name of one that ships: `swift-x4-clean`.
        arguments: that the network was made with, beside its scale. Where the file says that its
            weights had others, the log does too: they may fit, and mean something else.

    Raises:
        WeightsError: there is no such file, or it is for another network.
    """
    path = Path(init) if is_file(init) else folder() / f"{init}.safetensors"
    provenance, tensors = read(path)
    if arguments is not None:
        _compare(path, provenance.arguments, arguments)
    own = network.state_dict()
    fitted = {
        key: value if key not in own or value.shape == own[key].shape else _reduce(key, value)
        for key, value in tensors.items()
    }
    try:
        network.load_state_dict(fitted)
    except RuntimeError as error:
        raise WeightsError(
            f"expected weights that {type(network).__name__} can start from, but those of {path} "
            f"do not fit: {str(error).splitlines()[-1].strip()}"
        ) from error


def _compare(path: Path, were: Mapping[str, Argument], are: Mapping[str, Argument]) -> None:
    names = sorted((were.keys() | are.keys()) - {"scale"})
    if other := [name for name in names if were.get(name) != are.get(name)]:
        log.warning(
            "the weights of %s were made with %s; here it is %s", path,
            ", ".join(f"{name} = {were.get(name, 'its default')}" for name in other),
            ", ".join(f"{name} = {are.get(name, 'its default')}" for name in other),
        )  # fmt: skip


def _reduce(key: str, value: Tensor) -> Tensor:
    """A tensor of `Swift` for a scale of 4, for a scale of 2.

    Blocks of 4x4 output pixels become 2x2: each new pixel stands for the mean of four. The last
    output is seen in a quarter of the channels; their weight
    is doubled.
    """
    if key.startswith("out.") and len(value) == 16:
        return _mean_of_blocks(value)
    if key == "into.weight":
        frame, block, hidden = value[:, :1], value[:, 1:17], value[:, 17:]
        reduced = 2 * _mean_of_blocks(block.transpose(0, 1)).transpose(0, 1)
        return torch.cat((frame, reduced, hidden), 1)
    return value


def _mean_of_blocks(value: Tensor) -> Tensor:
    """`(16, ...)` in pixel shuffle's order to `(4, ...)`."""
    return value.reshape(2, 2, 2, 2, *value.shape[1:]).mean((1, 3)).flatten(0, 1)
