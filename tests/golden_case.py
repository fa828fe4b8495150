"""Golden files: what the authors' own code gave, under weights that follow from their names.

A file of `tests/golden` holds inputs (`in_NAME`), outputs (`out_NAME`, or slices of them
`out_NAME__0`), tolerances, and for each tensor of the official network its shape and the rule by
which it is filled.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

GOLDEN = Path(__file__).parent / "golden"


@dataclass(frozen=True)
class Case:
    """One file.

    Attributes:
        inputs: by name.
        outputs: whole or slices, by name with the number of the slice.
        state: the weights, under the official keys; without those that a network makes itself.
        tolerances: largest absolute difference, by name of the output.
        slices: start, stop and step for each axis, by name as in `outputs`.
    """

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    state: dict[str, Tensor]
    tolerances: dict[str, float]
    slices: dict[str, list[list[int | None]]]

    @classmethod
    def read(cls, name: str) -> Case:
        """Read `tests/golden/NAME.npz`."""
        with np.load(GOLDEN / f"{name}.npz") as file:
            meta, rules, shapes = (json.loads(str(file[k])) for k in ("meta", "rules", "shapes"))
            arrays = {
                key: torch.from_numpy(file[key])
                for key in file.files
                if key.startswith(("in_", "out_"))
            }
        return cls(
            {key[3:]: value for key, value in arrays.items() if key.startswith("in_")},
            {key[4:]: value for key, value in arrays.items() if key.startswith("out_")},
            {
                key: torch.from_numpy(_fill(key, shape, rules[key], meta["multiplier"]))
                for key, shape in shapes.items()
                if rules[key] != "keep"
            },
            {key: value["atol"] for key, value in meta["tolerance"].items()},
            {key.removeprefix("out_"): value for key, value in meta.get("slices", {}).items()},
        )

    def fill(
        self,
        network: nn.Module,
        rename: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] = dict,
        *,
        kept: tuple[str, ...] = (),
    ) -> None:
        """Load the weights. The network has them all, and no others but those that end in `kept`.

        `rename` turns the official keys into the network's own.
        """
        missing, unexpected = network.load_state_dict(rename(self.state), strict=False)
        assert not unexpected
        assert [key for key in missing if not key.endswith(kept or ("\n",))] == []

    def compare(self, name: str, found: Tensor) -> None:
        """Within the tolerance of an output, or of all slices that are stored of it."""
        stored = [key for key in self.outputs if key.split("__")[0] == name]
        assert stored
        for key in stored:
            axes = self.slices.get(key)
            part = found if axes is None else found[tuple(slice(*axis) for axis in axes)]
            torch.testing.assert_close(
                part.detach(), self.outputs[key], rtol=0, atol=self.tolerances[name]
            )


def _fill(key: str, shape: list[int], rule: str, multiplier: float) -> NDArray[np.float32]:
    normal = np.random.RandomState(zlib.crc32(key.encode()) & 0x7FFFFFFF).standard_normal(shape)
    if rule == "fan_in":
        return np.asarray(normal * multiplier / math.sqrt(math.prod(shape[1:])), np.float32)
    offset, factor = {
        "norm_weight": (1, 0.1), "prelu": (0.25, 0.05), "running_mean": (0, 0.1),
        "running_var": (1, 0.2), "small": (0, 0.05),
    }[rule]  # fmt: skip
    noise = np.abs(normal) if rule == "running_var" else normal
    return np.asarray(offset + factor * noise, np.float32)
