from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from upreel.errors import ConfigError
from upreel.losses import LOSSES, Option, make_loss
from upreel.losses.pixels import (
    charbonnier,
    frequency,
    huber,
    l1,
    mse,
    rmse,
    temporal_difference,
    total_variation,
)
from upreel.losses.seen import Seen

GOLDEN = Path(__file__).parents[1] / "golden"
WEIGHT = torch.tensor([0.2, 0.3, 0.5])


def test_charbonnier_is_the_closed_form() -> None:
    truth = torch.full((2, 3, 1, 4, 5), 0.5)
    output = truth + torch.tensor([0.0, 0.003, -0.4]).view(1, 3, 1, 1, 1)
    expected = 0.2 * 0.001 + 0.3 * 1e-5**0.5 + 0.5 * 0.160001**0.5
    assert float(charbonnier(output, truth, WEIGHT)) == pytest.approx(expected, rel=1e-5)


def test_an_error_that_stays_does_not_flicker() -> None:
    truth = torch.rand(2, 3, 1, 4, 5)
    assert float(temporal_difference(truth + 0.1, truth, WEIGHT)) < 1.1e-4
    error = torch.tensor([0.1, -0.1, 0.1]).view(1, 3, 1, 1, 1)
    flicker = temporal_difference(truth + error, truth, WEIGHT)
    assert float(flicker) == pytest.approx(0.2, rel=1e-4)
    assert temporal_difference(truth[:, :1], truth[:, 1:2], torch.ones(1)) == 0


def test_charbonnier_averages_pixels_then_frames_then_sequences() -> None:
    output = torch.zeros(2, 2, 1, 1, 2)
    output[0, 1, 0, 0, 1] = 3
    loss = charbonnier(output, torch.zeros_like(output), torch.tensor([0.25, 0.75]))
    one = 0.25 * 0.001 + 0.75 * (0.001 + 3) / 2
    assert float(loss) == pytest.approx((one + 0.001) / 2, rel=1e-5)


def test_the_gradient_of_charbonnier_is_bounded_and_zero_where_nothing_is_wrong() -> None:
    output = torch.tensor([-1.0, 0.0, 1.0]).view(1, 3, 1, 1, 1).requires_grad_()
    charbonnier(output, torch.zeros(1, 3, 1, 1, 1), WEIGHT).backward()  # type: ignore[no-untyped-call]
    assert output.grad is not None
    assert output.grad.flatten().tolist() == pytest.approx([-0.2, 0, 0.5], abs=1e-5)


def test_rmse_is_the_root_of_the_mean_of_a_sequence() -> None:
    output = torch.zeros(2, 3, 1, 2, 2)
    output[0, 0], output[0, 2, 0, 0, 0] = 0.3, 0.4
    expected = (0.2 * 0.09 + 0.5 * 0.16 / 4 + 1e-8) ** 0.5
    loss = rmse(output, torch.zeros_like(output), WEIGHT)
    assert float(loss) == pytest.approx((expected + 1e-4) / 2, rel=1e-5)


def test_rmse_has_a_gradient_where_nothing_is_wrong() -> None:
    output = torch.zeros(1, 3, 1, 2, 2, requires_grad=True)
    rmse(output, torch.zeros_like(output), WEIGHT).backward()  # type: ignore[no-untyped-call]
    assert output.grad is not None
    assert output.grad.eq(0).all()


def test_recipes_find_them_by_their_names() -> None:
    assert LOSSES["charbonnier"] is charbonnier
    assert LOSSES["rmse"] is rmse


def test_l1_and_mse_weigh_frames() -> None:
    truth = torch.zeros(2, 3, 3, 4, 5)
    output = truth + torch.tensor([0.1, -0.2, 0.4]).view(1, 3, 1, 1, 1)
    assert float(l1(output, truth, WEIGHT)) == pytest.approx(0.02 + 0.06 + 0.2)
    assert float(mse(output, truth, WEIGHT)) == pytest.approx(0.002 + 0.012 + 0.08)


def test_the_sum_of_charbonnier_counts_every_value_of_the_batch() -> None:
    output, truth = torch.rand(2, 2, 3, 4, 5), torch.rand(2, 2, 3, 4, 5)
    expected = np.sqrt((output.numpy() - truth.numpy()) ** 2 + 1e-4).sum()
    found = charbonnier(output, truth, torch.tensor([0.5, 0.5]), eps=1e-2, reduction="sum")
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


