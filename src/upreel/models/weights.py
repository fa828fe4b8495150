"""Files of weights: safetensors that say what they are, and the manifest of those that ship."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TypedDict, cast

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_bytes
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from upreel.errors import UsageError, WeightsError
from upreel.models import ZOO, upscaler_class
from upreel.models.averaging import Average, Repeat
from upreel.models.bicubic import Bicubic, Lanczos
from upreel.models.foreign import SUFFIXES, read_foreign
from upreel.models.motion_average import MotionAverage
from upreel.models.upscaler import Upscaler

MANIFEST = "manifest.json"
_HEADER_KEY = "upreel"

FILTERS: dict[str, type[Bicubic] | type[Lanczos]] = {"bicubic": Bicubic, "lanczos": Lanczos}
"""Models that need no weights, for any scale."""
BETWEEN: dict[str, type[Average] | type[Repeat] | type[MotionAverage]] = {
    "average": Average,
    "repeat": Repeat,
    "warp": MotionAverage,
}
"""Those that make no frame larger, but new ones between them."""

_SPARE = 1_000_000
_LARGEST = 4096

Argument = int | float | str | bool
"""A JSON value that a network's constructor takes."""


class Provenance(BaseModel):
    """The header of a file of weights: what it is and where it comes from.

    Attributes:
        network: its name in the zoo.
        arguments: what its constructor is called with.
        name: what a user asks for, such as `swift:real`.
        scale: how many times larger.
        trained_on: the clips, with the credits that their licences ask for.
        recipe: the file that made it.
        commit: the state of the project that made it.
        scores: for each protocol its figures, such as `{"val-bi-y8": {"psnr": 31.2}}`.
        curve: PSNR of the validation clips in dB, by the steps done.
        licence: an SPDX identifier.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: str
    arguments: dict[str, Argument]
    name: str
    scale: int
    trained_on: str
    recipe: str
    commit: str = "unknown"
    scores: dict[str, dict[str, float]] = {}
    curve: dict[int, float] = {}
    licence: str = "Apache-2.0"


@dataclass(frozen=True, slots=True)
class Weights:
    """One file of weights with what it says of itself.

    Attributes:
        path: of the file.
        provenance: its header.
        bytes: its size, as the manifest states it.
        sha256: of the file, as the manifest states it.
        parameters: how many numbers it holds.
    """

    path: Path
    provenance: Provenance
    bytes: int
    sha256: str
    parameters: int


class Listed(TypedDict):
    """What the manifest states of a file."""

    bytes: int
    sha256: str


def save(path: Path, network: nn.Module, provenance: Provenance) -> None:
    """Write the weights of a network, in half precision, with their provenance."""
    tensors = {
        key: (value.half() if value.is_floating_point() else value).contiguous()
        for key, value in network.state_dict().items()
    }
    # safetensors' own `save_file` leaves a file that nobody else may read.
    path.write_bytes(save_bytes(tensors, metadata={_HEADER_KEY: provenance.model_dump_json()}))


def read(path: Path) -> tuple[Provenance, dict[str, Tensor]]:
    """Read a file of weights, ours or one that others wrote. Nothing in it can run code.

    Returns:
        Its provenance and its tensors.

    Raises:
        WeightsError: it is no such file, or its header is not ours.
    """
    if path.suffix in SUFFIXES:
        return _read_foreign(path)
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get(_HEADER_KEY)
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise WeightsError(f"expected a file of weights, found nothing at {path}") from error
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"expected weights in a .safetensors file, but {path} is not one ({error})"
        ) from error
    if header is None:
        raise WeightsError(
            f"{path} has tensors but does not say which network they belong to; "
            "files written by 'upreel train' do"
        )
    try:
        return Provenance.model_validate_json(header), tensors
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise WeightsError(
            f"the header of {path} is wrong at {where!r}: {problem['msg']}"
        ) from error


def _read_foreign(path: Path) -> tuple[Provenance, dict[str, Tensor]]:
    network, arguments, tensors = read_foreign(path)
    scale = arguments["scale"]
    assert isinstance(scale, int)
    provenance = Provenance(
        network=network, arguments={**arguments}, name=f"{network}:{path.stem}", scale=scale,
        trained_on="unknown", recipe="unknown", licence="unknown",
    )  # fmt: skip
    return provenance, tensors


def folder() -> Path:
    """Where the weights lie that ship with the package."""
    return Path(str(resources.files("upreel"))) / "weights"


@cache
def manifest() -> tuple[Weights, ...]:
    """The weights that ship with the package.

    Raises:
        WeightsError: a file of the manifest is missing or has no header of ours.
    """
    listed = cast("dict[str, Listed]", json.loads((folder() / MANIFEST).read_text()))
    return tuple(_entry(folder() / file, stated) for file, stated in listed.items())


def _entry(path: Path, stated: Listed) -> Weights:
    provenance, tensors = read(path)
    parameters = sum(tensor.numel() for tensor in tensors.values())
    return Weights(path, provenance, stated["bytes"], stated["sha256"], parameters)


def write_manifest(directory: Path | None = None) -> Path:
    """List every file of weights in the package's folder with its size and its SHA-256."""
    directory = directory or folder()
    listed: dict[str, Listed] = {
        path.name: {
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(directory.glob("*.safetensors"))
    }
    target = directory / MANIFEST
    target.write_text(json.dumps(listed, indent=2) + "\n")
    return target


def names() -> Mapping[str, tuple[int, ...]]:
    """The models that a user can ask for by name, each with its scales."""
    scales: dict[str, set[int]] = {name: {2, 3, 4} for name in FILTERS}
    scales |= {name: {1} for name in BETWEEN}
    for weights in manifest():
        if weights.provenance.network in ZOO:  # the others enlarge nothing
            scales.setdefault(weights.provenance.name, set()).add(weights.provenance.scale)
    return {name: tuple(sorted(found)) for name, found in scales.items()}


def scales_of(model: str) -> tuple[int, ...]:
    """The scales that a model has: a shipped name, or a file of weights.

    Raises:
        UsageError: no model has this name.
        WeightsError: the file is not one of weights.
    """
    if is_file(model):
        return (read(Path(model))[0].scale,)
    name = _full_name(model)
    if name not in names():
        raise UsageError(
            f"expected a model out of {', '.join(names())} or a .safetensors or .pth file, "
            f"found {model!r}"
        )
    return names()[name]


def load(
    model: str,
    scale: int,
    *,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float32,
) -> Upscaler:
    """Make an upscaler ready to use.

    Args:
        model: a shipped name such as `swift:real`, or a path to a file of weights.
        scale: one of `scales_of(model)`.
        device: where it computes; the CPU without it.
        dtype: what it computes in.

    Raises:
        UsageError: no model has this name and scale.
        WeightsError: the file is damaged or made for another network.
    """
    if scale not in scales_of(model):
        raise UsageError(
            f"expected a scale out of {', '.join(map(str, scales_of(model)))} for {model}, "
            f"found {scale}"
        )
    if model in FILTERS:
        return FILTERS[model](scale)
    if model in BETWEEN:
        return BETWEEN[model]()
    path = file_of(model, scale)
    assert path is not None
    return build(path, device=device, dtype=dtype)


def file_of(model: str, scale: int) -> Path | None:
    """The file of weights of a model; `None` for one that needs none.

    Raises:
        UsageError: no model has this name and scale.
        WeightsError: a file that ships is damaged.
    """
    if model in FILTERS or model in BETWEEN:
        return None
    return Path(model) if is_file(model) else shipped(_full_name(model), scale)


def build(
    path: Path, *, device: torch.device | None = None, dtype: torch.dtype = torch.float32
) -> Upscaler:
    """Make the network that a file of weights is for, and fill it.

    Raises:
        WeightsError: the file is damaged or made for another network.
    """
    provenance, tensors = read(path)
    for key, value in provenance.arguments.items():
        if not isinstance(value, str) and abs(value) > _LARGEST:
            raise WeightsError(
                f"expected numbers up to {_LARGEST} in the header of {path}, found {key}={value}"
            )
    held = sum(tensor.numel() for tensor in tensors.values())
    try:
        with _made_of(2 * held + _SPARE):  # a constructor may make what it then replaces
            network = upscaler_class(provenance.network)(**provenance.arguments)
    except (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError) as error:
        raise WeightsError(
            f"{path} is for a network {provenance.network} that this version cannot make: {error}"
        ) from error
    if not isinstance(network, nn.Module):
        raise WeightsError(f"{path} has weights for {provenance.network}, which takes none")
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise WeightsError(
            f"{path} does not fit the network {provenance.network}: {str(error).splitlines()[-1]}"
        ) from error
    prepare(network, device=device, dtype=dtype)
    return cast(Upscaler, network)


def prepare(network: nn.Module, *, device: torch.device | None, dtype: torch.dtype) -> None:
    """Bring a network where and into what it computes, for use and not for training."""
    network.to(device=device, dtype=dtype)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.eval().requires_grad_(False)


@contextmanager
def _made_of(count: int) -> Iterator[None]:
    """Stop the making of a network that is to have more weights, before it takes the memory.

    Raises:
        ValueError: it is.
    """
    left = count

    def check(module: nn.Module, name: str, weight: nn.Parameter | None) -> None:
        nonlocal left
        left -= 0 if weight is None else weight.numel()
        if left < 0:
            raise ValueError("it has many more weights than the file")

    handle = register_module_parameter_registration_hook(check)
    try:
        yield
    finally:
        handle.remove()


def is_file(model: str) -> bool:
    """Whether it is a file of weights, and not the name of what ships."""
    return model.endswith((".safetensors", *SUFFIXES))


def split_stages(model: str) -> list[str]:
    """The names in `average+swift:clean`, in their order; a file that is there may have a `+`."""
    return [model] if is_file(model) and Path(model).exists() else model.split("+")


def to_labels(models: Sequence[str]) -> list[str]:
    """Short names for tables: a file's without its folder, unless two are called the same."""
    labels = [
        "+".join(Path(name).stem if is_file(name) else name for name in split_stages(model))
        for model in models
    ]
    return labels if len(set(labels)) == len(set(models)) else list(models)


def _full_name(model: str) -> str:
    """`swift` means its weights for real footage: `swift:real`."""
    real = f"{model}:real"
    return real if real in names() else model


def shipped(name: str, scale: int) -> Path:
    """The file of weights that ships under a name, if it is whole.

    Raises:
        UsageError: none does.
        WeightsError: it is damaged.
    """
    for weights in manifest():
        if (weights.provenance.name, weights.provenance.scale) == (name, scale):
            if hashlib.sha256(weights.path.read_bytes()).hexdigest() != weights.sha256:
                raise WeightsError(f"{weights.path} is damaged: reinstall the package")
            return weights.path
    raise UsageError(f"no weights ship for {name} at scale {scale}")
