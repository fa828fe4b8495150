"""Two networks against each other: what the generator and what the discriminator is trained on.

Scores are what a discriminator says before any sigmoid, of any shape; large means real.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from upreel.losses.seen import Seen, demand

Kind = Literal["vanilla", "least-squares", "wasserstein", "relativistic"]


@dataclass(frozen=True, slots=True)
class Adversarial:
    """How far the output is from passing for real.

    Attributes:
        kind: `vanilla` (Goodfellow et al. 2014, the generator's side in its form that does not
            saturate), `least-squares` (Mao et al. 2017, with 1 for real and 0 for fake),
            `wasserstein` (Arjovsky et al. 2017; the discriminator needs a bound of its own), or
            `relativistic`: real compared with the average fake and the other way round
            (Jolicoeur-Martineau 2018, as in ESRGAN).
    """

    kind: Kind = "vanilla"

    def __call__(self, seen: Seen) -> Tensor:
        """The generator's side."""
        fake = demand(seen.fake, "adversarial", "the scores of a discriminator")
        if self.kind == "vanilla":
            return F.softplus(-fake).mean()
        if self.kind == "least-squares":
            return (fake - 1).square().mean()
        if self.kind == "wasserstein":
            return -fake.mean()
        real = demand(seen.real, "adversarial", "the scores of a discriminator for the truth")
        return (F.softplus(real - fake.mean()).mean() + F.softplus(real.mean() - fake).mean()) / 2

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """The discriminator's side; `fake` are its scores of a detached output."""
        if self.kind == "vanilla":
            return F.softplus(-real).mean() + F.softplus(fake).mean()
        if self.kind == "least-squares":
            return (real - 1).square().mean() + fake.square().mean()
        if self.kind == "wasserstein":
            return fake.mean() - real.mean()
        return (F.softplus(fake.mean() - real).mean() + F.softplus(fake - real.mean()).mean()) / 2
