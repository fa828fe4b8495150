"""A loop that fits the networks for scans: one loss, one process, resumable."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import torch
from torch import Tensor, nn

from upreel.core.files import PendingFile
from upreel.errors import NumericError
from upreel.models.foreign import load_plain
from upreel.training.schedule import decay_at

CHECKPOINT = "checkpoint.pt"
METRICS = "metrics.jsonl"
_LONGEST = 1.0  # norm of a gradient
Part = nn.Module | torch.optim.Optimizer
Network = TypeVar("Network", bound=nn.Module)


class Beside(Protocol):
    """What else learns in a run, such as a discriminator."""

    def follow(self) -> dict[str, float]:
        """Make a step after that of the network, and say how it went."""
        ...

    def state(self) -> dict[str, object]:
        """All that its next step depends on."""
        ...

    def restore(self, state: dict[str, object]) -> None:
        """Take up what `state` returned."""
        ...


def fit(
    network: Network,
    optimizers: Sequence[torch.optim.Optimizer],
    loss_of: Callable[[int], Tensor],
    rate_of: Callable[[int], float],
    *,
    steps: int,
    out: Path,
    average: float,
    save_every: int,
    validate_every: int,
    validate: Callable[[Network], float],
    progress: Callable[[str], None],
    beside: Beside | None = None,
) -> Network:
    """Minimise a loss, or go on from the checkpoint in a folder.

    Args:
        network: whose weights move.
        optimizers: what moves them.
        loss_of: of a step.
        rate_of: the learning rate of a step.
        steps: of the whole run.
        out: its folder: `checkpoint.pt` and `metrics.jsonl`.
        average: what the moving average of weights keeps of its past.
        save_every: steps between checkpoints.
        validate_every: steps between scores.
        validate: scores the averaged weights, in dB; nothing is chosen by it.
        progress: is told lines about what happens.
        beside: what else learns.

    Returns:
        The network with the average of its weights.

    Raises:
        NumericError: the loss is no longer finite.
    """
    out.mkdir(parents=True, exist_ok=True)
    mean = copy.deepcopy(network).eval().requires_grad_(False)
    parts: dict[str, Part] = {"network": network, "average": mean}
    parts |= {f"optimizer{number}": part for number, part in enumerate(optimizers)}
    begun = _resume(parts, beside, out / CHECKPOINT)
    if begun:
        progress(f"goes on from step {begun}")
    for step in range(begun, steps):
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate_of(step)
        network.zero_grad(set_to_none=True)
        loss = loss_of(step)
        if not torch.isfinite(loss):
            raise NumericError(
                f"expected a finite loss, found {loss.item()} at step {step + 1}; begin anew with "
                "a lower rate (the last checkpoint is as it was)"
            )
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), _LONGEST)
        for optimizer in optimizers:
            optimizer.step()
        _follow(mean, network, decay_at(step, limit=average))
        figures = {"step": step + 1, "loss": loss.item(), "rate": rate_of(step)}
        if beside:
            figures |= beside.follow()
        done = step + 1 == steps
        if done or (step + 1) % save_every == 0:
            _save(parts, beside, step + 1, out / CHECKPOINT)
        if done or (step + 1) % validate_every == 0:
            figures["psnr"] = validate(mean)
            progress(f"step {step + 1}/{steps}, {figures['psnr']:.2f} dB")
        with (out / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(figures) + "\n")
    return mean


@torch.no_grad()
def _follow(mean: nn.Module, network: nn.Module, keep: float) -> None:
    weights = network.state_dict()
    for name, value in mean.state_dict().items():
        value.lerp_(weights[name], 1 - keep)


def _resume(parts: dict[str, Part], beside: Beside | None, path: Path) -> int:
    """Fill everything from a checkpoint, if there is one; how many steps it has behind it."""
    if not path.exists():
        return 0
    state = cast("dict[str, Any]", load_plain(path))
    for name, part in parts.items():
        part.load_state_dict(state[name])
    if beside:
        beside.restore(state["beside"])
    return int(state["step"])


def _save(parts: dict[str, Part], beside: Beside | None, step: int, path: Path) -> None:
    states: dict[str, object] = {name: part.state_dict() for name, part in parts.items()}
    if beside:
        states["beside"] = beside.state()
    with PendingFile(path, overwrite=True) as pending:
        torch.save({"step": step, **states}, pending.path)
        pending.commit()
