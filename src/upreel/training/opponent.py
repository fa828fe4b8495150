"""The other network of adversarial training: what the discriminator says, and how it learns."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from upreel.losses.adversarial import Adversarial
from upreel.losses.discriminator import PatchDiscriminator
from upreel.training.optim import make_optimizers
from upreel.training.ranks import Ranks
from upreel.training.tables import Discriminator


class Opponent:
    """A discriminator with its optimisers; it computes in float32.

    Attributes:
        network: the discriminator.
    """

    def __init__(self, recipe: Discriminator, loss: Adversarial, planes: int, *, seed: int) -> None:
        """Make it, before its first step.

        Args:
            recipe: its table.
            loss: whose other side it is trained on.
            planes: channels of the clips.
            seed: of its weights.
        """
        self._loss, self._clip = loss, recipe.optimizer.clip
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network: nn.Module = PatchDiscriminator(
                planes, channels=recipe.channels, layers=recipe.layers
            )
        self.network.requires_grad_(False)
        self._optimizers = make_optimizers(
            self.network,
            recipe.optimizer.name,
            recipe.optimizer.rate,
            decay=recipe.optimizer.decay,
            factors=recipe.optimizer.factors,
        )

    def judge(self, output: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of what was made and of the truth; gradients go to the former's maker alone."""
        fake: Tensor = self.network(output)
        with torch.no_grad():
            real: Tensor = self.network(truth)
        return fake, real

    def learn(self, shown: Sequence[tuple[Tensor, Tensor]], rate: float, ranks: Ranks) -> float:
        """Make one step.

        Args:
            shown: parts of a batch, each what was made and the truth.
            rate: the learning rate.
            ranks: who else takes part.

        Returns:
            The loss.
        """
        self.network.requires_grad_(True)
        self.network.zero_grad(set_to_none=True)
        lost = 0.0
        for output, truth in shown:
            real, fake = self.network(truth), self.network(output.detach())
            loss = self._loss.discriminator(real, fake) / len(shown)
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
        }

    def restore(self, state: dict[str, object]) -> None:
        """Take up what `state` returned."""
        networks, optimizers = state["network"], state["optimizers"]
        assert isinstance(networks, dict)
        assert isinstance(optimizers, list)
        self.network.load_state_dict(networks)
        for optimizer, kept in zip(self._optimizers, optimizers, strict=True):
            optimizer.load_state_dict(kept)
