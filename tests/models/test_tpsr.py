from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from upreel.inference.loop import enlarge
from upreel.models.tiled import Tiled
from upreel.models.tpsr import TPSR, shuffle, to_frames, to_profiles
from upreel.models.upscaler import Window


@pytest.fixture(scope="module")
def tiny() -> TPSR:
    torch.manual_seed(0)
    network = TPSR(variant="tiny").eval().requires_grad_(False)
    network.last.weight.mul_(100)  # so that what differs shows
    return network


def index_coded(*sizes: int) -> Tensor:
    """Every element says where it lies."""
    return torch.arange(torch.Size(sizes).numel()).view(sizes)


def test_its_size() -> None:
    assert sum(p.numel() for p in TPSR().parameters()) == 1_903_363


def test_a_profile_is_a_line_through_time() -> None:
    clip = index_coded(2, 5, 3, 4, 7)
    profiles = to_profiles(clip)
    assert profiles.shape == (2 * 4, 3, 5, 7)
    for b, y in itertools.product(range(2), range(4)):
        assert torch.equal(profiles[b * 4 + y], clip[b, :, :, y].transpose(0, 1))
    assert torch.equal(to_frames(profiles, 4), clip)


@pytest.mark.parametrize(("rows", "columns"), [(2, 4), (2, 3), (3, 2), (4, 1), (1, 1)])
def test_a_shuffle_brings_every_channel_to_its_place(rows: int, columns: int) -> None:
    image = index_coded(2, 3 * rows * columns, 4, 5)
    shuffled = shuffle(image, rows, columns)
    assert shuffled.shape == (2, 3, 4 * rows, 5 * columns)
    for c, y, x in itertools.product(range(3), range(4 * rows), range(5 * columns)):
        channel = (c * rows + y % rows) * columns + x % columns
        assert torch.equal(shuffled[:, c, y, x], image[:, channel, y // rows, x // columns])
    if rows == columns:
        assert torch.equal(shuffled, torch.pixel_shuffle(image, rows))


@pytest.mark.parametrize("frames", [1, 2, 3, 5, 9, 16])
@pytest.mark.parametrize(("height", "width"), [(5, 8), (8, 5)])
def test_any_number_of_frames_of_any_size(tiny: TPSR, frames: int, height: int, width: int) -> None:
    clip = torch.rand(1, frames, 3, height, width)
    assert tiny(clip).shape == (1, 2 * frames - 1, 3, 4 * height, 4 * width)


@pytest.mark.parametrize("scale", [2, 3])
def test_other_scales(scale: int) -> None:
    network = TPSR(scale, variant="tiny")
    assert network(torch.rand(2, 3, 3, 6, 5)).shape == (2, 5, 3, 6 * scale, 5 * scale)


def test_what_it_adds_to_is_bicubic_of_frames_and_of_means() -> None:
    network = TPSR(variant="tiny").requires_grad_(False)
    network.last.weight.zero_()
    network.last.bias.zero_()  # type: ignore[union-attr]
    clip = torch.rand(1, 3, 3, 6, 7)
    high = network(clip)[0]
    low = torch.stack(
        (clip[0, 0], clip[0, :2].mean(0), clip[0, 1], clip[0, 1:].mean(0), clip[0, 2])
    )
    bicubic = torch.nn.functional.interpolate(low, scale_factor=4, mode="bicubic")
    torch.testing.assert_close(high, bicubic, atol=1e-6, rtol=0)


def test_given_frames_come_back_at_even_places(tiny: TPSR) -> None:
    # A frame that alone is bright shows where it was, and half of it between.
    clip = torch.zeros(1, 5, 3, 6, 7)
    clip[:, 2] = 1
    network = TPSR(variant="tiny").requires_grad_(False)
    network.last.weight.zero_()
    network.last.bias.zero_()  # type: ignore[union-attr]
    levels = network(clip).mean((0, 2, 3, 4))
    torch.testing.assert_close(levels, torch.tensor([0, 0, 0, 0.5, 1, 0.5, 0, 0, 0]))


def test_motion_across_the_lines_is_seen(tiny: TPSR) -> None:
    # Without an exchange, what happens in other lines would not count.
    clip = torch.rand(1, 3, 3, 12, 8)
    other = clip.clone()
    other[..., 8:, :] = 0
    changed = (tiny(clip) - tiny(other)).abs().amax((0, 1, 2, 4))
    assert (changed[24:32] > 1e-4).all()


def run(network: TPSR, clip: Tensor, cut: int | None = None) -> Tensor:
    made = enlarge(network, enumerate(clip), begins_scene=lambda number: number == cut)
    return torch.stack([frame for _, frame in made])


def test_a_stream_equals_the_whole_clip_where_windows_hold_it(tiny: TPSR) -> None:
    clip = torch.rand(5, 3, 6, 7)
    made, whole = run(tiny, clip), tiny(clip[None])[0]
    assert made.shape == (10, 3, 24, 28)
    # The windows of five frames begin with the first and end with the last one.
    torch.testing.assert_close(made[:9], whole, atol=1e-5, rtol=0)
    assert torch.equal(made[9], made[8])  # there is no next frame


def test_a_long_stream_is_close_to_the_whole_clip(tiny: TPSR) -> None:
    clip = torch.rand(16, 3, 6, 7)
    made, whole = run(tiny, clip)[:31], tiny(clip[None])[0]
    change = (whole - tiny(torch.zeros_like(clip)[None])[0]).square().mean()
    assert (made - whole).square().mean() < 1e-3 * change


def test_nothing_is_mixed_across_a_cut(tiny: TPSR) -> None:
    one, other = torch.rand(3, 3, 6, 7), torch.rand(4, 3, 6, 7)
    made = run(tiny, torch.cat((one, other)), cut=3)
    assert torch.equal(made, torch.cat((run(tiny, one), run(tiny, other))))


def test_tiles_equal_the_whole_frame(tiny: TPSR) -> None:
    clip = torch.rand(1, 3, 3, 20, 48)
    tiled, _ = Tiled(tiny, 12).step(Window(clip, 1, 1), {})
    whole, _ = tiny.step(Window(clip, 1, 1), {})
    torch.testing.assert_close(tiled, whole, atol=1e-5, rtol=0)


def test_strips_equal_the_whole_frame(tiny: TPSR, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = torch.rand(1, 2, 3, 11, 6)
    whole = tiny(clip)
    monkeypatch.setattr("upreel.models.tpsr._STRIP", 6 * 4)
    torch.testing.assert_close(tiny(clip), whole, atol=1e-5, rtol=0)


def test_bf16_is_close(tiny: TPSR) -> None:
    clip = torch.rand(1, 3, 3, 6, 7)
    low = TPSR(variant="tiny").requires_grad_(False)
    low.load_state_dict(tiny.state_dict())
    made, whole = low.bfloat16()(clip), tiny(clip)
    assert made.dtype == torch.float32
    assert (made - whole).square().mean() < 1e-3 * whole.var()


def test_gradients_reach_every_parameter() -> None:
    network = TPSR(variant="tiny")
    network(torch.rand(1, 2, 3, 6, 6)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())
