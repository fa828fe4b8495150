"""Whether things move in the output as they do in the truth."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def farneback(previous: Tensor, frame: Tensor) -> Tensor:
    """Optical flow from `previous` to `frame` with the solver and settings that tOF is defined by.

    OpenCV's Farneback flow: pyramid 0.5, 3 levels, window 15, 3 iterations, neighbourhood 5,
    sigma 1.2, no flags.

    Args:
        previous: luma `(1, H, W)` or `(H, W)`, 0..1; rounded to 8 bits for the solver.
        frame: same shape.

    Returns:
        `(2, H, W)`, float32, x then y, in pixels.
    """
    before, after = _to_8_bits(previous), _to_8_bits(frame)
    flow = np.zeros((*after.shape, 2), np.float32)
    cv2.calcOpticalFlowFarneback(before, after, flow, 0.5, 3, 15, 3, 5, 1.2, 0)
    return torch.from_numpy(flow).permute(2, 0, 1)


def _to_8_bits(frame: Tensor) -> NDArray[np.uint8]:
    image: NDArray[np.uint8] = (frame.squeeze(0) * 255).round().clamp(0, 255).byte().cpu().numpy()
    return image


def tof(output_flow: Tensor, truth_flow: Tensor, *, border: int = 0) -> float:
    """Mean distance between the motion of the output and that of the truth, in pixels.

    tOF of TecoGAN (Chu et al. 2020, "Learning temporal coherence via self-supervision for GAN-based
    video generation"), with the length of the difference vector as in the authors' script. Both
    flows come from `farneback`, on the output's own frames and on the truth's.

    Args:
        output_flow: `(2, H, W)`.
        truth_flow: `(2, H, W)`.
        border: pixels left out on each side.
    """
    if output_flow.shape != truth_flow.shape:
        raise ValueError(
            f"tOF compares flows of one size, found {tuple(output_flow.shape)} "
            f"and {tuple(truth_flow.shape)}"
        )
    height, width = truth_flow.shape[-2:]
    distance = torch.linalg.vector_norm(output_flow - truth_flow, dim=0)
    return float(distance[border : height - border, border : width - border].mean())
