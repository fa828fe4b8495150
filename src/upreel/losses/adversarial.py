"""Two networks against each other: what the generator and what the discriminator is trained on.

Scores are what a discriminator says before any sigmoid; large means real. One that judges several
things gives several, which are added up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from upreel.errors import UsageError
from upreel.losses.discriminator import Scores
from upreel.losses.seen import Seen, demand

Kind = Literal["vanilla", "least-squares", "wasserstein", "relativistic", "linear", "log"]

_REAL = (0.7, 1.2)
_FAKE = (0.0, 0.3)


@dataclass(frozen=True, slots=True)
class Adversarial:
    """How far the output is from passing for real.

    Attributes:
        kind: `vanilla` (Goodfellow et al. 2014, the generator's side in its form that does not
            saturate), `least-squares` (Mao et al. 2017, with 1 for real and 0 for fake),
            `wasserstein` (Arjovsky et al. 2017; the discriminator needs a bound of its own),
            `relativistic`: real compared with the average fake and the other way round
            (Jolicoeur-Martineau 2018, as in ESRGAN), `linear`: probabilities without a logarithm on
            both sides, as in iSeeBetter's code (Chadha et al. 2020), or `log`: with one on the
            generator's side, as in its paper.
        labels: `hard`, 1 and 0; or, for `vanilla`, `smooth`: drawn anew for each score, evenly from
            0.7 to 1.2, of which what is above 1 counts as 1, and from 0 to 0.3 (Chadha and Masoud
            2019, who left those above 1 as they are: such a loss has no lower bound).
        form: `reported`, or `released`: without a gradient, so that the network learns from its
            other losses alone, while the discriminator goes on learning. The scripts of Chadha and
            Masoud do that, though their report does not say so.
    """

    kind: Kind = "vanilla"
    labels: Literal["hard", "smooth"] = "hard"
    form: Literal["reported", "released"] = "reported"

    def __post_init__(self) -> None:
        """Refuse labels that nothing looks at.

        Raises:
            UsageError: they are smooth, and the kind is not `vanilla`.
        """
        if self.labels == "smooth" and self.kind != "vanilla":
            raise UsageError(
                f"expected the kind 'vanilla' with smooth labels of adversarial, found "
                f"{self.kind!r}; leave the labels out"
            )

    @property
    def compares(self) -> bool:
        """Whether the generator's side looks at the scores of the truth."""
        return self.kind == "relativistic"

    def __call__(self, seen: Seen) -> Tensor:
        """The generator's side."""
        fakes = demand(seen.fake, "adversarial", "the scores of a discriminator")
        reals: Scores = fakes
        if self.compares:
            reals = demand(seen.real, "adversarial", "the scores of a discriminator for the truth")
        sides = [self._fool(real, fake) for real, fake in zip(reals, fakes, strict=True)]
        total = torch.stack(sides).sum()
        return total.detach() if self.form == "released" else total

    def _fool(self, real: Tensor, fake: Tensor) -> Tensor:
        if self.kind in ("vanilla", "log"):
            return F.softplus(-fake).mean()
        if self.kind == "linear":
            return -fake.sigmoid().mean()
        if self.kind == "least-squares":
            return (fake - 1).square().mean()
        if self.kind == "wasserstein":
            return -fake.mean()
        return (F.softplus(real - fake.mean()).mean() + F.softplus(real.mean() - fake).mean()) / 2

    def discriminator(self, reals: Scores, fakes: Scores, random: torch.Generator) -> Tensor:
        """The discriminator's side.

        Args:
            reals: its scores of the truth.
            fakes: those of a detached output.
            random: what smooth labels are drawn from.
        """
        sides = [
            self._tell_apart(real, fake, random) for real, fake in zip(reals, fakes, strict=True)
        ]
        return torch.stack(sides).sum()

    def _tell_apart(self, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
        if self.labels == "smooth":
            high = _draw(real, _REAL, random).clamp_max(1)
            return label(real, high) + label(fake, _draw(fake, _FAKE, random))
        if self.kind == "vanilla":
            return F.softplus(-real).mean() + F.softplus(fake).mean()
        if self.kind in ("linear", "log"):
            return 1 - real.sigmoid().mean() + fake.sigmoid().mean()
        if self.kind == "least-squares":
            return (real - 1).square().mean() + fake.square().mean()
        if self.kind == "wasserstein":
            return fake.mean() - real.mean()
        return (F.softplus(fake.mean() - real).mean() + F.softplus(fake - real.mean()).mean()) / 2


def label(scores: Tensor, labels: Tensor) -> Tensor:
    """The mean cross-entropy of scores, before their sigmoid, with labels of the same shape."""
    return F.binary_cross_entropy_with_logits(scores, labels)


def _draw(scores: Tensor, span: tuple[float, float], random: torch.Generator) -> Tensor:
    """Labels for scores, evenly out of a span."""
    drawn = torch.rand(scores.shape, generator=random)
    return (span[0] + (span[1] - span[0]) * drawn).to(scores)
