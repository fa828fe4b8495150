from typing import cast

import pytest
import torch
from torch import Tensor, nn

from tests.models.promises import assert_all_learn
from upreel.models.glide import Glide, Motion, guess, halve
from upreel.models.tiled import Tiled
from upreel.models.upscaler import Upscaler, Window

SMALL = {"channels": 16, "blocks": 1, "detail": 8}


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.manual_seed(seed))


def make_net(seed: int = 1) -> Glide:
    torch.manual_seed(seed)
    return Glide(**SMALL).eval()


def seen(frames: Tensor, flow: Tensor, past: int = 1) -> Window:
    """A window of four frames, or fewer, with flow between them, there and back."""
    return Window(frames, past, frames.shape[1] - 1 - past, {"flow_along": flow})


def steady(x: float, y: float, size: tuple[int, int]) -> Tensor:
    return torch.tensor([x, y]).view(1, 2, 1, 1).expand(1, 2, *size)


def moving(size: tuple[int, int], step: float) -> Window:
    """A ramp of luma that goes right by `step` columns with each frame."""
    columns = torch.arange(size[1]) / 200
    frames = torch.stack([(columns - step * t / 200).expand(1, 1, *size) for t in range(4)], 1)
    flow = torch.stack((steady(step, 0.0, size), steady(-step, 0.0, size)), 1)
    return seen(frames, flow.expand(1, 3, 2, 2, *size))


@pytest.mark.parametrize("size", [(1, 1), (9, 13), (16, 24)])
def test_any_size(size: tuple[int, int]) -> None:
    frames, flow = draw(2, 4, 1, *size), draw(2, 3, 2, 2, *size, seed=1) * 4 - 2
    (made,) = make_net().between(seen(frames, flow), [0.4])
    assert made.frame.shape == made.weight.shape == made.doubt.shape == (2, 1, *size)
    assert made.flow.shape == (2, 2, 2, *size)
    assert made.frame.dtype == torch.float32
    for share in (made.weight, made.doubt):
        assert 0 <= share.min() <= share.max() <= 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_flat_areas_keep_every_code_value(dtype: torch.dtype) -> None:
    codes = torch.arange(0, 4096, 16).float()
    frames = (codes / 4095).view(-1, 1, 1, 1, 1).expand(-1, 2, 1, 8, 8)
    nothing = torch.zeros(len(codes), 1, 2, 2, 8, 8)
    (made,) = make_net().to(dtype).between(seen(frames, nothing, past=0), [0.5])
    assert torch.equal((made.frame * 4095).round(), codes.view(-1, 1, 1, 1).expand(-1, 1, 8, 8))


@pytest.mark.parametrize("instant", [0.2, 0.5, 0.75])
def test_steady_motion_needs_no_learning(instant: float) -> None:
    window = moving((12, 64), 3.0)
    (made,) = make_net().between(window, [instant])
    expected = window.clip[:, 1] - 3 * instant / 200
    # Cubic interpolation (a = -0.75) is not exact on a ramp: up to 0.07 of its step.
    torch.testing.assert_close(made.frame[..., 8:-8], expected[..., 8:-8], atol=4e-4, rtol=0)
    inside = made.flow[..., 8:-8]
    torch.testing.assert_close(inside[:, 0], steady(-3 * instant, 0, (12, 48)))
    torch.testing.assert_close(inside[:, 1], steady(3 * (1 - instant), 0, (12, 48)))


@pytest.mark.parametrize("instant", [0.25, 0.5])
def test_motion_that_changes_is_at_the_place_of_a_body_under_even_acceleration(
    instant: float,
) -> None:
    velocity, acceleration = 4.0, 2.0  # at the frame before; so x = v t + a t**2 / 2

    def at(time: float) -> float:
        return velocity * time + acceleration * time**2 / 2

    size = (4, 5)
    there, back = steady(at(1), 0, size), steady(-at(1), 0, size)
    past, beyond = steady(at(-1), 0, size), steady(at(2) - at(1), 0, size)
    for found in guess(Motion(there, back, past, beyond), instant):
        torch.testing.assert_close(found[:, 0], steady(-at(instant), 0, size))
        torch.testing.assert_close(found[:, 1], steady(at(1) - at(instant), 0, size))
    for found in guess(Motion(there, back, -there, -back), instant):  # nothing tells of it
        torch.testing.assert_close(found[:, 0], steady(-at(1) * instant, 0, size))


