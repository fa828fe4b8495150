from __future__ import annotations

import pytest
import torch

from upreel.losses import LOSSES
from upreel.losses.pixels import charbonnier, rmse, steady_rmse

WEIGHT = torch.tensor([0.2, 0.3, 0.5])


def test_charbonnier_is_the_closed_form() -> None:
    truth = torch.full((2, 3, 1, 4, 5), 0.5)
    output = truth + torch.tensor([0.0, 0.003, -0.4]).view(1, 3, 1, 1, 1)
    expected = 0.2 * 0.001 + 0.3 * 1e-5**0.5 + 0.5 * 0.160001**0.5
    assert float(charbonnier(output, truth, WEIGHT)) == pytest.approx(expected, rel=1e-5)


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


def test_steady_rmse_adds_what_the_error_changes_from_frame_to_frame() -> None:
    truth = torch.rand(2, 3, 1, 4, 5)
    still = truth + 0.1
    assert float(steady_rmse(still, truth, WEIGHT)) == pytest.approx(0.1 + 1e-4, rel=1e-3)
    error = torch.tensor([0.1, -0.1, 0.1]).view(1, 3, 1, 1, 1)
    flickering = steady_rmse(truth + error, truth, WEIGHT)
    assert float(flickering) == pytest.approx(0.1 + 0.2, rel=1e-3)


def test_steady_rmse_of_a_single_frame_is_rmse() -> None:
    output, truth, weight = torch.rand(2, 1, 1, 4, 5), torch.rand(2, 1, 1, 4, 5), torch.ones(1)
    assert steady_rmse(output, truth, weight) == rmse(output, truth, weight)


def test_recipes_find_them_by_their_names() -> None:
    assert LOSSES["charbonnier"] is charbonnier
    assert LOSSES["rmse"] is rmse
    assert LOSSES["steady-rmse"] is steady_rmse
