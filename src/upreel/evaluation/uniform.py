"""SSIM with equal weights, as scripts compute it that call scikit-image with its defaults."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

_WINDOW = 7
_C1, _C2 = 0.01**2, 0.03**2


def uniform_ssim(output: Tensor, truth: Tensor) -> float:
    """Structural similarity with a window of 7x7 of equal weights and sample covariance.

    Args:
        output: `(C, H, W)`, 0..1, at least 7x7.
        truth: same shape.

    Source: scikit-image's `structural_similarity` with its defaults; windows inside the frame only.
    """
    output, truth = output.double(), truth.double()
    mean_o, mean_t = _mean(output), _mean(truth)
    sample = _WINDOW**2 / (_WINDOW**2 - 1)
    variances = sample * (_mean(output**2 + truth**2) - mean_o**2 - mean_t**2)
    covariance = sample * (_mean(output * truth) - mean_o * mean_t)
    structure = (2 * covariance + _C2) / (variances + _C2)
    luminance = (2 * mean_o * mean_t + _C1) / (mean_o**2 + mean_t**2 + _C1)
    return float((structure * luminance).mean())


def _mean(image: Tensor) -> Tensor:
    return F.avg_pool2d(image[None], _WINDOW, stride=1)[0]
