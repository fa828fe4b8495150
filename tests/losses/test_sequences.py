from __future__ import annotations

import pytest
import torch
from torch import Tensor

from upreel.errors import UsageError
from upreel.losses import make_loss
from upreel.losses.pixels import charbonnier
from upreel.losses.seen import Seen
from upreel.losses.sequences import visible_in_both

HALVES = torch.tensor([0.5, 0.5])


def moving(columns: int = 24) -> tuple[Tensor, Tensor]:
    """A texture that moves right by one low (two high) pixels, and its flow."""
    wide = torch.rand(16, columns + 2, generator=torch.Generator().manual_seed(3))
    frames = torch.stack((wide[:, 2:], wide[:, :-2]))[None, :, None]
    flow = torch.zeros(1, 2, 2, 2, 8, columns // 2)
    flow[:, :, 0, 0], flow[:, :, 1, 0] = -1, 1
    return frames, flow


def test_warping_finds_no_change_in_what_only_moves() -> None:
    frames, flow = moving()
    loss = make_loss("warp", {"of": "output"})
    assert float(loss(Seen(frames, frames, HALVES, flow))) < 1e-5
    still = torch.zeros_like(flow)
    assert float(loss(Seen(frames, frames, HALVES, still))) > 0.1


def test_warping_of_the_error_sees_flicker_and_not_what_is_always_wrong() -> None:
    frames, flow = moving()
    loss = make_loss("warp")
    assert float(loss(Seen(frames + 0.1, frames, HALVES, flow))) == pytest.approx(0, abs=1e-6)
    flicker = frames + torch.tensor([0.1, -0.2]).view(1, 2, 1, 1, 1)
    assert float(loss(Seen(flicker, frames, HALVES, flow))) == pytest.approx(0.3, rel=1e-4)


def test_what_is_hidden_does_not_count() -> None:
    frames, flow = moving()
    spoilt = frames.clone()
    spoilt[:, 1, ..., :1] += 1  # comes from outside the frame
    loss = make_loss("warp", {"of": "output"})
    assert float(loss(Seen(spoilt, frames, HALVES, flow))) < 1e-5


def test_flow_that_does_not_come_back_means_hidden() -> None:
    there = torch.zeros(1, 2, 4, 6)
    back = torch.zeros(1, 2, 4, 6)
    back[:, 0, :, 3] = 2
    expected = torch.ones(1, 1, 4, 6)
    expected[..., 3] = 0
    assert torch.equal(visible_in_both(there, back), expected)


def test_flow_weighted_is_charbonnier_where_all_moves_alike() -> None:
    frames, flow = moving()
    truth = torch.rand_like(frames)
    found = make_loss("flow-weighted")(Seen(frames, truth, HALVES, flow))
    assert float(found) == pytest.approx(float(charbonnier(frames, truth, HALVES)), rel=1e-5)


def test_flow_weighted_counts_what_moves_by_one_plus_gain() -> None:
    flow = torch.zeros(1, 2, 2, 2, 4, 8)
    flow[..., 1, :, :, 4:] = 0
    flow[:, 0, 1, 0, :, 4:] = 9
    flow[:, 1, 0, 1, :, 4:] = -9
    truth, output = torch.zeros(1, 2, 1, 4, 8), torch.zeros(1, 2, 1, 4, 8)
    output[..., 4:] = 0.5
    found = make_loss("flow-weighted", {"gain": 3.0, "eps": 1e-6})(
        Seen(output, truth, HALVES, flow)
    )
    assert float(found) == pytest.approx(0.5 * (4 / 2.5) / 2, rel=1e-4)


def test_ping_pong_compares_the_way_there_with_the_way_back() -> None:
    values = torch.tensor([0.1, 0.4, 0.9, 0.6, 0.2]).view(1, 5, 1, 1, 1).expand(1, 5, 1, 3, 3)
    loss = make_loss("ping-pong")
    found = loss(Seen(values, values, torch.full((5,), 0.2)))
    assert float(found) == pytest.approx((0.1 + 0.2) / 2)
    # As the loader mirrors: the last frame comes twice.
    found = loss(Seen(values[:, :4], values[:, :4], torch.full((4,), 0.25)))
    assert float(found) == pytest.approx((0.5 + 0.5) / 2)
    with pytest.raises(UsageError, match=r"mirrored sequence of 2 frames or more, found 1"):
        loss(Seen(values[:, :1], values[:, :1], torch.ones(1)))


@pytest.mark.parametrize("name", ["warp", "flow-weighted"])
def test_motion_has_to_be_there(name: str) -> None:
    frames, flow = moving()
    with pytest.raises(UsageError, match=rf"'{name}' expects optical flow, found none"):
        make_loss(name)(Seen(frames, frames, HALVES))
    with pytest.raises(UsageError, match=r"2 frames or more, found 1"):
        make_loss(name)(Seen(frames[:, :1], frames[:, :1], torch.ones(1), flow[:, :1]))


@pytest.mark.parametrize("name", ["warp", "flow-weighted"])
def test_the_gradient_reaches_the_output(name: str) -> None:
    frames, flow = moving()
    output = torch.rand_like(frames).requires_grad_()
    make_loss(name)(Seen(output, frames, HALVES, flow)).backward()  # type: ignore[no-untyped-call]
    assert output.grad is not None
    assert (output.grad != 0).float().mean() > 0.8
