"""NIQE against a slow reading of its equations, and against distributions that are known."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
import torch
from numpy.typing import NDArray
from scipy import ndimage, special, stats
from skimage.color import rgb2ycbcr
from torch import Tensor

from upreel.metrics.metric import Seen
from upreel.metrics.niqe import PATCH, Model, fit, fit_asymmetric, niqe, patch_features
from upreel.ops.blur import gaussian_blur

Array = NDArray[np.float64]


def photograph() -> Tensor:
    rgb = skimage.data.astronaut()  # type: ignore[no-untyped-call]
    luma = rgb2ycbcr(rgb)[..., 0] / 255
    return torch.from_numpy(luma)[None].float()


def score(luma: Tensor) -> float:
    found = niqe(Seen(luma, torch.zeros_like(luma)))
    assert found is not None
    return found


@pytest.mark.parametrize("shape", [0.5, 1.0, 2.0, 4.0])
def test_the_shape_of_a_generalised_gaussian_is_found(shape: float) -> None:
    drawn = stats.gennorm.rvs(shape, scale=0.7, size=(1, 200_000), random_state=1)
    found, left, right = fit_asymmetric(torch.from_numpy(drawn))
    assert found.item() == pytest.approx(shape, rel=0.03)
    assert left.item() == pytest.approx(0.7, rel=0.03)
    assert right.item() == pytest.approx(0.7, rel=0.03)


def test_its_two_sides_are_told_apart() -> None:
    drawn = np.abs(stats.gennorm.rvs(1.5, size=(1, 200_000), random_state=2))
    # A side is as likely as it is wide.
    sides = np.where(np.random.default_rng(3).random(drawn.shape) < 0.75, 1.5, -0.5)
    found, left, right = fit_asymmetric(torch.from_numpy(drawn * sides))
    assert found.item() == pytest.approx(1.5, rel=0.03)
    assert (left.item(), right.item()) == pytest.approx((0.5, 1.5), rel=0.03)


def slow_features(patch: Array) -> list[float]:
    """Section 3 of the paper, written down for one patch of normalised values."""
    shapes = np.arange(0.2, 10, 0.001)
    known = special.gamma(2 / shapes) ** 2 / (special.gamma(1 / shapes) * special.gamma(3 / shapes))
    features: list[float] = []
    for values in patch:
        left = np.sqrt(np.mean(values[values < 0] ** 2))
        right = np.sqrt(np.mean(values[values > 0] ** 2))
        gamma = left / right
        moment = np.mean(np.abs(values)) ** 2 / np.mean(values**2)
        wanted = moment * (gamma**3 + 1) * (gamma + 1) / (gamma**2 + 1) ** 2
        shape = shapes[np.argmin((known - wanted) ** 2)]
        scale = np.sqrt(special.gamma(1 / shape) / special.gamma(3 / shape))
        left, right = left * scale, right * scale
        mean = (right - left) * special.gamma(2 / shape) / special.gamma(1 / shape)
        features += [shape, mean, left, right] if features else [shape, (left + right) / 2]
    return features


def test_features_are_those_of_the_equations() -> None:
    luma = photograph()[0, :200, :300]
    found, contrast = patch_features(luma)
    image = luma[:192, :288].numpy().astype(np.float64) * 255

    def smooth(values: Array) -> Array:
        blurred: Array = ndimage.gaussian_filter(values, 7 / 6, radius=3, mode="nearest")
        return blurred

    mean = smooth(image)
    deviation = np.sqrt(np.abs(smooth(image**2) - mean**2))
    normal = (image - mean) / (deviation + 1)
    shifts = ((0, 1), (1, 0), (1, 1), (1, -1))
    maps = [normal, *(normal * np.roll(normal, shift, (0, 1)) for shift in shifts)]
    assert found.shape == (6, 36)
    for place, (row, column) in enumerate((r, c) for r in (0, 96) for c in (0, 96, 192)):
        block = np.stack([m[row : row + PATCH, column : column + PATCH].ravel() for m in maps])
        assert found[place, :18].tolist() == pytest.approx(slow_features(block), abs=1e-6)
        inner = deviation[row : row + PATCH, column : column + PATCH]
        assert contrast[place].item() == pytest.approx(inner.mean(), rel=1e-9)


def test_the_distance_of_gaussians_with_unit_covariance_is_that_of_their_means() -> None:
    a, b = (Model(torch.full((36,), mean).double(), torch.eye(36).double()) for mean in (0.0, 0.5))
    assert a.distance(b) == pytest.approx(3.0)


def test_what_spoils_a_photograph_raises_its_score() -> None:
    luma = photograph()
    plain = score(luma)
    assert plain < 6
    noise = torch.randn(luma.shape, generator=torch.Generator().manual_seed(4))
    assert plain + 3 < score(gaussian_blur(luma, 1)) < score(gaussian_blur(luma, 2))
    assert plain + 3 < score((luma + 0.1 * noise).clamp(0, 1))


def test_frames_without_patches_or_contrast_have_no_score() -> None:
    small, flat = torch.rand(1, 95, 300), torch.full((1, 200, 200), 0.5)
    assert niqe(Seen(small, small)) is None
    assert niqe(Seen(flat, flat)) is None


def test_only_sharp_patches_teach_what_is_pristine() -> None:
    luma = photograph()[0]
    half = luma.clone()
    half[:, 288:] = gaussian_blur(luma, 4)[:, 288:]
    features, contrast = patch_features(half)
    model = fit([half])
    sharp = features[contrast > 0.75 * contrast.max()]
    assert 2 <= len(sharp) < len(features)
    assert torch.equal(model.mean, sharp.mean(0))
