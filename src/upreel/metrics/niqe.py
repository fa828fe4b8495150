"""NIQE: how far the statistics of a picture are from those of natural pictures. Needs no truth.

Source: Mittal, Soundararajan, Bovik 2013, "Making a 'completely blind' image quality analyzer":
mean-subtracted contrast-normalised luma, whose values and products of neighbours follow generalised
Gaussians; 18 parameters of these for each patch at two scales; the distance of a picture's patches
from those of pristine pictures, both as a multivariate Gaussian.

The authors' model of pristine pictures is not under a free licence. The one here was fitted by
`scripts/fit_niqe.py` on photographs that may be used for anything; its values rank methods, and are
not comparable with published ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

import torch
import torch.nn.functional as F
from safetensors.torch import load
from torch import Tensor

from upreel.metrics.colors import to_luma
from upreel.metrics.metric import Seen
from upreel.ops.blur import gaussian_kernel
from upreel.ops.resize import imresize

PATCH = 96
"""Side of a patch; half of it at the second scale."""
_SHARP = 0.75
"""Of the pristine pictures those patches count whose contrast is above this part of the largest."""
_SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""From a pixel to the neighbour that it is multiplied with: down, across."""


@dataclass(frozen=True, slots=True)
class Model:
    """Features of pictures as a multivariate Gaussian.

    Attributes:
        mean: `(36,)`, float64.
        covariance: `(36, 36)`.
    """

    mean: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Model:
        """Fit it to patches `(N, 36)`; those without contrast have no shape and are left out."""
        sound = features[features.isfinite().all(1)]
        if len(sound) < 2:
            return cls(torch.full((36,), torch.nan), torch.full((36, 36), torch.nan))
        return cls(sound.mean(0), sound.T.cov())

    def distance(self, other: Model) -> float:
        """Equation 10; `nan` where one of them has too few patches."""
        away = self.mean - other.mean
        if not away.isfinite().all():
            return torch.nan
        inverse = torch.linalg.pinv((self.covariance + other.covariance) / 2)
        return float((away @ inverse @ away).sqrt())


@cache
def pristine() -> Model:
    """The model that ships."""
    data = resources.files("upreel.metrics").joinpath("niqe.safetensors").read_bytes()
    tensors = load(data)
    return Model(tensors["mean"], tensors["covariance"])


def niqe(seen: Seen) -> float | None:
    """Score what counts of a frame; `None` where no patch fits, or none has any contrast."""
    luma = seen.inner(to_luma(seen.output))[0]
    if min(luma.shape) < PATCH:
        return None
    features, _ = patch_features(luma)
    found = Model.of(features).distance(pristine())
    return None if math.isnan(found) else found


def fit(pictures: Iterable[Tensor]) -> Model:
    """Fit a model to the sharp patches of pristine pictures.

    Args:
        pictures: luma in studio range, `(H, W)`, 0..1.
    """
    chosen = []
    for picture in pictures:
        features, contrast = patch_features(picture)
        chosen.append(features[contrast > _SHARP * contrast.max()])
    return Model.of(torch.cat(chosen))


def patch_features(luma: Tensor) -> tuple[Tensor, Tensor]:
    """Features and contrast of patches that lie side by side.

    Args:
        luma: `(H, W)`, 0..1, at least `PATCH` on each side; what is more than a multiple is cut.

    Returns:
        `(N, 36)`, float64, and `(N,)`: the mean deviation of a patch, in code values.
    """
    rows, columns = (side // PATCH * PATCH for side in luma.shape)
    image = luma[:rows, :columns].double() * 255
    first, contrast = _features(image, PATCH)
    second, _ = _features(imresize(image[None], 0.5)[0], PATCH // 2)
    return torch.cat((first, second), 1), contrast


def _features(image: Tensor, side: int) -> tuple[Tensor, Tensor]:
    normal, deviation = _normalise(image)
    maps = [normal]
    for shift in _SHIFTS:
        maps.append(normal * normal.roll(shift, (0, 1)))
    columns = []
    for index, values in enumerate(maps):
        shape, left, right = fit_asymmetric(_patches(values, side))
        if index == 0:
            columns += [shape, (left + right) / 2]
        else:
            ratio = torch.exp(torch.lgamma(2 / shape) - torch.lgamma(1 / shape))
            columns += [shape, (right - left) * ratio, left, right]
    return torch.stack(columns, 1), _patches(deviation, side).mean(1)


def _normalise(image: Tensor) -> tuple[Tensor, Tensor]:
    """Equations 1 to 3: mean-subtracted contrast-normalised values, and the deviation."""
    kernel = gaussian_kernel(7 / 6, 7).double()
    window = torch.outer(kernel, kernel)[None, None]

    def smooth(values: Tensor) -> Tensor:
        padded = F.pad(values[None, None], (3, 3, 3, 3), mode="replicate")
        return F.conv2d(padded, window)[0, 0]

    mean = smooth(image)
    deviation = (smooth(image * image) - mean * mean).abs().sqrt()
    return (image - mean) / (deviation + 1), deviation


def _patches(values: Tensor, side: int) -> Tensor:
    """`(N, side * side)`."""
    return F.unfold(values[None, None], side, stride=side)[0].T


@cache
def _shapes() -> tuple[Tensor, Tensor]:
    """Shapes, and the squared ratio of mean magnitude and deviation that each has (equation 7)."""
    shapes = torch.arange(0.2, 10, 0.001, dtype=torch.float64)
    log = 2 * torch.lgamma(2 / shapes) - torch.lgamma(1 / shapes) - torch.lgamma(3 / shapes)
    return shapes, log.exp()


def fit_asymmetric(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Fit an asymmetric generalised Gaussian by moments (Lasmar, Stitou, Berthoumieu 2009).

    Args:
        values: `(N, samples)`.

    Returns:
        Shape, left scale and right scale, `(N,)` each; not finite where all samples are zero.
    """
    negative, positive = values < 0, values > 0
    square = values * values
    left = ((square * negative).sum(1) / negative.sum(1)).sqrt()
    right = ((square * positive).sum(1) / positive.sum(1)).sqrt()
    ratio = left / right
    moments = values.abs().mean(1) ** 2 / square.mean(1)
    wanted = moments * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shapes, known = _shapes()  # `known` rises with the shape
    place = torch.searchsorted(known, wanted.nan_to_num(known[0].item())).clamp(1, len(known) - 1)
    nearer = (wanted - known[place - 1]) < (known[place] - wanted)
    shape = shapes[place - nearer.long()]
    scale = (0.5 * (torch.lgamma(1 / shape) - torch.lgamma(3 / shape))).exp()
    return shape, left * scale, right * scale
