from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from upreel.errors import UsageError
from upreel.losses import make_loss
from upreel.losses.adversarial import Adversarial, Kind, label
from upreel.losses.pixels import l1, mse, total_variation
from upreel.losses.seen import Seen

GOLDEN = Path(__file__).parents[1] / "golden"
REAL, FAKE = torch.tensor([1.5, -0.5, 0.25]), torch.tensor([-2.0, 0.75])
ONE = torch.ones(1)


def seen(fake: Tensor | None, real: Tensor | None = None) -> Seen:
    nothing = torch.zeros(1, 1, 1, 1, 1)
    fakes, reals = (None if scores is None else (scores,) for scores in (fake, real))
    return Seen(nothing, nothing, ONE, fake=fakes, real=reals)


def oppose(loss: Adversarial, real: Tensor, fake: Tensor, seed: int = 1) -> Tensor:
    return loss.discriminator((real,), (fake,), torch.Generator().manual_seed(seed))


def cross_entropy(scores: Tensor, label: float) -> float:
    return float(F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, label)))


def golden(name: str) -> dict[str, Tensor]:
    with np.load(GOLDEN / f"{name}.npz") as file:
        return {key: torch.from_numpy(np.asarray(file[key])) for key in file.files}


def logit(probabilities: Tensor) -> Tensor:
    return torch.logit(probabilities.double())


def test_vanilla_is_the_cross_entropy_with_labels() -> None:
    loss = Adversarial("vanilla")
    assert float(loss(seen(FAKE))) == pytest.approx(cross_entropy(FAKE, 1))
    expected = cross_entropy(REAL, 1) + cross_entropy(FAKE, 0)
    assert float(oppose(loss, REAL, FAKE)) == pytest.approx(expected)


def test_vanilla_is_that_of_the_spatio_temporal_network() -> None:
    case = golden("sta_losses")
    found = Adversarial()(seen(logit(case["in_prob_fake"])))
    assert float(5e-2 * found) == pytest.approx(float(case["out_generator_adv_main"]), rel=1e-5)
    with_flow = float(case["out_generator_adv_main_w_flow"])
    assert float(1e-3 * found) == pytest.approx(with_flow, rel=1e-5)
    content = float(l1(case["in_sr"][:, None], case["in_hr"][:, None], ONE))
    assert 1e-3 * content == pytest.approx(float(case["out_content_main"]), rel=1e-5)
    assert content == pytest.approx(float(case["out_content_main_w_flow"]), rel=1e-5)


def test_labels_of_the_spatio_temporal_network() -> None:
    """As published, with labels above 1; and as torch's loss would take them, cut at 1."""
    case = golden("sta_losses")
    real, fake = (logit(case[f"in_prob_{side}"]) for side in ("real", "fake"))
    low, high = (case[f"in_target_{side}"].double() for side in ("fake", "real"))
    assert high.max() > 1
    for highest, name in ((2.0, "raw"), (1.0, "clipped")):
        found = label(real, high.clamp(max=highest)) + label(fake, low)
        expected = float(case[f"out_discriminator_{name}_labels"])
        assert float(found) == pytest.approx(expected, rel=1e-5)


