from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from upreel.models.bicubic import Bicubic
from upreel.models.upscaler import Window

GOLDEN = Path(__file__).parent.parent / "golden"


def keys(distance: float) -> float:
    """The cubic convolution kernel of Keys 1981 with a = -0.5."""
    d = abs(distance)
    if d <= 1:
        return 1.5 * d**3 - 2.5 * d**2 + 1
    return -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2 if d < 2 else 0.0


def matrix(size: int, scale: int, shift: float) -> NDArray[np.float64]:
    """Interpolation along one axis by the definition, border mirrored."""
    weights = np.zeros((size * scale, size))
    for i in range(size * scale):
        centre = (i + 0.5) / scale - 0.5 + shift
        for k in range(math.floor(centre) - 1, math.floor(centre) + 3):
            at = k % (2 * size)
            weights[i, min(at, 2 * size - 1 - at)] += keys(centre - k)
    return weights


@pytest.mark.parametrize("size", [(9, 12), (3, 2), (1, 1)])
@pytest.mark.parametrize("phase", [0.0, -1.5, 0.5])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_values_are_those_of_the_definition(
    scale: int, phase: float, size: tuple[int, int]
) -> None:
    clip = torch.rand(1, 2, 1, *size, generator=torch.Generator().manual_seed(2))
    enlarged, _ = Bicubic(scale, phase=phase).step(Window(clip), {})
    rows, columns = (matrix(n, scale, -phase / scale) for n in size)
    assert enlarged.shape == (1, 2, 1, size[0] * scale, size[1] * scale)
    assert np.allclose(enlarged, rows @ clip.double().numpy() @ columns.T, atol=1e-6)


@pytest.mark.parametrize("case", ["even", "odd"])
def test_values_are_those_of_matlabs_imresize(case: str) -> None:
    with np.load(GOLDEN / f"imresize_{case}.npz") as golden:
        image, twice, part = (golden[key] for key in ("in_image", "out_up2", "out_up4__0"))
    clip = torch.from_numpy(image.astype(np.float32) / 255).permute(2, 0, 1)[:, None, None]
    for scale, expected in ((2, twice), (4, part)):
        enlarged = Bicubic(scale)(clip)[:, 0, 0].permute(1, 2, 0).numpy()
        kept = enlarged if scale == 2 else enlarged[0::3, 1::3]  # what the file holds of x4
        assert np.allclose(kept, expected, atol=2e-6)


def test_a_ramp_sampled_at_block_starts_is_put_where_it_was() -> None:
    truth = torch.arange(64.0).expand(64, 64)[None, None, None] / 64
    low = truth[..., ::4, ::4]
    aligned = Bicubic(4, phase=-1.5)(low)[..., 12:-12]
    plain = Bicubic(4)(low)[..., 12:-12]
    assert torch.allclose(aligned, truth[..., 12:-12], atol=1e-6)
    assert torch.allclose(plain, truth[..., 12:-12] - 1.5 / 64, atol=1e-6)


def test_the_halo_is_the_reach_of_the_kernel() -> None:
    assert Bicubic(4).spec.halo == 2
    assert Bicubic(4, phase=-1.5).spec.halo == 2
