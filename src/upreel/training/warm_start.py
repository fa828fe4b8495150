"""Weights to start from: those of another run, also of another scale."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from math import isqrt
from pathlib import Path

import torch
import torch.nn.functional as F
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
    try:
        fitted = {
            key: _rescale(key, value, own[key], provenance.scale) if key in own else value
            for key, value in tensors.items()
        }
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


def _rescale(key: str, value: Tensor, own: Tensor, scale: int) -> Tensor:
    """A tensor of `Swift` for one scale, for that of the network whose own tensor is given.

    Blocks of output pixels are images, which are resampled by the area that new pixels share with
    old ones. Where the last output is seen, in so many more or fewer channels, weights grow or
    shrink by the root of that.
    """
    if value.shape == own.shape or value.ndim != own.ndim:
        return value
    if key in ("out.weight", "out.bias"):
        return _resample(value, scale, isqrt(len(own)))
    if key == "into.weight":
        frame, block, hidden = value.tensor_split((1, 1 + scale**2), 1)
        wanted = isqrt(max(own.shape[1] - 1 - hidden.shape[1], 1))
        reduced = _resample(block.transpose(0, 1), scale, wanted).transpose(0, 1)
        return torch.cat((frame, reduced * (scale / wanted), hidden), 1)
    return value


def _resample(value: Tensor, scale: int, wanted: int) -> Tensor:
    """`(scale**2, ...)` in pixel shuffle's order to `(wanted**2, ...)`."""
    blocks = value.float().reshape(scale, scale, -1).permute(2, 0, 1)
    resampled = F.avg_pool2d(
        blocks.repeat_interleave(wanted, 1).repeat_interleave(wanted, 2), scale
    )
    return resampled.permute(1, 2, 0).reshape(wanted**2, *value.shape[1:])