def test_smooth_labels_are_drawn_anew_within_their_spans() -> None:
    loss = Adversarial("vanilla", labels="smooth")
    # The slope of the cross-entropy of a score of 0 is 1/2 minus its label, over their number.
    real, fake = (torch.zeros(4000, requires_grad=True) for _ in range(2))
    oppose(loss, real, fake).backward()  # type: ignore[no-untyped-call]
    assert real.grad is not None
    assert fake.grad is not None
    high, low = 0.5 - 4000 * real.grad, 0.5 - 4000 * fake.grad
    assert 0.7 <= high.min() < 0.71
    assert high.max() == pytest.approx(1, abs=1e-6)
    assert float((high > 1 - 1e-6).float().mean()) == pytest.approx(0.4, abs=0.03)
    assert 0 <= low.min() + 1e-6 < low.max() <= 0.3
    assert float(low.mean()) == pytest.approx(0.15, abs=0.01)
    first, again, other = (float(oppose(loss, REAL, FAKE, seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_linear_is_iseebetters_code_and_log_its_paper() -> None:
    case = golden("iseebetter_losses")
    scores = logit(case["in_prob"])
    linear, log = Adversarial("linear"), Adversarial("log")
    found = float(linear(seen(scores)))
    assert found == pytest.approx(float(case["out_adv_rbpn"]), rel=1e-5)
    assert 1 + found == pytest.approx(float(case["out_adv_srgan"]), rel=1e-5)
    assert float(log(seen(scores))) == pytest.approx(-float(case["in_prob"].log().mean()), rel=1e-5)
    expected = 1 - float(REAL.sigmoid().mean()) + float(FAKE.sigmoid().mean())
    for loss in (linear, log):
        assert float(oppose(loss, REAL, FAKE)) == pytest.approx(expected)


def test_the_sum_of_iseebetters_losses_and_its_gradients() -> None:
    """All but the perceptual one, whose part the authors' numbers leave out as well."""
    case = golden("iseebetter_losses")
    output = case["in_sr"][:, None].clone().requires_grad_()
    truth, scores = case["in_hr"][:, None], logit(case["in_prob"]).requires_grad_()
    adversarial = Adversarial("linear")(seen(scores))
    total = (
        mse(output, truth, ONE) + 1e-3 * adversarial + 2e-8 * total_variation(output, truth, ONE)
    )
    assert total.item() == pytest.approx(float(case["out_total_without_vgg_rbpn"]), rel=1e-5)
    total.backward()  # type: ignore[no-untyped-call]
    assert output.grad is not None
    assert scores.grad is not None
    expected = case["out_grad_total_rbpn_wrt_sr"][:, None]
    torch.testing.assert_close(output.grad, expected, rtol=1e-4, atol=1e-8)
    probability = case["in_prob"].double()
    slope = scores.grad / (probability * (1 - probability))
    expected = case["out_grad_total_rbpn_wrt_prob"].double()
    torch.testing.assert_close(slope, expected, rtol=1e-5, atol=1e-8)


def test_wasserstein_is_the_difference_of_means() -> None:
    loss = Adversarial("wasserstein")
    assert float(loss(seen(FAKE))) == pytest.approx(0.625)
    assert float(oppose(loss, REAL, FAKE)) == pytest.approx(-0.625 - 1.25 / 3)


def test_least_squares_by_hand() -> None:
    loss = Adversarial("least-squares")
    assert float(loss(seen(FAKE))) == pytest.approx((9 + 0.0625) / 2)
    expected = (0.25 + 2.25 + 0.5625) / 3 + (4 + 0.5625) / 2
    assert float(oppose(loss, REAL, FAKE)) == pytest.approx(expected)


def test_relativistic_compares_with_the_average_of_the_other_side() -> None:
    loss = Adversarial("relativistic")
    real, fake = REAL - FAKE.mean(), FAKE - REAL.mean()
    expected = (cross_entropy(real, 1) + cross_entropy(fake, 0)) / 2
    assert float(oppose(loss, REAL, FAKE)) == pytest.approx(expected)
    expected = (cross_entropy(real, 0) + cross_entropy(fake, 1)) / 2
    assert float(loss(seen(FAKE, REAL))) == pytest.approx(expected)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_the_two_sides_pull_in_opposite_directions(kind: Kind) -> None:
    fake = torch.tensor([0.3, 0.2], requires_grad=True)
    Adversarial(kind)(seen(fake, REAL)).backward()  # type: ignore[no-untyped-call]
    assert fake.grad is not None
    assert fake.grad.max() < 0
    fake.grad = None
    oppose(Adversarial(kind), REAL, fake).backward()  # type: ignore[no-untyped-call]
    assert float(fake.grad.sum()) > 0  # type: ignore[attr-defined]


def test_what_judges_two_things_counts_twice() -> None:
    loss, frame = Adversarial(), torch.zeros(1, 1, 1, 1, 1)
    both = loss(Seen(frame, frame, ONE, fake=(FAKE, REAL)))
    assert float(both) == pytest.approx(cross_entropy(FAKE, 1) + cross_entropy(REAL, 1))
    found = loss.discriminator((REAL, FAKE), (FAKE, REAL), torch.Generator())
    single = [float(oppose(loss, *sides)) for sides in ((REAL, FAKE), (FAKE, REAL))]
    assert float(found) == pytest.approx(sum(single))


def test_as_released_the_generator_learns_nothing_from_it() -> None:
    fake = FAKE.clone().requires_grad_()
    reported, released = (
        make_loss("adversarial", {"form": form})(seen(fake)) for form in ("reported", "released")
    )
    assert released.item() == reported.item()
    assert reported.requires_grad
    assert not released.requires_grad


def test_what_is_missing_is_named() -> None:
    with pytest.raises(UsageError, match=r"'adversarial' expects the scores of a discriminator"):
        make_loss("adversarial")(seen(None))
    with pytest.raises(UsageError, match=r"expected the kind 'vanilla' with smooth labels"):
        make_loss("adversarial", {"kind": "linear", "labels": "smooth"})
