"""What tells how good a scan is: stripes, offsets of rows, roughness; and errors against a truth.

Heights are relative and samples lie tilted, so nothing here depends on the mean height, and what
compares with a truth levels both by their least-squares plane first.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from upreel.metrics.fidelity import psnr, ssim

Heights = NDArray[np.float32]


def stripe_score(image: Heights) -> float:
    """How much steeper an image is from row to row than along the rows; 0 without stripes.

    The mean of `|Sobel y| - |Sobel x|` where the 3x3 filters fit in. Rows that are offset by noise
    of a small standard deviation `s` give `8 s / sqrt(pi)` on a flat image; white noise and round
    features give about 0, stripes along y less than 0. Take the absolute value to choose or to
    compare by: a negative score is no merit, it says that the image was smoothed along x.

    Source: the authors' code of yasue32/afm-denoise.

    Args:
        image: `(H, W)`, 0..1; at least 3x3.
    """
    down, across = _sobel(image, 0, 1), _sobel(image, 1, 0)
    return float((np.abs(down) - np.abs(across))[1:-1, 1:-1].mean())


def blur_score(image: Heights) -> float:
    """The variance of the Laplacian (the 4-neighbour one) at 8 bits; less means blurred.

    Args:
        image: `(H, W)`, 0..1.
    """
    codes = np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return float(cv2.Laplacian(codes, cv2.CV_64F).var())


def row_offset_variance(heights: Heights) -> float:
    """The variance of the offsets of rows, in squared units of the heights.

    Half the variance of the medians of the differences between neighbouring rows: a surface that
    goes on from row to row leaves little in them, independent offsets of variance `v` leave `v`.

    Args:
        heights: `(H, W)`; at least three rows.
    """
    steps = np.median(np.diff(heights.astype(np.float64), axis=0), axis=1)
    return float(steps.var() / 2)


def roughness(heights: Heights) -> float:
    """The root-mean-square roughness Sq: the standard deviation around the least-squares plane.

    Source: ISO 25178-2.

    Args:
        heights: `(H, W)`, any unit, which is the result's too.
    """
    return float(level(heights).std())


def level(heights: Heights) -> NDArray[np.float64]:
    """Take the least-squares plane off `(H, W)`."""
    y, x = (np.linspace(-1, 1, side) for side in heights.shape)
    centered = heights.astype(np.float64) - float(heights.mean(dtype=np.float64))
    # On a grid around 0 the two slopes do not depend on each other.
    along, down = (centered @ x).mean() / (x @ x), (y @ centered).mean() / (y @ y)
    flat: NDArray[np.float64] = centered - along * x - down * y[:, None]
    return flat


def scan_psnr(output: Heights, truth: Heights) -> float:
    """PSNR of one frame against the truth, both levelled; the peak is the truth's range, in dB."""
    return psnr(*_as_images(output, truth))


def scan_ssim(output: Heights, truth: Heights) -> float:
    """SSIM of one frame against the truth, both levelled and scaled by the truth's range."""
    return ssim(*_as_images(output, truth))


def _as_images(output: Heights, truth: Heights) -> tuple[torch.Tensor, torch.Tensor]:
    """Both levelled and scaled alike, so that the truth fills 0..1."""
    if output.shape != truth.shape:
        raise ValueError(
            f"a metric compares scans of one size, found {output.shape} and {truth.shape}"
        )
    flat, flat_truth = level(output), level(truth)
    low, high = flat_truth.min(), flat_truth.max()
    if high == low:
        raise ValueError("expected a truth that is not flat, found a single height")
    return (
        torch.from_numpy((flat - low) / (high - low)),
        torch.from_numpy((flat_truth - low) / (high - low)),
    )


def _sobel(image: Heights, dx: int, dy: int) -> NDArray[np.float64]:
    return cv2.Sobel(image.astype(np.float64), cv2.CV_64F, dx, dy, ksize=3).astype(np.float64)
