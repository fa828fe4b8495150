from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from upreel.evaluation.baselines import find_baselines, find_filters
from upreel.evaluation.evaluate import run
from upreel.evaluation.linear_fit import FITTED
from upreel.evaluation.protocols import find_protocol
from upreel.inference.stages import Stages
from upreel.models.upscaler import Window
from upreel.ops.resize import imresize


def test_bicubic_is_aligned_where_the_degradation_shifts() -> None:
    plain = find_filters(find_protocol("val-bi-y8"))
    shifted = find_filters(find_protocol("val-bd-duf-y8"))
    assert "bicubic aligned" not in plain
    ramp = torch.arange(64.0).expand(64, 64)[None, None, None] / 64
    enlarged, _ = shifted["bicubic aligned"].step(Window(ramp[..., ::4, ::4]), {})
    assert torch.allclose(enlarged[..., 12:-12], ramp[..., 12:-12], atol=1e-6)


@pytest.mark.parametrize(("name", "scale"), FITTED)
def test_the_linear_filter_that_ships_keeps_flat_areas(name: str, scale: int) -> None:
    linear = find_filters(find_protocol(name, scale))["linear"]
    grey = torch.full((1, 1, 1, 9, 9), 0.75)
    enlarged, _ = linear.step(Window(grey), {})
    assert torch.allclose(enlarged, torch.tensor(0.75), atol=0.5 / 255)


def test_a_scale_that_was_not_fitted_has_no_linear_row() -> None:
    assert list(find_baselines(find_protocol("val-bi-y8", 8))) == ["bicubic"]


@pytest.mark.parametrize(("name", "share"), [("average", 0.5), ("repeat", 0.0)])
def test_between_frames_there_is_their_mean_or_the_first(name: str, share: float) -> None:
    found = find_baselines(find_protocol("stvsr-vid4"))
    assert list(found) == ["repeat+bicubic", "average+bicubic", "average+linear"]
    clip = torch.rand(3, 1, 6, 7)
    made = list(run(found[f"{name}+bicubic"], list(clip), 0.0, Stages()))
    assert len(made) == 6
    for given in range(3):
        torch.testing.assert_close(made[2 * given], imresize(clip[given], 4), atol=1e-5, rtol=0)
    for new, (before, after) in {1: (0, 2), 3: (2, 4), 5: (4, 4)}.items():
        mixed = made[before] + share * (made[after] - made[before])
        torch.testing.assert_close(made[new], mixed, atol=1e-5, rtol=0)


def test_scripts_that_use_pillow_are_compared_with_pillows_filter() -> None:
    upscaler = find_filters(find_protocol("ristn-script"))["bicubic by Pillow"]
    codes = np.random.default_rng(1).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    clip = torch.from_numpy(codes).permute(2, 0, 1)[None, None].float() / 255
    enlarged, _ = upscaler.step(Window(clip), {})
    expected = np.asarray(Image.fromarray(codes).resize((44, 36), Image.Resampling.BICUBIC))
    found = (enlarged[0, 0].permute(1, 2, 0) * 255).round().byte().numpy()
    assert (found != expected).mean() < 0.01  # Pillow's weights are whole numbers of 22 bits
    assert np.abs(found.astype(int) - expected).max() <= 1
