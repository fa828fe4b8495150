"""A device that is not the CPU, for tests without one: torch's `meta`, watched.

Tensors there have shapes and no values, and gradients flow through them. `Elsewhere` refuses what a
GPU would refuse, an operation on tensors of two devices; torch itself does so for some operations.
Whatever comes back to the CPU is made up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

META = torch.device("meta")

_aten = torch.ops.aten
_CROSSING = (_aten._to_copy, _aten.copy_)
"""What a GPU does between devices too."""
_INDEXED = (_aten.index, _aten.index_put, _aten.index_put_, _aten._unsafe_index)
"""What takes indices from a CPU."""


class Elsewhere(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses operations on two devices, and makes up values that come back from `META`."""

    def __torch_dispatch__(  # type: ignore[no-untyped-def]
        self,
        func: torch._ops.OpOverload,
        types: Sequence[type],
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ):
        """Look at an operation before it happens."""
        kwargs = kwargs or {}
        if func is _aten._local_scalar_dense.default and _devices(args) == {"meta"}:
            return 0.5
        if func.overloadpacket in _CROSSING:
            target = kwargs.get("device")
            if target is not None and torch.device(str(target)).type == "cpu":
                made = func(*args, **{**kwargs, "device": META})
                return torch.zeros(made.shape, dtype=made.dtype)
            return func(*args, **kwargs)
        watched = args[:1] if func.overloadpacket in _INDEXED else (args, kwargs)
        found = _devices(watched)
        if len(found) > 1:
            raise RuntimeError(f"{func} got tensors of {', '.join(sorted(found))}")
        return func(*args, **kwargs)


def _devices(values: object) -> set[str]:
    """Of all tensors but single numbers, which a GPU takes from a CPU."""
    tensors = [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
    several = [tensor for tensor in tensors if tensor.ndim] or tensors
    return {tensor.device.type for tensor in several}


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Watch what happens on `META`; there is no automatic precision there."""
    autocast, is_enabled = torch.autocast, torch.is_autocast_enabled

    def cast(device_type: str, *args: object, **kwargs: object) -> AbstractContextManager[object]:
        if device_type == META.type:
            return nullcontext()
        return autocast(device_type, *args, **kwargs)  # type: ignore[arg-type]

    def enabled(device_type: str) -> bool:
        return device_type != META.type and is_enabled(device_type)

    monkeypatch.setattr(torch, "autocast", cast)
    monkeypatch.setattr(torch, "is_autocast_enabled", enabled)
    with Elsewhere():  # type: ignore[no-untyped-call]
        yield
