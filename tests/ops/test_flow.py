import threading

import numpy as np
import pytest
import torch

from upreel.ops.flow import dis_flow, flow_to_neighbours
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
