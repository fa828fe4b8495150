from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.golden_case import Case
from upreel.errors import UsageError
from upreel.losses import make_loss
from upreel.losses.seen import Seen
from upreel.losses.warp_direction import warp_both_ways
from upreel.models.dflow import DFlow

ONE = torch.ones(1)


def see(low: Tensor, motion: Tensor | None) -> Seen:
    return Seen(low, low, ONE, low=low, motion=motion)


def moving() -> tuple[Tensor, Tensor]:
    """Three frames of a texture that moves right by one pixel each, empty at both sides."""
    low = torch.zeros(1, 3, 1, 6, 12)
    texture = torch.rand(6, 6, generator=torch.Generator().manual_seed(5))
    for time in range(3):
        low[0, time, 0, :, 2 + time : 8 + time] = texture
    motion = torch.zeros(1, 3, 2, 2, 6, 12)
    motion[:, 1:, 0, 0], motion[:, :-1, 1, 0] = -1, 1
    return low, motion


def test_true_motion_satisfies_the_corrected_direction_and_its_opposite_the_published() -> None:
    low, motion = moving()
    for direction, sign in (("corrected", 1), ("published", -1)):
        loss = make_loss("own-motion", {"direction": direction})
        assert float(loss(see(low, sign * motion))) == pytest.approx(2e-6, rel=0.1)
        still = float(loss(see(low, torch.zeros_like(motion))))
        assert still > 0.1
        assert float(loss(see(low, -sign * motion))) > still


def test_the_published_direction_warps_what_the_authors_warp() -> None:
    case = Case.read("dflow_n5")
    network = DFlow().eval().requires_grad_(False)
    case.fill(network)
    low = case.inputs["frames"]
    _, motion = network.enlarge_with_motion(low)
    for name, warped in zip(
        ("warped_forward", "warped_backward"),
        warp_both_ways(low, motion, direction="published"),
        strict=True,
    ):
        case.compare(name, warped)
    errors = [case.outputs[f"warped_{way}"] - low for way in ("forward", "backward")]
    expected = sum(float((error**2 + 1e-12).sqrt().mean()) for error in errors)
    assert float(make_loss("own-motion")(see(low, motion))) == pytest.approx(expected, rel=1e-5)


def test_the_gradient_reaches_the_motion() -> None:
    low, motion = moving()
    motion = (0.5 * motion).requires_grad_()
    make_loss("own-motion", {"direction": "corrected"})(see(low, motion)).backward()  # type: ignore[no-untyped-call]
    assert motion.grad is not None
    assert float(motion.grad[:, 1:, 0, 0].sum()) > 0  # further to the left
    assert float(motion.grad[:, :-1, 1, 0].sum()) < 0


def test_it_wants_a_network_that_finds_motion() -> None:
    with pytest.raises(UsageError, match="'own-motion' expects a network that finds motion itself"):
        make_loss("own-motion")(see(torch.zeros(1, 2, 3, 4, 4), None))
