from typing import cast

import pytest
import torch
from torch import Tensor, nn

from upreel.models.glide import Glide, Motion, guess, halve
from upreel.models.tiled import Tiled
from upreel.models.upscaler import Upscaler, Window

SMALL = {"channels": 16, "blocks": 1, "detail": 8}


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.manual_seed(seed))


def make_net(seed: int = 1) -> Glide:
    torch.manual_seed(seed)
    return Glide(**SMALL).eval()


def silent() -> Glide:
    """A network that adds nothing and has no guess of its own."""
    net = make_net()
    for layer in (net.out, net.guess):
        nn.init.zeros_(layer.weight)
    return net


def seen(frames: Tensor, flow: Tensor, back: Tensor) -> Window:
    """A window of three frames `(B, 3, 1, H, W)`, flow to and from both neighbours."""
    return Window(frames, 1, 1, {"flow": flow[:, None], "flow_back": back[:, None]})


def steady(x: float, y: float, size: tuple[int, int]) -> Tensor:
    return torch.tensor([x, y]).view(1, 2, 1, 1).expand(1, 2, *size)


def moving(size: tuple[int, int], step: float) -> Window:
    """A ramp of luma that goes right by `step` columns with each frame."""
    columns = torch.arange(size[1]) / 200
    frames = torch.stack([(columns - step * t / 200).expand(1, 1, *size) for t in range(3)], 1)
    flow = torch.stack((steady(-step, 0.0, size), steady(step, 0.0, size)), 1)
    return seen(frames, flow, -flow)


@pytest.mark.parametrize("size", [(1, 1), (9, 13), (16, 24)])
def test_any_size(size: tuple[int, int]) -> None:
    frames, flow = draw(2, 3, 1, *size), draw(2, 2, 2, *size, seed=1) * 4 - 2
    (made,) = make_net().between(seen(frames, flow, -flow), [0.4])
    assert made.frame.shape == made.weight.shape == made.doubt.shape == (2, 1, *size)
    assert made.flow.shape == (2, 2, 2, *size)
    assert made.frame.dtype == torch.float32
    for share in (made.weight, made.doubt):
        assert 0 <= share.min() <= share.max() <= 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_flat_areas_keep_every_code_value(dtype: torch.dtype) -> None:
    codes = torch.arange(0, 4096, 16).float()
    frames = (codes / 4095).view(-1, 1, 1, 1, 1).expand(-1, 3, 1, 8, 8)
    nothing = torch.zeros(len(codes), 2, 2, 8, 8)
    (made,) = silent().to(dtype).between(seen(frames, nothing, nothing), [0.5])
    assert torch.equal((made.frame * 4095).round(), codes.view(-1, 1, 1, 1).expand(-1, 1, 8, 8))


@pytest.mark.parametrize("instant", [0.2, 0.5, 0.75])
def test_steady_motion_needs_no_learning(instant: float) -> None:
    window = moving((12, 64), 3.0)
    (made,) = silent().between(window, [instant])
    expected = window.clip[:, 1] - 3 * instant / 200
    torch.testing.assert_close(made.frame[..., 8:-8], expected[..., 8:-8], atol=1e-5, rtol=0)
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
    flows = Motion(steady(at(1), 0, size), steady(-at(1), 0, size), steady(at(-1), 0, size))
    mixed, near, far, bent = guess(flows, instant)
    for found in (mixed, bent):
        torch.testing.assert_close(found[:, 0], steady(-at(instant), 0, size))
        torch.testing.assert_close(found[:, 1], steady(at(1) - at(instant), 0, size))
    for found in (near, far):  # these know nothing of it
        torch.testing.assert_close(found[:, 0], steady(-at(1) * instant, 0, size))


def test_flow_is_followed_to_where_pixels_come_from() -> None:
    # A picture that is stretched: a pixel at x goes to 1.1 x; half-way it is at 1.05 x.
    places = (2 * torch.arange(40.0) + 0.5).expand(1, 1, 4, 40)  # of pixels at half resolution
    flow = torch.cat((places * 0.1, torch.zeros_like(places)), 1)
    still = torch.zeros_like(flow)
    _, near, _, bent = guess(Motion(flow, still, -flow), 0.5)
    source = places / 1.05
    for found in (near, bent):
        expected = (source - places)[..., :30]
        torch.testing.assert_close(found[:, 0, :1, :, :30], expected, atol=5e-3, rtol=0)
        torch.testing.assert_close(found[:, 1, :1, :, :30], -expected, atol=1e-2, rtol=0)


