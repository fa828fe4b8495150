"""A loss of the weights themselves."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from upreel.errors import UsageError
from upreel.losses.seen import Seen, demand


@dataclass(frozen=True, slots=True)
class Sparsity:
    """The sum of the absolute values of a parameter, which drives the least useful to zero.

    Attributes:
        parameter: its name in the network, such as `FW` of RISTN.

    Source: Zhu et al. 2019, "Residual invertible spatio-temporal network for video
    super-resolution" (there for the matrix that fuses space and time).
    """

    parameter: str

    def __call__(self, seen: Seen) -> Tensor:
        """The loss of a network; the batch does not matter."""
        parameters = demand(seen.parameters, "sparsity", "the network's parameters")
        if self.parameter not in parameters:
            tops = ", ".join(dict.fromkeys(name.split(".")[0] for name in parameters))
            raise UsageError(
                "the loss 'sparsity' expects the name of a parameter, found "
                f"{self.parameter!r}; the network has {tops}"
            )
        return parameters[self.parameter].abs().sum()
