from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from upreel.errors import UsageError
from upreel.losses import make_loss
from upreel.losses.adversarial import Adversarial, Kind
from upreel.losses.seen import Seen

GOLDEN = Path(__file__).parents[1] / "golden"
REAL, FAKE = torch.tensor([1.5, -0.5, 0.25]), torch.tensor([-2.0, 0.75])


def seen(fake: Tensor | None, real: Tensor | None = None) -> Seen:
    nothing = torch.zeros(1, 1, 1, 1, 1)
    return Seen(nothing, nothing, torch.ones(1), fake=fake, real=real)


def cross_entropy(scores: Tensor, label: float) -> float:
    return float(F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, label)))


def test_vanilla_is_the_cross_entropy_with_labels() -> None:
    loss = Adversarial("vanilla")
    assert float(loss(seen(FAKE))) == pytest.approx(cross_entropy(FAKE, 1))
    expected = cross_entropy(REAL, 1) + cross_entropy(FAKE, 0)
    assert float(loss.discriminator(REAL, FAKE)) == pytest.approx(expected)


def test_vanilla_is_that_of_the_spatio_temporal_network() -> None:
    golden = np.load(GOLDEN / "sta_losses.npz")
    scores = torch.logit(torch.from_numpy(golden["in_prob_fake"]).double())
    expected = float(golden["out_generator_adv_main"]) / 5e-2
    assert float(Adversarial()(seen(scores))) == pytest.approx(expected, rel=1e-5)


def test_wasserstein_is_the_difference_of_means_and_iseebetters_term() -> None:
    loss = Adversarial("wasserstein")
    assert float(loss(seen(FAKE))) == pytest.approx(0.625)
    assert float(loss.discriminator(REAL, FAKE)) == pytest.approx(-0.625 - 1.25 / 3)
    golden = np.load(GOLDEN / "iseebetter_losses.npz")
    found = loss(seen(torch.from_numpy(golden["in_prob"])))
    assert float(found) == pytest.approx(float(golden["out_adv_rbpn"]), rel=1e-5)


def test_least_squares_by_hand() -> None:
    loss = Adversarial("least-squares")
    assert float(loss(seen(FAKE))) == pytest.approx((9 + 0.0625) / 2)
    expected = (0.25 + 2.25 + 0.5625) / 3 + (4 + 0.5625) / 2
    assert float(loss.discriminator(REAL, FAKE)) == pytest.approx(expected)


def test_relativistic_compares_with_the_average_of_the_other_side() -> None:
    loss = Adversarial("relativistic")
    real, fake = REAL - FAKE.mean(), FAKE - REAL.mean()
    expected = (cross_entropy(real, 1) + cross_entropy(fake, 0)) / 2
    assert float(loss.discriminator(REAL, FAKE)) == pytest.approx(expected)
    expected = (cross_entropy(real, 0) + cross_entropy(fake, 1)) / 2
    assert float(loss(seen(FAKE, REAL))) == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["vanilla", "least-squares", "wasserstein", "relativistic"])
def test_the_two_sides_pull_in_opposite_directions(kind: Kind) -> None:
    fake = torch.tensor([0.3, 0.2], requires_grad=True)
    Adversarial(kind)(seen(fake, REAL)).backward()  # type: ignore[no-untyped-call]
    assert fake.grad is not None
    assert fake.grad.max() < 0
    fake.grad = None
    Adversarial(kind).discriminator(REAL, fake).backward()  # type: ignore[no-untyped-call]
    assert float(fake.grad.sum()) > 0  # type: ignore[attr-defined]


def test_what_is_missing_is_named() -> None:
    with pytest.raises(UsageError, match=r"'adversarial' expects the scores of a discriminator"):
        make_loss("adversarial")(seen(None))