def test_huber_is_that_of_tosr() -> None:
    golden = np.load(GOLDEN / "tosr_huber.npz")
    truth, output = (torch.from_numpy(golden[key])[:, None] for key in ("in_true", "in_pred"))
    found = huber(output, truth, torch.ones(1), delta=0.01)
    assert float(found) == pytest.approx(float(golden["out_loss"]), abs=2e-9)


def test_total_variation_and_squared_error_are_those_of_iseebetter() -> None:
    golden = np.load(GOLDEN / "iseebetter_losses.npz")
    output, truth = (torch.from_numpy(golden[key])[:, None] for key in ("in_sr", "in_hr"))
    found = total_variation(output, truth, torch.ones(1))
    assert float(found) == pytest.approx(float(golden["out_tv"]), rel=1e-5)
    squared = mse(output, truth, torch.ones(1))
    assert float(squared) == pytest.approx(float(golden["out_image"]), rel=1e-5)


def test_frequency_is_the_distance_of_numpys_spectra() -> None:
    output, truth = torch.rand(1, 3, 2, 6, 5), torch.rand(1, 3, 2, 6, 5)
    spectrum = np.fft.fft2((output - truth).double().numpy(), norm="ortho")
    frames = ((np.abs(spectrum.real) + np.abs(spectrum.imag)) / 2).mean((-3, -2, -1))
    expected = float((frames @ WEIGHT.double().numpy()).mean())
    assert float(frequency(output, truth, WEIGHT)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    generator = torch.Generator().manual_seed(1)
    truth = torch.rand(1, 3, 1, 3, 4, generator=generator, dtype=torch.float64)
    output = truth + 0.1 + 0.3 * torch.rand(truth.shape, generator=generator, dtype=torch.float64)
    weight = WEIGHT.double()

    def loss(output: Tensor) -> Tensor:
        return LOSSES[name](output, truth, weight)

    assert torch.autograd.gradcheck(loss, (output.requires_grad_(),))


def test_options_come_from_the_recipe() -> None:
    zeros = torch.zeros(1, 3, 1, 2, 2)
    seen = Seen(zeros, zeros, WEIGHT)
    assert float(make_loss("charbonnier", {"eps": 0.25})(seen)) == pytest.approx(0.25)
    with pytest.raises(ConfigError, match=r"'charbonnier' has the options eps, reduction, found"):
        make_loss("charbonnier", {"epsilon": 1})
    with pytest.raises(ConfigError, match=r"'ping-pong' has no options, found 'eps'"):
        make_loss("ping-pong", {"eps": 1.0})
    with pytest.raises(ConfigError, match=r"expected a loss out of adversarial, .* found 'l3'"):
        make_loss("l3")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("charbonnier", {"eps": "x"}, "'charbonnier' expects a valid number as 'eps', found 'x'"),
        ("charbonnier", {"eps": True}, "expects a valid number as 'eps', found True"),
        ("charbonnier", {"eps": 0.0}, "expects greater than 0 as 'eps', found 0.0"),
        ("charbonnier", {"reduction": "max"}, "expects 'mean' or 'sum' as 'reduction', found 'm"),
        ("huber", {"delta": -1}, "expects greater than 0 as 'delta', found -1"),
        ("flow-weighted", {"reach": 0.0}, "expects greater than 0 as 'reach', found 0.0"),
        ("flow-weighted", {"gain": float("nan")}, "'gain', found nan"),
        ("warp", {"of": 3}, "expects 'output' or 'error' as 'of', found 3"),
        ("adversarial", {"kind": "hinge"}, "expects .*'linear' or 'log' as 'kind', found 'hinge'"),
        ("perceptual", {"layers": "relu5_4"}, "expects a valid list as 'layers', found 'relu5_4'"),
        ("perceptual", {"layer_weights": ["x"]}, "expects a valid number as 'layer_weights'"),
        ("perceptual", {"seed": "x"}, "expects a valid integer as 'seed', found 'x'"),
        ("perceptual", {"trunk": "vgg11"}, "expects 'vgg16', 'vgg19' or 'alexnet' as 'trunk'"),
    ],
)
def test_an_option_of_a_wrong_type_is_refused_before_the_first_step(
    name: str, options: dict[str, Option], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        make_loss(name, options)


def test_whole_numbers_serve_as_numbers() -> None:
    zeros = torch.zeros(1, 3, 1, 2, 2)
    assert float(make_loss("charbonnier", {"eps": 2})(Seen(zeros, zeros, WEIGHT))) == 2
