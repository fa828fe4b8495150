"""Networks that were saved whole: their tensors, without running anything of theirs.

`torch.save(network)` pickles classes by name, so that reading it as usual imports and runs what the
file asks for, if it can be found at all. Here a name stands for nothing: classes of `torch.nn` and
of modules that the caller names become inert stubs, which only hold what was stored in them; a few
constructors of tensors have counterparts of ours; any other name ends the reading.

The format is that of torch before 1.6, as it was written by Python 2 too: a magic number, a
version, facts about the machine, the pickled object, the order of the storages, and then each
storage as a count and its raw numbers.
"""

from __future__ import annotations

import pickle
import pickletools
import struct
from collections import OrderedDict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import count
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from upreel.errors import WeightsError

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_STORAGES = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ByteStorage": np.dtype("u1"),
}
_DAMAGED = (
    pickle.UnpicklingError, EOFError, struct.error, AttributeError, LookupError, TypeError,
    ValueError, RuntimeError, ArithmeticError, ImportError, MemoryError,
)  # fmt: skip


_MOST_MODULES = 100_000
"""Of a network; modules that hold one another many times over never come to an end."""


class _Forbidden(pickle.UnpicklingError):
    """A name that stands for nothing here."""


class _Inert:
    """Stands for an object of a class that is not here. It holds what was stored in it."""

    def __init__(self, *arguments: object) -> None:
        self.stored: dict[str, object] = {}

    def __new__(cls, *arguments: object) -> _Inert:
        made = super().__new__(cls)
        made.stored = {}
        return made

    def __setstate__(self, state: dict[str, object]) -> None:
        self.stored = dict(state)


@dataclass(frozen=True, slots=True)
class _Storage:
    """Numbers that are still to be read."""

    numbers: Tensor
    kind: np.dtype[np.generic]


def read_whole_module(path: Path, known: Collection[str]) -> dict[str, Tensor]:
    """Read the tensors of a network that was saved whole.

    Args:
        path: of the file.
        known: modules of the network's authors, whose classes are stubbed.

    Returns:
        Parameters, buffers, and tensors that are mere attributes (of networks that were on a GPU,
        some parameters are), on the CPU, by their dotted names.

    Raises:
        WeightsError: there is no such file, it is no such network, or it names what is not known.
    """
    try:
        content = path.read_bytes()
        return dict(_tensors_of(_read(BytesIO(content), known, len(content)), visits=count()))
    except OSError as error:
        raise WeightsError(f"expected weights at {path}, found none that can be read") from error
    except _Forbidden as error:
        raise WeightsError(
            f"expected a network of {', '.join(sorted(known))} and torch.nn in {path}, found "
            f"{error}, which could run anything; nothing of it was run, take no weights from there"
        ) from error
    except _DAMAGED as error:
        raise WeightsError(
            f"expected a network saved whole by torch before 1.6 in {path}, found something else "
            "or a damaged file; fetch it again"
        ) from error


def _read(file: BytesIO, known: Collection[str], size: int) -> object:
    for expected in (_MAGIC, _VERSION):
        if _Unpickler(file, (), size).load() != expected:
            raise pickle.UnpicklingError("another format")
    _Unpickler(file, (), size).load()  # about the machine
    unpickler = _Unpickler(file, known, size)
    whole = unpickler.load()
    order = _Unpickler(file, (), size).load()
    if not isinstance(order, list):
        raise pickle.UnpicklingError("no storages")
    for key in order:
        storage = unpickler.storages[key]
        (count,) = struct.unpack("<q", file.read(8))
        content = file.read(count * storage.kind.itemsize)
        storage.numbers.copy_(torch.from_numpy(np.frombuffer(content, storage.kind).copy()))
    return whole


class _Unpickler(pickle.Unpickler):
    """Builds stubs and tensors, and nothing else."""

    def __init__(self, file: BytesIO, known: Collection[str], size: int) -> None:
        """Read from `file`; storages and notes are no larger and no more than `size`."""
        start = file.tell()
        for code, argument, _ in pickletools.genops(file):
            # For the note of this number, the unpickler would make room for all before it.
            if "PUT" in code.name and not 0 <= int(argument or 0) <= size:
                raise pickle.UnpicklingError("more notes than bytes")
        file.seek(start)
        super().__init__(file, encoding="latin-1")
        self._known, self._size = known, size
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> object:
        if (module, name) in _MAKERS:
            return _MAKERS[module, name]
        if module in {"torch", "torch.cuda"} and name in _STORAGES:
            return _STORAGES[name]
        if module in self._known or module.startswith("torch.nn."):
            return type(name.rpartition(".")[2], (_Inert,), {})
        raise _Forbidden(f"{module}.{name}")

    def persistent_load(self, identity: tuple[object, ...]) -> object:
        """A class, beside which its source is stored, or a storage."""
        if identity[0] == "module":
            return identity[1]
        _, kind, key, _, count, part = identity
        if part is not None or not isinstance(kind, np.dtype) or not isinstance(count, int):
            raise pickle.UnpicklingError("a storage of another kind")
        if key not in self.storages:
            if not 0 <= count * kind.itemsize <= self._size:
                raise pickle.UnpicklingError("a storage larger than the file")
            numbers = torch.from_numpy(np.zeros(count, kind))
            self.storages[str(key)] = _Storage(numbers, kind)
        return self.storages[str(key)]


def _make_tensor(
    storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> Tensor:
    return storage.numbers.as_strided(size, stride, offset)


def _make_parameter(data: Tensor, *_: object) -> Tensor:
    return data


_MAKERS: dict[tuple[str, str], object] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("__builtin__", "set"): set,
    ("torch._utils", "_rebuild_tensor"): _make_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _make_tensor,
    ("torch._utils", "_rebuild_parameter"): _make_parameter,
    ("torch.nn.parameter", "Parameter"): _make_parameter,
}


def _tensors_of(
    module: object, prefix: str = "", *, visits: Iterator[int]
) -> Iterator[tuple[str, Tensor]]:
    """Everything that a stubbed module holds, and what the modules in it hold."""
    if next(visits) > _MOST_MODULES:
        raise ValueError("modules without an end")
    if not isinstance(module, _Inert):
        raise TypeError("no module")
    stored = dict(module.stored)
    groups = [stored.pop(name, {}) for name in ("_parameters", "_buffers")]
    inner = stored.pop("_modules", {})
    for group in (*groups, stored):
        if isinstance(group, dict):
            found = {name: value for name, value in group.items() if isinstance(value, Tensor)}
            yield from ((f"{prefix}{name}", value) for name, value in found.items())
    if isinstance(inner, dict):
        for name, part in inner.items():
            if part is not None:
                yield from _tensors_of(part, f"{prefix}{name}.", visits=visits)
