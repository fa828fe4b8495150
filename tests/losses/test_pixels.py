from __future__ import annotations

import pytest
import torch

from upreel.losses import LOSSES
from upreel.losses.pixels import charbonnier


def test_the_value_is_that_of_the_closed_form() -> None:
    truth = torch.full((2, 3, 1, 4, 5), 0.5)
    output = truth + torch.tensor([0.0, 0.003, -0.4]).view(1, 3, 1, 1, 1)
    expected = torch.tensor([[0.001, 1e-5**0.5, 0.160001**0.5]]).expand(2, 3)
    torch.testing.assert_close(charbonnier(output, truth), expected, atol=1e-7, rtol=1e-5)


def test_each_frame_is_a_mean_of_its_own() -> None:
    output = torch.zeros(1, 2, 1, 1, 2)
    output[0, 1, 0, 0, 1] = 3
    loss = charbonnier(output, torch.zeros_like(output))
    assert loss.tolist() == [pytest.approx([0.001, (0.001 + 3) / 2], rel=1e-5)]


def test_the_gradient_is_bounded_and_zero_where_nothing_is_wrong() -> None:
    output = torch.tensor([-1.0, 0.0, 1.0]).view(3, 1, 1, 1, 1).requires_grad_()
    charbonnier(output, torch.zeros(3, 1, 1, 1, 1)).sum().backward()
    assert output.grad is not None
    assert output.grad.flatten().tolist() == pytest.approx([-1, 0, 1], abs=1e-5)


def test_recipes_find_it_by_its_name() -> None:
    assert LOSSES["charbonnier"] is charbonnier
