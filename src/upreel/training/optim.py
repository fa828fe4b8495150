"""Optimisers: Adam, AdamW, and Muon for the weights of hidden layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from upreel.errors import UsageError

OptimizerName = Literal["adam", "adamw", "muon"]

Group = dict[str, object]

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Momentum whose every step is made orthogonal: no direction of a layer outweighs the others.

    A convolution counts as a matrix with one row for each output channel. The length of a step is
    that of Adam's (0.2 for each weight at a rate of 1), so that both share a rate.

    Source: Keller Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"
    (the iteration and its coefficients, Nesterov's momentum); the length after Liu et al. 2025,
    "Muon is scalable for LLM training".
    """

    def __init__(
        self, weights: Iterable[nn.Parameter] | list[Group], rate: float, *, momentum: float = 0.95
    ) -> None:
        """Take the weights, each of two or more axes, or groups of such."""
        super().__init__(weights, {"lr": rate})
        self.momentum = momentum

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move each weight that has a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["average"] = torch.zeros_like(weight.grad)
                average: Tensor = state["average"].lerp_(weight.grad, 1 - self.momentum)
                direction = orthogonalize(weight.grad.lerp(average, self.momentum).flatten(1))
                length = 0.2 * max(direction.shape) ** 0.5
                weight.add_(direction.view(weight.shape), alpha=-group["lr"] * length)


def orthogonalize(matrix: Tensor) -> Tensor:
    """Bring all singular values near 1 (0.7 to 1.2) and keep the singular vectors.

    Args:
        matrix: `(M, N)`; `M` at most `N` for speed.
    """
    a, b, c = _COEFFICIENTS
    x: Tensor = matrix / (matrix.norm() + 1e-12)
    for _ in range(_ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x


def make_optimizers(
    network: nn.Module,
    name: OptimizerName,
    rate: float,
    *,
    decay: float = 0.0,
    betas: tuple[float, float] = (0.9, 0.99),
    factors: Mapping[str, float] | None = None,
) -> list[torch.optim.Optimizer]:
    """Make what moves the parameters of a network, each of them once.

    Muon gets the weights of all convolutions but the last one, which makes the output; Adam gets
    everything else.

    Args:
        network: whose parameters.
        name: `adam`, `adamw`, or `muon`.
        rate: the learning rate.
        decay: of weights; only `adamw` does it.
        betas: of `adam` and `adamw`.
        factors: what the rate is multiplied by for parameters whose name begins so, such as
            `{"flow.": 0.125}`; the first that fits counts. Groups keep theirs as `factor`.

    Raises:
        UsageError: a beginning fits no parameter.
    """
    factors = factors or {}
    named = dict(network.named_parameters())
    for prefix in factors:
        if not any(key.startswith(prefix) for key in named):
            raise UsageError(
                f"expected the beginning of a parameter's name in optimizer.factors, found "
                f"{prefix!r}; the network has {', '.join(sorted({k.split('.')[0] for k in named}))}"
            )
    convolutions = [key for key, value in named.items() if value.ndim >= 4]
    hidden = set(convolutions[:-1]) if name == "muon" else set()
    groups: tuple[list[Group], list[Group]] = ([], [])
    for prefix in (*factors, ""):
        factor = factors.get(prefix, 1.0)
        for taken, chosen in zip(groups, (hidden, set(named) - hidden), strict=True):
            keys = [key for key in named if key in chosen and key.startswith(prefix)]
            if keys:
                taken.append({"params": [named[key] for key in keys], "factor": factor})
        named = {key: value for key, value in named.items() if not key.startswith(prefix)}
    made: list[torch.optim.Optimizer] = [Muon(groups[0], rate)] if groups[0] else []
    if name == "adamw":
        made.append(torch.optim.AdamW(groups[1], lr=rate, betas=betas, weight_decay=decay))
    elif groups[1]:
        made.append(torch.optim.Adam(groups[1], lr=rate, betas=betas))
    return made
