"""The other network of adversarial training: what the discriminator says, and how it learns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from upreel.errors import UsageError
from upreel.inference.loop import CPU
from upreel.losses import DISCRIMINATORS
from upreel.losses.adversarial import Adversarial
from upreel.losses.discriminator import Scores, Shown
from upreel.ops.flow import FlowProvider, find_flow
from upreel.ops.lucas_kanade import refine_flow
from upreel.training.ranks import Ranks
from upreel.training.tables import Discriminator

FindMotion = Callable[[Tensor, Tensor], Tensor]
"""Flow from frames to neighbours, both `(N, C, H, W)`, as `(N, 2, H, W)`; a gradient flows to the
frames."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """What there is to see of one part of a batch.

    Attributes:
        fake: what was made.
        real: the truth.
    """

    fake: Shown
    real: Shown


class Opponent:
    """A discriminator with its optimisers; it computes in float32.

    Attributes:
        network: the discriminator.
    """

    def __init__(
        self,
        recipe: Discriminator,
        loss: Adversarial,
        planes: int,
        *,
        seed: int,
        find_motion: FindMotion | None = None,
        device: torch.device = CPU,
    ) -> None:
        """Make it, before its first step.

        Args:
            recipe: its table.
            loss: whose other side it is trained on.
            planes: channels of the clips.
            seed: of its weights.
            find_motion: how it finds the motion of what was made and of the truth, such as a
                network; what the table names, refined in one step, if not given.
            device: where it computes.
        """
        self._loss, self._clip = loss, recipe.optimizer.clip
        self._flow: FlowProvider = recipe.flow
        self._find_motion = find_motion or self._solve
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            made = DISCRIMINATORS[recipe.name](planes, **recipe.arguments)
        self._needs, self.network = made.needs, cast(nn.Module, made).to(device)
        self.network.requires_grad_(False)
        self._optimizers = recipe.optimizer.make(self.network)
        self._random = torch.Generator().manual_seed(seed)

    def look(self, output: Tensor, truth: Tensor, first: int) -> Exhibit:
        """Put together what the discriminator has to be shown.

        Args:
            output: frames that were made, `(B, K, C, H, W)`.
            truth: all frames of the sequences, `(B, T, C, H, W)`.
            first: the place in the sequence of the first frame that was made.

        Raises:
            UsageError: the discriminator looks at neighbours, and no frame has two.
        """
        last = first + output.shape[1]
        if "neighbours" not in self._needs:
            return Exhibit(Shown(output), Shown(truth[:, first:last]))
        begin, end = max(first, 1), min(last, truth.shape[1] - 1)
        if begin >= end:
            raise UsageError(
                "expected sequences with a frame before and after one that is made, for the "
                f"discriminator, found {truth.shape[1]} frames; make stages.frames larger"
            )
        made, true = output[:, begin - first : end - first], truth[:, begin:end]
        sides = (truth[:, begin - 1 : end - 1], truth[:, begin + 1 : end + 1])
        neighbours = torch.stack(sides, 2)
        # From the truth for what was made, too: as in the authors' scripts.
        flow = _to_each(true, neighbours, self._find_flow)
        if "motion" not in self._needs:
            return Exhibit(Shown(made, neighbours, flow), Shown(true, neighbours, flow))
        return Exhibit(
            *(
                Shown(frames, neighbours, flow, _to_each(frames, neighbours, self._find_motion))
                for frames in (made, true)
            )
        )

    def _find_flow(self, frames: Tensor, neighbours: Tensor) -> Tensor:
        return find_flow(frames.detach(), neighbours, provider=self._flow)

    def _solve(self, frames: Tensor, neighbours: Tensor) -> Tensor:
        return refine_flow(frames, neighbours, self._find_flow(frames, neighbours))

    def judge(self, exhibit: Exhibit) -> tuple[Scores, Scores | None]:
        """Scores of what was made, and of the truth where the loss compares with them.

        Gradients go to the maker alone.
        """
        fake: Scores = self.network(exhibit.fake)
        if not self._loss.compares:
            return fake, None
        with torch.no_grad():
            real: Scores = self.network(exhibit.real)
        return fake, real

    def learn(self, exhibits: Sequence[Exhibit], rate: float, ranks: Ranks) -> float:
        """Make one step.

        Args:
            exhibits: of each part of a batch.
            rate: the learning rate.
            ranks: who else takes part.

        Returns:
            The loss.
        """
        self.network.requires_grad_(True)
        self.network.zero_grad(set_to_none=True)
        lost = 0.0
        for exhibit in exhibits:
            real, fake = self.network(exhibit.real), self.network(exhibit.fake.detached())
            loss = self._loss.discriminator(real, fake, self._random) / len(exhibits)
            loss.backward()  # type: ignore[no-untyped-call]
            lost += loss.item()
        lost = ranks.average(self.network, lost)
        nn.utils.clip_grad_norm_(self.network.parameters(), self._clip)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group["factor"]
            optimizer.step()
        self.network.requires_grad_(False)
        return lost

    def state(self) -> dict[str, object]:
        """All that the next step depends on."""
        return {
            "network": self.network.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "random": self._random.get_state(),
        }

    def restore(self, state: dict[str, object]) -> None:
        """Take up what `state` returned."""
        networks, optimizers = state["network"], state["optimizers"]
        assert isinstance(networks, dict)
        assert isinstance(optimizers, list)
        self.network.load_state_dict(networks)
        for optimizer, kept in zip(self._optimizers, optimizers, strict=True):
            optimizer.load_state_dict(kept)
        self._random.set_state(cast(Tensor, state["random"]))


def _to_each(frames: Tensor, neighbours: Tensor, find: FindMotion) -> Tensor:
    """Flow from frames `(B, K, C, H, W)` to each of their neighbours: `(B, K, N, 2, H, W)`."""
    repeated = frames[:, :, None].expand_as(neighbours)
    flow = find(repeated.flatten(0, 2), neighbours.flatten(0, 2))
    return flow.view(*neighbours.shape[:3], *flow.shape[1:])
