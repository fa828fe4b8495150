from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from upreel.ops.blur import bd_basicvsr, bd_duf, gaussian_blur

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("scale", [2, 4])
def test_bd_duf_equals_the_authors_numbers(scale: int) -> None:
    with np.load(GOLDEN / "bd_duf.npz") as file:
        frames = torch.from_numpy(file["in_frames"]).double()
        expected = torch.from_numpy(file[f"out_duf_x{scale}"]).double()
    torch.testing.assert_close(bd_duf(frames, scale), expected, atol=1e-5, rtol=0)


def test_bd_basicvsr_equals_the_matlab_recipe() -> None:
    with np.load(GOLDEN / "bd_matlab12.npz") as file:
        image = torch.from_numpy(file["in_image"]).double().permute(2, 0, 1)
        expected = torch.from_numpy(file["out_lr_f64"]).permute(2, 0, 1)
    torch.testing.assert_close(bd_basicvsr(image), expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("sigma", [0.5, 1.6, 3.0])
def test_gaussian_blur_equals_scipy(sigma: float) -> None:
    image = torch.rand(2, 19, 23, dtype=torch.float64)
    expected = [ndimage.gaussian_filter(plane, sigma, mode="reflect") for plane in image.numpy()]
    blurred = gaussian_blur(image, sigma)
    torch.testing.assert_close(blurred, torch.from_numpy(np.stack(expected)), atol=1e-3, rtol=0)


def test_no_blur_is_the_image_itself() -> None:
    image = torch.rand(5, 5)
    assert gaussian_blur(image, 0) is image


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (4, 4)])
def test_small_images(size: tuple[int, int]) -> None:
    flat = torch.full(size, 0.5, dtype=torch.float64)
    torch.testing.assert_close(gaussian_blur(flat, 1.6), flat)
