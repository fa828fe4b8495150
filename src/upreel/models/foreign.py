"""Files of weights that other programs wrote: what is in them, and which network it is for.

Most tensors keep their published names here. What differs from file to file is what stands around
them: `module.` before each name where the network was wrapped for several GPUs, and dictionaries
with more than the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from zipfile import BadZipFile, ZipFile, is_zipfile

import torch
from torch import Tensor

from upreel.errors import WeightsError
from upreel.models import upscaler_class

SUFFIXES = (".pth", ".pt", ".pkl")
"""How names of such files end."""

Arguments = dict[str, int | str | bool]

_NETWORKS = (
    "rbpn", "dbpn", "srresnet", "ristn", "dflow", "basicvsrpp", "iconvsr", "basicvsr", "edvr",
    "msitf", "rlsp",
)  # fmt: skip
_RENAMED_IN = {
    "ristn": "ristn", "dflow": "dflow", "basicvsrpp": "basicvsr", "iconvsr": "basicvsr",
    "basicvsr": "basicvsr", "rlsp": "rlsp",
}  # fmt: skip
"""The module whose `rename` gives a network's tensors their names here; others keep theirs."""
_WRAPPERS = (
    "params_ema", "params", "state_dict", "model_state_dict", "model", "net", "generator", "rlsp",
)  # fmt: skip
_WRAPPED = "module."
_INCOMPLETE = (LookupError, ValueError, TypeError, ArithmeticError, RuntimeError, StopIteration)


def read_foreign(path: Path) -> tuple[str, Arguments, dict[str, Tensor]]:
    """Read weights that were published by others. Nothing in the file can run code.

    Returns:
        The name of the network in the zoo, what its constructor has to be called with, and its
        tensors.

    Raises:
        WeightsError: the file is missing or damaged, holds a whole program's objects, or weights
            of a network that is not known.
    """
    tensors = read_tensors(path)
    for name in _NETWORKS:
        arguments_of: Callable[[Mapping[str, Tensor]], Arguments | None]
        arguments_of = getattr(upscaler_class(name), "arguments_of")  # noqa: B009 - not in Upscaler
        try:
            renamed = _rename(name, tensors)
            arguments = arguments_of(renamed)
        except WeightsError:
            raise
        except _INCOMPLETE as error:
            raise WeightsError(
                f"expected all weights of {name} in {path}, found only some, or of other shapes"
            ) from error
        if arguments is not None:
            return name, {"scale": 4, **arguments}, renamed  # most have no other
    raise WeightsError(
        f"expected weights of one of {', '.join(_NETWORKS)} in {path}, found {len(tensors)} "
        f"tensors such as {next(iter(tensors), 'none')!r}"
    )


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file by their names there, without what stands around them.

    Raises:
        WeightsError: the file is missing or damaged, or holds a whole program's objects.
    """
    whole = path.suffix == ".pkl"  # RISTN's authors saved the whole network
    tensors = _read_whole(path) if whole else _unwrap(load_plain(path))
    if tensors is None:
        raise WeightsError(
            f"expected a dictionary of tensors in {path}, or one under a name such as "
            f"{', '.join(_WRAPPERS[:4])}, found neither"
        )
    while tensors and all(key.startswith(_WRAPPED) for key in tensors):
        tensors = {key.removeprefix(_WRAPPED): value for key, value in tensors.items()}
    return tensors


def _rename(network: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under the names that a network has here."""
    if network not in _RENAMED_IN:
        return dict(tensors)
    module = import_module(f"upreel.models.{_RENAMED_IN[network]}")
    renamed: dict[str, Tensor] = module.rename(tensors)
    return renamed


def _read_whole(path: Path) -> dict[str, Tensor]:
    from upreel.models.ristn import read_published

    return read_published(path)


def load_plain(path: Path) -> object:
    """Read what `torch.save` wrote: tensors, numbers and texts, and what holds them.

    Raises:
        WeightsError: the file is missing, damaged or compressed, or holds other objects.
    """
    if not path.is_file():
        raise WeightsError(f"expected a file of weights, found nothing at {path}")
    _refuse_compressed(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # in a damaged file the unpickler may stumble over anything
        raise WeightsError(
            f"expected tensors in {path}, which is damaged or holds other objects, and these are "
            "never made, because they could run code; save network.state_dict() instead"
        ) from error


def _refuse_compressed(path: Path) -> None:
    """Refuse an archive that is larger unpacked: torch itself writes none."""
    try:
        if not is_zipfile(path):
            return
        with ZipFile(path) as file:
            inside = sum(member.file_size for member in file.infolist())
    except (BadZipFile, OSError, ValueError, NotImplementedError):
        return  # torch tells what is wrong with it
    if inside > path.stat().st_size:
        raise WeightsError(
            f"expected tensors as torch stores them in {path}, found compressed ones, "
            f"{inside} bytes in {path.stat().st_size}; save them again with torch.save"
        )


def _unwrap(found: object) -> dict[str, Tensor] | None:
    """The weights themselves, out of a dictionary of all that a program kept."""
    if not isinstance(found, dict) or not found:
        return None
    if all(isinstance(value, Tensor) for value in found.values()):
        return {str(key): value for key, value in found.items()}
    inner = (_unwrap(found[name]) for name in _WRAPPERS if name in found)
    return next((tensors for tensors in inner if tensors is not None), None)
