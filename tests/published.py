"""Numbers that the authors' own code gave, under weights that follow from their names.

The files in `tests/golden` hold inputs, outputs, tolerances, and for each parameter the rule by
which it is filled.
"""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

GOLDEN = Path(__file__).parent / "golden"


@dataclass(frozen=True)
class Case:
    """One file."""

    arrays: dict[str, Tensor]
    meta: dict[str, object]
    state: dict[str, Tensor]

    @classmethod
    def read(cls, name: str) -> Case:
        with np.load(GOLDEN / f"{name}.npz") as file:
            meta, rules, shapes = (json.loads(str(file[k])) for k in ("meta", "rules", "shapes"))
            arrays = {
                key: torch.from_numpy(file[key])
                for key in file.files
                if key not in ("meta", "rules", "shapes")
            }
        state = {
            key: torch.from_numpy(_fill(key, shape, rules[key], meta["multiplier"]))
            for key, shape in shapes.items()
            if rules[key] != "keep"
        }
        return cls(arrays, meta, state)

    def fill(self, network: nn.Module) -> None:
        """Load the weights; the network has them all and no others."""
        missing, unexpected = network.load_state_dict(self.state, strict=False)
        assert not unexpected
        assert all(key.endswith("num_batches_tracked") for key in missing)

    def compare(self, name: str, found: Tensor) -> None:
        """An output, or the part of it that is kept, within its tolerance."""
        tolerances = cast("dict[str, dict[str, float]]", self.meta["tolerance"])
        slices = cast("dict[str, list[list[int | None]]]", self.meta.get("slices", {}))
        if part := slices.get(f"out_{name}"):
            found = found[tuple(slice(*each) for each in part)]
        expected = self.arrays[f"out_{name}"]
        atol = tolerances[name.partition("__")[0]]["atol"]
        torch.testing.assert_close(found.detach(), expected, rtol=0, atol=atol)


def _fill(key: str, shape: list[int], rule: str, multiplier: float) -> NDArray[np.float32]:
    normal = np.random.RandomState(zlib.crc32(key.encode()) & 0x7FFFFFFF).standard_normal(shape)
    if rule == "fan_in":
        normal = normal * multiplier / math.sqrt(math.prod(shape[1:]))
    else:
        offset, factor = {
            "norm_weight": (1, 0.1), "prelu": (0.25, 0.05), "running_mean": (0, 0.1),
            "running_var": (1, 0.2), "small": (0, 0.05),
        }[rule]  # fmt: skip
        normal = offset + factor * (np.abs(normal) if rule == "running_var" else normal)
    return np.asarray(normal, np.float32)
