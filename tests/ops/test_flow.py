import threading
from typing import get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from upreel.ops.flow import Dis, FlowProvider, dis_flow, find_flow, flow_to_neighbours
from upreel.ops.resize import resize


def texture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    """Smooth random luma."""
    coarse = torch.rand(height // 4, width // 4, generator=torch.manual_seed(seed))
    return resize(coarse, (height, width)).clamp(0, 1)


def test_finds_a_known_shift_with_its_sign() -> None:
    wide = texture(80, 128)
    clip = torch.stack([wide[8:72, 8 + 2 * t : 104 + 2 * t] for t in range(3)])[None, :, None]
    flow = flow_to_neighbours(clip, 1, 1, past=1, future=1)
    assert flow.shape == (1, 1, 2, 2, 64, 96)
    inside = flow[0, 0, :, :, 16:-16, 16:-16].mean((-2, -1))
    # The view moves right, so that things move left by 2 with each frame.
    torch.testing.assert_close(inside, torch.tensor([[2.0, 0.0], [-2.0, 0.0]]), atol=0.2, rtol=0)


def test_a_fraction_of_a_pixel_is_found() -> None:
    wide = texture(4 * 64, 4 * 96)
    views = [wide[:, start : start + 320] for start in (0, 5)]  # 5 / 4 of a small pixel
    small = [(resize(view, (64, 80)) * 255).round().byte().numpy() for view in views]
    flow = dis_flow(*small)[12:-12, 12:-12]
    np.testing.assert_allclose(flow.mean((0, 1)), [-1.25, 0], atol=0.03)
    assert np.abs(flow - [-1.25, 0]).mean() < 0.1


def test_no_neighbour_no_motion() -> None:
    clip = torch.stack([texture(32, 32, seed) for seed in range(2)])[None, :, None]
    flow = flow_to_neighbours(clip, 0, 1, past=1, future=1)
    assert flow.shape == (1, 1, 2, 2, 32, 32)
    assert flow[:, :, 0].abs().max() == 0
    assert flow[:, :, 1].abs().max() > 0


@pytest.mark.parametrize("size", [(1, 1), (2, 50), (33, 7), (16, 16)])
def test_any_size(size: tuple[int, int]) -> None:
    frame = np.zeros(size, np.uint8)
    assert dis_flow(frame, frame).shape == (*size, 2)


def test_threads_agree() -> None:
    frames = [(texture(64, 64, seed) * 255).byte().numpy() for seed in range(2)]
    expected = dis_flow(*frames)
    found: list[bool] = []

    def check() -> None:
        found.extend(bool(np.array_equal(dis_flow(*frames), expected)) for _ in range(5))

    threads = [threading.Thread(target=check) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 15


@pytest.mark.parametrize("provider", ["dis", "farneback", "variational"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_provider_finds_shifts_with_their_signs(
    provider: FlowProvider, channels: int
) -> None:
    wide = texture(72, 96)
    here, there = wide[8:56, 8:72], torch.stack([wide[10:58, 8:72], wide[8:56, 6:70]])
    frames = here.expand(2, channels, -1, -1)
    flow = find_flow(frames, there[:, None].expand_as(frames), provider=provider)
    assert flow.shape == (2, 2, 48, 64)
    inside = flow[..., 16:-16, 16:-16].mean((-2, -1))
    torch.testing.assert_close(inside, torch.tensor([[0.0, -2.0], [2.0, 0.0]]), atol=0.2, rtol=0)


@pytest.mark.parametrize("provider", get_args(FlowProvider))
def test_pairs_in_any_number_of_axes(provider: FlowProvider) -> None:
    clip = torch.stack([texture(32, 40, seed) for seed in range(6)]).view(2, 3, 1, 32, 40)
    flow = find_flow(clip, clip.flip(1), provider=provider)
    assert flow.shape == (2, 3, 2, 32, 40)
    assert flow.dtype == torch.float32
    assert flow[:, 1].abs().mean() < 0.1  # the frame in the middle is compared with itself
    assert (flow[:, 0].abs().mean() > 0.5) == (provider != "zeros")


def test_many_pairs_are_solved_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = torch.stack([texture(24, 28, seed) for seed in range(3)])[:, None]
    together = find_flow(clip, clip.flip(0), provider="variational")
    monkeypatch.setattr("upreel.ops.flow._AT_ONCE", 2 * 24 * 28)
    in_parts = find_flow(clip, clip.flip(0), provider="variational")
    torch.testing.assert_close(in_parts, together, atol=1e-3, rtol=0)


def test_neighbours_of_a_window_are_seen_by_the_provider_that_is_named() -> None:
    wide = texture(40, 72)
    clip = torch.stack([wide[:, 2 * t : 2 * t + 60] for t in range(5)])[None, :, None]
    flow = flow_to_neighbours(clip, 2, 1, past=3, future=1, provider="variational")
    assert flow.shape == (1, 2, 4, 2, 40, 60)
    across = flow[0, :, :, 0, 10:-10, 14:-14].mean((-2, -1))
    expected = torch.tensor([[0.0, 4.0, 2.0, -2.0], [6.0, 4.0, 2.0, -2.0]])
    torch.testing.assert_close(across, expected, atol=0.2, rtol=0)
    assert not flow[0, 0, 0].any()  # the first frame of the middle has two before it


@pytest.mark.parametrize("size", [(32, 40), (16, 63), (64, 64)])
def test_flow_of_small_frames_is_no_leftover(size: tuple[int, int]) -> None:
    """The first call of a new solver, in a thread of its own, is like the later ones."""
    frames = [(texture(*size, seed) * 255).byte().numpy() for seed in range(2)]
    found: list[NDArray[np.float32]] = []
    thread = threading.Thread(
        target=lambda: found.extend(dis_flow(*frames, kind="dis-half") for _ in range(3))
    )
    thread.start()
    thread.join()
    assert np.abs(found[0]).max() > 0
    for flow in found[1:]:
        np.testing.assert_array_equal(flow, found[0])


def test_half_of_the_resolution_finds_a_known_shift() -> None:
    wide = texture(120, 168)
    frame, neighbour = ((wide[8:108, 8 + x : 148 + x] * 255).byte().numpy() for x in (0, 6))
    flow = dis_flow(frame, neighbour, kind="dis-half")[20:-20, 20:-20]
    np.testing.assert_allclose(flow.mean((0, 1)), [-6, 0], atol=0.2)


@pytest.mark.parametrize("size", [(100, 140), (99, 139), (8, 9)])
def test_twice_the_resolution_gives_flow_of_the_frames(size: tuple[int, int]) -> None:
    wide = texture(size[0] + 16, size[1] + 16)
    frame, neighbour = (
        (wide[8 : 8 + size[0], x : x + size[1]] * 255).byte().numpy() for x in (8, 10)
    )
    flow = dis_flow(frame, neighbour, kind="dis-double")
    assert flow.shape == (*size, 2)
    assert flow.dtype == np.float32
    if min(size) > 50:
        np.testing.assert_allclose(flow[20:-20, 20:-20].mean((0, 1)), [-2, 0], atol=0.1)


def waves(shift: float) -> NDArray[np.uint8]:
    """Waves of 4 pixels and longer, moved to the right by any distance, 64x80."""
    random = np.random.default_rng(1)
    y, x = np.mgrid[:64, :80].astype(float)
    total = np.zeros((64, 80))
    for _ in range(60):
        across, down, phase = random.uniform((-0.2, -0.2, 0), (0.2, 0.2, 1))
        total += np.cos(2 * np.pi * (across * (x - shift) + down * y + phase))
    levels: NDArray[np.uint8] = (128 + 8 * total).clip(0, 255).round().astype(np.uint8)
    return levels


def test_twice_the_resolution_is_nearer_to_motion_by_fractions() -> None:
    errors = [
        float(np.abs(dis_flow(waves(0.3), waves(0), kind=kind)[8:-8, 8:-8] - [-0.3, 0]).mean())
        for kind in get_args(Dis)[::2]
    ]
    assert errors[1] < 0.8 * errors[0]
