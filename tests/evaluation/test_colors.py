from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.color import rgb2ycbcr

from upreel.evaluation.colors import from_seen, to_scored, to_seen
from upreel.evaluation.protocols import find_protocol
from upreel.metrics.colors import to_luma

RGB = torch.rand(3, 8, 12, generator=torch.Generator().manual_seed(1))


def test_luma_is_that_of_scikit_image() -> None:
    expected = rgb2ycbcr(RGB.permute(1, 2, 0).numpy())[..., 0]
    assert np.allclose(to_luma(RGB)[0] * 255, expected, atol=1e-3)


def test_an_rgb_network_sees_grey_of_luma_and_gives_that_luma_back() -> None:
    luma = to_luma(RGB)
    seen = to_seen(luma, "rgb")
    assert torch.equal(seen[0], seen[2])
    assert torch.allclose(from_seen(seen, luma, phase=0), luma, atol=1e-6)


def test_a_luma_network_gets_its_colours_back() -> None:
    flat = torch.tensor([0.9, 0.2, 0.4])[:, None, None].expand(3, 8, 12)
    enlarged = to_seen(flat, "luma").repeat(1, 4, 4)
    found = from_seen(enlarged, flat, phase=-1.5)
    assert torch.allclose(found, flat.repeat(1, 4, 4), atol=1e-5)


@pytest.mark.parametrize("name", ["reds4-bi-rgb", "vid4-bi-y", "rbpn-script", "ristn-script"])
def test_levels_are_those_of_the_protocol(name: str) -> None:
    scored = to_scored(RGB * 1.1, find_protocol(name)) * 255
    clipped = (RGB * 1.1 * 255).round().clamp(0, 255)
    luma = rgb2ycbcr(clipped.permute(1, 2, 0).numpy() / 255)[..., 0]
    expected = {
        "reds4-bi-rgb": clipped.numpy(),
        "vid4-bi-y": luma[None],
        "rbpn-script": (RGB * 1.1 * 255).numpy(),
        "ristn-script": np.floor(luma[None] + 1e-4),
    }[name]
    assert np.allclose(scored, expected, atol=2e-3)
