from __future__ import annotations

import pytest
import torch
from torch import nn

from upreel.models.swift import Swift
from upreel.training.optim import Muon, OptimizerName, make_optimizers, orthogonalize


def test_singular_values_come_near_one_and_vectors_stay() -> None:
    generator = torch.Generator().manual_seed(1)
    left, _ = torch.linalg.qr(torch.randn(8, 8, generator=generator))
    right, _ = torch.linalg.qr(torch.randn(20, 8, generator=generator))
    matrix = left @ torch.diag(torch.logspace(0, -1.5, 8)) @ right.T
    result = left.T @ orthogonalize(3 * matrix) @ right
    assert (result - torch.diag(result.diagonal())).abs().max() < 1e-4
    assert 0.6 < result.diagonal().min() <= result.diagonal().max() < 1.3


def test_a_step_has_the_length_of_one_of_adam() -> None:
    weight = nn.Parameter(torch.zeros(16, 12, 3, 3))
    weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(2))
    Muon([weight], 0.01).step()
    # A matrix of M by N with singular values near 1 has entries of 1 / sqrt(N).
    assert float(weight.detach().square().mean().sqrt()) == pytest.approx(0.01 * 0.2, rel=0.2)
    assert float((weight.detach() * weight.grad).sum()) < 0


def test_momentum_is_that_of_nesterov() -> None:
    generator = torch.Generator().manual_seed(3)
    gradients = [torch.randn(4, 6, 1, 1, generator=generator) for _ in range(3)]
    weight = nn.Parameter(torch.zeros(4, 6, 1, 1))
    optimizer = Muon([weight], 1.0, momentum=0.9)
    average, expected = torch.zeros(4, 6), torch.zeros(4, 6)
    for gradient in gradients:
        weight.grad = gradient
        optimizer.step()
        flat = gradient.flatten(1)
        average = 0.9 * average + 0.1 * flat
        expected -= 0.2 * 6**0.5 * orthogonalize(0.9 * average + 0.1 * flat)
    torch.testing.assert_close(weight.detach().flatten(1), expected)


def test_a_weight_without_a_gradient_stays() -> None:
    weight = nn.Parameter(torch.ones(2, 2, 1, 1))
    Muon([weight], 1.0).step()
    assert weight.eq(1).all()


def test_muon_takes_hidden_convolutions_and_adam_the_rest() -> None:
    network = Swift()
    muon, adam = make_optimizers(network, "muon", 1e-3)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    taken = [[names[id(p)] for p in o.param_groups[0]["params"]] for o in (muon, adam)]
    assert "into.weight" in taken[0]
    assert "out.weight" in taken[1]
    assert all(name.endswith("weight") for name in taken[0])
    assert sorted(taken[0] + taken[1]) == sorted(names.values())
    (alone,) = make_optimizers(network, "adam", 1e-3)
    assert len(alone.param_groups[0]["params"]) == len(names)


@pytest.mark.parametrize("name", ["adam", "muon"])
def test_both_solve_a_small_problem(name: OptimizerName) -> None:
    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1))
    image = torch.rand(4, 1, 12, 12)
    truth = torch.nn.functional.avg_pool2d(image, 3, 1, 1)
    optimizers = make_optimizers(network, name, 1e-2)
    losses = []
    for _ in range(150):
        loss = (network(image) - truth).square().mean()
        network.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 10


def test_averages_of_adam_keep_what_they_are_told() -> None:
    """After one step from zero Adam moves by the rate, whatever it keeps; the second tells."""
    moved = dict[tuple[float, float], float]()
    for betas in ((0.9, 0.99), (0.5, 0.9)):
        weight = nn.Parameter(torch.zeros(1))
        (adam,) = make_optimizers(nn.ParameterList([weight]), "adam", 1.0, betas=betas)
        for gradient in (1.0, 3.0):
            weight.grad = torch.tensor([gradient])
            adam.step()
        one, two = betas
        mean = ((1 - one) * (one + 3)) / (1 - one**2)
        square = ((1 - two) * (two + 9)) / (1 - two**2)
        moved[betas] = -1 - mean / square**0.5
        assert float(weight.detach()) == pytest.approx(moved[betas], rel=1e-5)
    assert len(set(moved.values())) == 2
