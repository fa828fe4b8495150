from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from upreel.models.linear import Linear, fit, mirror
from upreel.models.upscaler import Window


def noise(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(7))


def test_the_fit_finds_the_filters_that_made_the_truth() -> None:
    made = Linear(2, size=3)
    made.kernel.copy_(noise(4, 1, 3, 3) - 0.4)
    lows = [noise(20, 24) for _ in range(2)]
    pairs = [(low, made(low[None, None, None])[0, 0, 0]) for low in lows]
    fitted = fit(pairs, 2, size=5).kernel
    assert torch.allclose(fitted[..., 1:4, 1:4], made.kernel, atol=1e-4)
    assert float(fitted[..., 0, :].abs().max()) < 1e-4


def test_the_fit_is_that_of_a_general_solver() -> None:
    low, high = noise(16, 18), noise(32, 36)
    rows = [
        low[y - 1 : y + 2, x - 1 : x + 2].flatten().numpy()
        for y in range(1, 15)
        for x in range(1, 17)
    ]
    target = [float(high[2 * y + 1, 2 * x]) for y in range(1, 15) for x in range(1, 17)]
    expected = np.linalg.lstsq(np.asarray(rows, np.float64), np.asarray(target), rcond=None)[0]
    assert np.allclose(fit([(low, high)], 2, size=3).kernel[2].flatten(), expected, atol=1e-5)


def test_flat_frames_do_not_break_the_fit() -> None:
    low, high = torch.full((9, 9), 0.5), torch.full((18, 18), 0.5)
    enlarged = fit([(low, high)], 2)(low[None, None, None])
    assert torch.allclose(enlarged, torch.tensor(0.5), atol=1e-3)


def test_a_truth_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"4 times as large as \(9, 9\), found \(18, 18\)"):
        fit([(noise(9, 9), noise(18, 18))], 4)


def test_unfitted_filters_repeat_samples() -> None:
    clip = noise(1, 3, 1, 5, 6)
    enlarged, state = Linear(3).step(Window(clip, past=1, future=1), {})
    assert torch.equal(enlarged, clip[:, 1:2].repeat_interleave(3, -1).repeat_interleave(3, -2))
    assert state == {}


@pytest.mark.parametrize("shape", [(4, 5), (1, 2)])
def test_the_border_is_mirrored_with_its_sample_repeated(shape: tuple[int, int]) -> None:
    image = noise(*shape)
    assert np.array_equal(mirror(image, 3), np.pad(image.numpy(), 3, mode="symmetric"))


def test_halo_is_half_a_filter() -> None:
    assert Linear(4, size=7).spec.halo == 3