def test_flow_is_followed_to_where_pixels_come_from() -> None:
    # A picture that is stretched: a pixel at x goes to 1.1 x; half-way it is at 1.05 x.
    places = (2 * torch.arange(40.0) + 0.5).expand(1, 1, 4, 40)  # of pixels at half resolution
    flow = torch.cat((places * 0.1, torch.zeros_like(places)), 1)
    still = torch.zeros_like(flow)
    _, near, far = guess(Motion(flow, still, -flow, still), 0.5)
    expected = (places / 1.05 - places)[..., :30]
    torch.testing.assert_close(near[:, 0, :1, :, :30], expected, atol=5e-3, rtol=0)
    torch.testing.assert_close(near[:, 1, :1, :, :30], -expected, atol=5e-3, rtol=0)
    assert not far.any()


def test_a_guess_along_which_neighbours_differ_has_no_weight() -> None:
    # Flow there is right, flow back says that nothing moves: what is mixed of both is wrong.
    wave = 0.5 + 0.5 * torch.sin(torch.arange(64.0) / 2)
    before, expected, after = (wave.roll(step).expand(1, 1, 16, 64) for step in (0, 3, 6))
    flow = torch.stack((steady(6.0, 0.0, (16, 64)), torch.zeros(1, 2, 16, 64)), 1)
    (made,) = make_net().between(
        seen(torch.stack((before, after), 1), flow[:, None], past=0), [0.5]
    )
    error, mixed = (
        (frame - expected).abs()[..., 16:-16].mean() for frame in (made.frame, (before + after) / 2)
    )
    assert error < 0.2 * mixed


def test_a_step_holds_the_last_frame_of_a_scene() -> None:
    net, frames = make_net(), draw(1, 2, 1, 8, 8)
    made, _ = net.step(seen(frames, torch.zeros(1, 1, 2, 2, 8, 8)), {})
    assert torch.equal(made, frames[:, 1:].expand(1, 2, 1, 8, 8))


def test_a_whole_clip_is_its_steps() -> None:
    net, clip = make_net(), draw(2, 4, 1, 16, 12)
    flow = torch.randn(2, 4, 2, 2, 16, 12, generator=torch.manual_seed(2))
    with torch.no_grad():
        whole, doubt = net.make_with_doubt(clip, flow, 3)
        assert whole.shape == doubt.shape == (2, 10, 1, 16, 12)
        assert torch.equal(whole[:, ::3], clip)
        assert not doubt[:, ::3].any()
        along = torch.stack((flow[:, :-1, 1], flow[:, 1:, 0]), 2)
        for at in range(3):
            past, future = min(at, 1), min(3 - at, 2)
            first, last = at - past, at + future
            window = seen(clip[:, first : last + 1], along[:, first:last], past)
            for place, made in enumerate(net.between(window, [1 / 3, 2 / 3])):
                expected = whole[:, 3 * at + 1 + place]
                torch.testing.assert_close(made.frame, expected, atol=1e-6, rtol=0)


def test_gradients_reach_every_parameter() -> None:
    net = make_net().train()
    for layer in (net.out, net.guess):  # it begins with nothing
        nn.init.normal_(layer.weight, std=0.01)
    clip, flow = draw(1, 3, 1, 16, 16), draw(1, 3, 2, 2, 16, 16, seed=1)
    whole, doubt = net.make_with_doubt(clip, flow, 2)
    assert_all_learn(net, whole.square().mean() + doubt.mean())


def test_bf16_is_close() -> None:
    frames = nn.functional.avg_pool2d(draw(2, 1, 36, 36), 5, 1)[None]
    window = seen(frames, torch.zeros(1, 1, 2, 2, 32, 32), past=0)
    (exact,), (rounded,) = (
        net.between(window, [0.5]) for net in (make_net(), make_net().to(torch.bfloat16))
    )
    torch.testing.assert_close(rounded.frame, exact.frame, atol=4e-3, rtol=0)


def test_tiles_reach_as_far_as_things_move() -> None:
    window = moving((8, 256), 60.0)
    net = cast(Upscaler, make_net())
    whole, _ = net.step(window, {})
    tiled, _ = Tiled(net, 64).step(window, {})
    torch.testing.assert_close(tiled, whole, atol=1e-5, rtol=0)


def test_half_of_an_odd_size_rounds_up() -> None:
    assert halve(torch.ones(1, 2, 5, 7)).tolist() == torch.ones(1, 2, 3, 4).tolist()


def test_it_keeps_the_size_of_frames() -> None:
    with pytest.raises(ValueError, match="a scale of 1, found 4"):
        Glide(4)
