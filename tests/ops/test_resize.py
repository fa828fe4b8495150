import math
from pathlib import Path

import numpy as np
import pytest
import torch

from upreel.ops.resize import imresize, resize, taps

GOLDEN = Path(__file__).parents[1] / "golden"


def golden(name: str) -> dict[str, torch.Tensor]:
    with np.load(GOLDEN / f"{name}.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file if file[key].ndim}


@pytest.mark.parametrize("name", ["imresize_even", "imresize_odd"])
@pytest.mark.parametrize(("key", "scale"), [("down2", 1 / 2), ("down3", 1 / 3), ("down4", 1 / 4)])
def test_reduces_as_matlab_does(name: str, key: str, scale: float) -> None:
    case = golden(name)
    low = imresize(case["in_image"].permute(2, 0, 1).double() / 255, scale).permute(1, 2, 0)
    torch.testing.assert_close(low, case[f"out_{key}"].double(), atol=1e-6, rtol=0)
    rounded = (low * 255).round().clamp(0, 255).int()
    difference = (rounded - case[f"out_{key}_uint8"].int()).abs()
    assert difference.max() <= 1
    assert (difference > 0).double().mean() < 0.002


@pytest.mark.parametrize("name", ["imresize_even", "imresize_odd"])
def test_enlarges_as_matlab_does(name: str) -> None:
    case = golden(name)
    image = case["in_image"].permute(2, 0, 1).double() / 255
    twice = imresize(image, 2).permute(1, 2, 0)
    torch.testing.assert_close(twice, case["out_up2"].double(), atol=1e-6, rtol=0)
    four = imresize(image, 4).permute(1, 2, 0)[0::3, 1::3]
    torch.testing.assert_close(four, case["out_up4__0"].double(), atol=2e-6, rtol=0)


def test_without_antialiasing() -> None:
    case = golden("imresize_odd")
    image = case["in_image"].permute(2, 0, 1).double() / 255
    low = resize(image, (16, 21), scale=0.25, antialias=False).permute(1, 2, 0)
    torch.testing.assert_close(low, case["out_down4_noaa"].double(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("kernel", ["cubic", "lanczos3", "linear"])
@pytest.mark.parametrize("size", [(7, 9), (13, 5), (40, 41), (1, 1)])
def test_flat_stays_flat(kernel: str, size: tuple[int, int]) -> None:
    flat = torch.full((2, 13, 17), 235 / 255)
    resized = resize(flat, size, kernel=kernel)  # type: ignore[arg-type]
    assert resized.shape == (2, *size)
    torch.testing.assert_close(resized, torch.full((2, *size), 235 / 255), atol=1e-6, rtol=0)


@pytest.mark.parametrize("kernel", ["cubic", "lanczos3", "linear"])
def test_same_size_changes_nothing(kernel: str) -> None:
    image = torch.rand(11, 12)
    torch.testing.assert_close(resize(image, (11, 12), kernel=kernel), image)  # type: ignore[arg-type]


def test_shift_moves_the_sampling_position() -> None:
    ramp = torch.arange(32, dtype=torch.float64).expand(4, 32)
    low = resize(ramp, (4, 16), scale=(1.0, 0.5), shift=(0.0, -0.25))
    torch.testing.assert_close(low[0, 3:-3], (torch.arange(16) * 2 + 0.25).double()[3:-3])


def test_lanczos_against_its_closed_form() -> None:
    impulse = torch.zeros(1, 21, dtype=torch.float64)
    impulse[0, 10] = 1
    high = resize(impulse, (1, 42), kernel="lanczos3")[0]
    distance = (torch.arange(42) + 0.5) / 2 - 0.5 - 10
    expected = torch.where(
        distance.abs() < 3, torch.sinc(distance) * torch.sinc(distance / 3), 0
    ).double()
    # The taps are normalised to a sum of 1, which the plain formula misses by under one percent.
    torch.testing.assert_close(high, expected, atol=0.01, rtol=0)


@pytest.mark.parametrize(("size", "out"), [(5, 3), (3, 5), (1, 9), (64, 1)])
def test_weights_sum_to_one_and_indices_are_inside(size: int, out: int) -> None:
    index, weight = taps(size, out)
    torch.testing.assert_close(weight.sum(1), torch.ones(out, dtype=torch.float64))
    assert int(index.min()) >= 0
    assert int(index.max()) < size


def test_output_size_is_rounded_up() -> None:
    assert imresize(torch.zeros(61, 83), 1 / 4).shape == (math.ceil(61 / 4), math.ceil(83 / 4))


def test_refuses_integers_and_empty_sizes() -> None:
    with pytest.raises(TypeError, match="expects a float tensor"):
        resize(torch.zeros(4, 4, dtype=torch.uint8), (2, 2))
    with pytest.raises(ValueError, match="at least 1"):
        resize(torch.zeros(4, 4), (0, 2))
