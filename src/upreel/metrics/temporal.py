"""Whether things move in the output as they do in the truth."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from upreel.metrics.metric import Seen, to_luma
from upreel.ops.warp import warp


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


def motion_distance(seen: Seen) -> float | None:
    """`tof` of a frame and the one before."""
    if seen.before is None:
        return None
    output, truth = (
        farneback(to_luma(before), to_luma(frame))
        for before, frame in zip(seen.before, (seen.output, seen.truth), strict=True)
    )
    return tof(output, truth)


def warping_error(seen: Seen, *, difference: bool = False) -> float | None:
    """Mean squared difference, times 1000, to the previous frame moved as the truth moves.

    Pixels that the truth does not show in both frames do not count (Lai et al. 2018, "Learning
    blind video temporal consistency"; the mask is that of Ruder et al. 2016).

    Args:
        seen: a frame and the one before.
        difference: of output minus truth; blur cannot lower that.

    Returns:
        `None` without a previous frame, and where nothing is to be seen in both.
    """
    if seen.before is None:
        return None
    before, truth_before = seen.before
    here, there = to_luma(seen.truth), to_luma(truth_before)
    back = farneback(here, there)
    seen_in_both = visible(back, farneback(there, here))
    if not bool(seen_in_both.any()):
        return None
    frame = seen.output
    if difference:
        before, frame = before - truth_before, frame - seen.truth
    moved = warp(before[None].float(), back[None])[0]
    errors = ((frame - moved) ** 2).mean(0)
    return 1000 * float(errors[seen_in_both].mean())


def visible(back: Tensor, forth: Tensor) -> Tensor:
    """Where a pixel is shown in the other frame too.

    There and back again has to end where it began: not further than 0.01 of both squared lengths
    plus 0.5 (Ruder et al. 2016, "Artistic style transfer for videos", equation 5).

    Args:
        back: `(2, H, W)`, flow from this frame to the other, x then y, in pixels.
        forth: same shape, from the other frame to this.

    Returns:
        `(H, W)`, bool.
    """
    height, width = back.shape[-2:]
    returned = warp(forth[None], back[None])[0]
    lengths = (back**2).sum(0) + (returned**2).sum(0)
    consistent = ((back + returned) ** 2).sum(0) <= 0.01 * lengths + 0.5
    x = torch.arange(width) + back[0]
    y = torch.arange(height)[:, None] + back[1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return consistent & inside


def profile_difference(seen: Seen) -> float:
    """Mean absolute difference of the temporal profiles, in levels of 8 bits.

    A temporal profile is the middle row of each frame, below each other; one frame has one row.
    """
    row = seen.truth.shape[-2] // 2
    return 255 * float((seen.output[:, row] - seen.truth[:, row]).abs().mean())


def flicker(seen: Seen) -> float | None:
    """Mean absolute change from frame to frame that the truth does not have, in levels of 8 bits.

    Returns:
        `None` without a previous frame.
    """
    if seen.before is None:
        return None
    before, truth_before = seen.before
    return 255 * float(((seen.output - seen.truth) - (before - truth_before)).abs().mean())