def test_a_guess_along_which_neighbours_differ_has_no_weight() -> None:
    # Flow there is right, flow back says that nothing moves: what is mixed of both is wrong.
    window = moving((16, 64), 6.0)
    wave = 0.5 + 0.5 * torch.sin(torch.arange(64.0) / 2)
    frames = torch.stack([wave.roll(6 * t).expand(1, 1, 16, 64) for t in range(3)], 1)
    flow, still = window.inputs["flow"][:, 0], torch.zeros(1, 2, 2, 16, 64)
    (made,) = silent().between(seen(frames, flow, still), [0.5])
    (_, expected, _) = (wave.roll(step) for step in (0, 9, 12))
    error = (made.frame[0, 0] - expected).abs()[:, 16:-16].mean()
    assert error < 0.03
    assert error < 0.2 * ((frames[:, 1] + frames[:, 2]) / 2 - expected).abs()[..., 16:-16].mean()


def test_a_step_holds_the_last_frame_of_a_scene() -> None:
    net, frames = make_net(), draw(1, 2, 1, 8, 8)
    flow = torch.zeros(1, 2, 2, 8, 8)
    window = Window(frames, 1, 0, {"flow": flow[:, None], "flow_back": flow[:, None]})
    made, _ = net.step(window, {})
    assert torch.equal(made, frames[:, 1:].expand(1, 2, 1, 8, 8))


def test_a_whole_clip_is_its_steps() -> None:
    net, clip = make_net(), draw(2, 3, 1, 16, 12)
    flow = torch.randn(2, 3, 2, 2, 16, 12, generator=torch.manual_seed(2))
    with torch.no_grad():
        whole, doubt = net.make_with_doubt(clip, flow, 3)
        assert whole.shape == doubt.shape == (2, 7, 1, 16, 12)
        assert torch.equal(whole[:, ::3], clip)
        assert not doubt[:, ::3].any()
        for at in range(2):
            past = min(at, 1)
            none = torch.zeros_like(flow[:, 0, 0])
            there = torch.stack((flow[:, at, 0] if past else none, flow[:, at, 1]), 1)
            back = torch.stack((none, flow[:, at + 1, 0]), 1)
            window = Window(
                clip[:, at - past : at + 2],
                past,
                1,
                {"flow": there[:, None], "flow_back": back[:, None]},
            )
            for place, made in enumerate(net.between(window, [1 / 3, 2 / 3])):
                expected = whole[:, 3 * at + 1 + place]
                torch.testing.assert_close(made.frame, expected, atol=1e-6, rtol=0)


def test_gradients_reach_every_parameter() -> None:
    net = make_net().train()
    clip, flow = draw(1, 3, 1, 16, 16), draw(1, 3, 2, 2, 16, 16, seed=1)
    whole, doubt = net.make_with_doubt(clip, flow, 2)
    (whole.square().mean() + doubt.mean()).backward()  # type: ignore[no-untyped-call]
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_bf16_is_close() -> None:
    frames = nn.functional.avg_pool2d(draw(3, 1, 36, 36), 5, 1)[None]
    flow = torch.zeros(1, 2, 2, 32, 32)
    window = seen(frames, flow, flow)
    (exact,), (rounded,) = (
        net.between(window, [0.5]) for net in (make_net(), make_net().to(torch.bfloat16))
    )
    torch.testing.assert_close(rounded.frame, exact.frame, atol=4e-3, rtol=0)


def test_tiles_reach_as_far_as_things_move() -> None:
    window = moving((8, 256), 60.0)
    net = cast(Upscaler, silent())
    whole, _ = net.step(window, {})
    tiled, _ = Tiled(net, 64).step(window, {})
    torch.testing.assert_close(tiled, whole, atol=1e-5, rtol=0)


def test_half_of_an_odd_size_rounds_up() -> None:
    assert halve(torch.ones(1, 2, 5, 7)).tolist() == torch.ones(1, 2, 3, 4).tolist()


def test_it_keeps_the_size_of_frames() -> None:
    with pytest.raises(ValueError, match="a scale of 1, found 4"):
        Glide(4)
