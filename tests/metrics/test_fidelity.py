from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from torch import Tensor

from upreel.metrics import psnr, ssim

GOLDEN = Path(__file__).parent.parent / "golden" / "psnr_ssim.npz"
METRICS = {"psnr": psnr, "ssim": ssim}


def frame(pixels: NDArray[np.generic], color: str) -> Tensor:
    """`(H, W, 3)` of 0..255 as `(C, H, W)` of 0..1; luma is of BT.601, not rounded."""
    rgb = torch.from_numpy(pixels.astype(np.float64) / 255).permute(2, 0, 1)
    if color == "rgb":
        return rgb
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=torch.float64).view(3, 1, 1)
    return ((weights * rgb).sum(0, keepdim=True) + 16) / 255


@pytest.mark.parametrize("name", ["psnr", "ssim"])
@pytest.mark.parametrize("color", ["rgb", "y"])
@pytest.mark.parametrize("border", [0, 4, 8])
@pytest.mark.parametrize("image", ["noise", "blur", "shift", "bad"])
def test_scores_equal_those_of_basicsr(name: str, color: str, border: int, image: str) -> None:
    with np.load(GOLDEN) as golden:
        truth, output = golden["in_gt"], golden[f"in_{image}"]
        expected = float(golden[f"out_{name}_{image}_crop{border}_{color}"])
    score = METRICS[name](frame(output, color), frame(truth, color), border=border)
    assert score == pytest.approx(expected, abs=1e-4)


def test_values_that_are_not_rounded_are_scored_as_they_are() -> None:
    with np.load(GOLDEN) as golden:
        truth, output = golden["in_gt"], golden["in_float"]
        expected = float(golden["out_psnr_float_crop4_y"])
    score = psnr(frame(output, "y"), frame(truth, "y"), border=4)
    assert score == pytest.approx(expected, abs=1e-4)


def test_ssim_equals_that_of_scikit_image() -> None:
    random = np.random.default_rng(3)
    truth = random.random((40, 52))
    output = np.clip(truth + random.normal(0, 0.1, truth.shape), 0, 1)
    expected = structural_similarity(  # type: ignore[no-untyped-call]
        output, truth, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    score = ssim(torch.from_numpy(output), torch.from_numpy(truth))
    assert score == pytest.approx(float(expected), abs=1e-6)


def test_psnr_of_a_constant_error_is_its_closed_form() -> None:
    truth = torch.full((1, 9, 7), 0.5)
    assert psnr(truth + 0.1, truth) == pytest.approx(20, abs=1e-4)
    assert psnr(truth, truth) == math.inf


def test_ssim_of_a_frame_with_itself_is_one() -> None:
    truth = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(1))
    assert ssim(truth, truth) == pytest.approx(1)


def test_what_lies_in_the_border_does_not_count() -> None:
    truth = torch.zeros(1, 20, 20)
    output = truth.clone()
    output[:, :4] = 1
    output[:, :, -4:] = 1
    assert psnr(output, truth, border=4) == math.inf
    assert psnr(output, truth, border=3) < 20


def test_frames_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one size, found \(1, 8, 8\) and \(1, 8, 9\)"):
        psnr(torch.zeros(1, 8, 8), torch.zeros(1, 8, 9))
    with pytest.raises(ValueError, match="nothing of a 8x8 frame is inside a border of 4"):
        psnr(torch.zeros(1, 8, 8), torch.zeros(1, 8, 8), border=4)
    with pytest.raises(ValueError, match="at least 11x11 pixels inside the border, found 10x20"):
        ssim(torch.zeros(1, 20, 10), torch.zeros(1, 20, 10))
