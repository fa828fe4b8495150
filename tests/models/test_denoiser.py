"""The denoiser of scans: what it may see, what it makes of nothing, odd sizes, gradients."""

from __future__ import annotations

from dataclasses import replace

import torch

from tests.models.promises import assert_all_learn
from upreel.models.denoiser import Evidence, ScanDenoiser


def evidence(height: int = 16, width: int = 20, *, batch: int = 1) -> Evidence:
    random = torch.Generator().manual_seed(0)
    return Evidence(*torch.randn(6, batch, 1, height, width, generator=random))


def trained() -> ScanDenoiser:
    """One whose last layer is not zero."""
    torch.manual_seed(1)
    network = ScanDenoiser(channels=4)
    torch.nn.init.normal_(network.last.weight, std=0.1)
    return network


def test_before_training_it_returns_the_mean_of_the_burst() -> None:
    seen = evidence()
    assert torch.equal(ScanDenoiser(channels=4)(seen, torch.ones(1, 1, 16, 1)), seen.mean)


def test_what_is_hidden_of_the_base_changes_nothing() -> None:
    network, seen = trained(), evidence()
    visible = (torch.arange(16) % 2).float().view(1, 1, -1, 1)
    hidden = seen.shown + 5 * (1 - visible)
    shown = seen.shown + 5 * visible
    output = network(seen, visible)
    assert torch.equal(network(replace(seen, shown=hidden), visible), output)
    assert not torch.equal(network(replace(seen, shown=shown), visible), output)


def test_outliers_say_no_more_than_the_limit() -> None:
    network, seen = trained(), evidence()
    visible = torch.ones(1, 1, 16, 1)
    far, farther = (replace(seen, before=seen.mean + off) for off in (3, 300))
    assert torch.allclose(network(far, visible), network(farther, visible), atol=1e-5)


def test_odd_sizes_and_batches() -> None:
    network = trained()
    for height, width in ((16, 20), (13, 17), (5, 7)):
        seen = evidence(height, width, batch=2)
        output = network(seen, torch.ones(2, 1, height, 1))
        assert output.shape == (2, 1, height, width)
        alone = Evidence(*(getattr(seen, name)[:1] for name in seen.__slots__))
        assert torch.allclose(network(alone, torch.ones(1, 1, height, 1)), output[:1], atol=1e-5)


def test_gradients_reach_every_parameter() -> None:
    network = trained()
    assert_all_learn(network, network(evidence(), torch.ones(1, 1, 16, 1)).square().mean())
