"""Whether things move in the output as they do in the truth."""

from __future__ import annotations

import torch
from torch import Tensor

from upreel.metrics.colors import to_luma
from upreel.metrics.metric import Seen
from upreel.metrics.motion import farneback, visible
from upreel.ops.warp import warp


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
    """`tof` of a frame and the one before: flow of the whole frames, then the crop."""
    if seen.before is None or seen.motion is None:
        return None
    found = farneback(to_luma(seen.before[0]), to_luma(seen.output))
    return tof(seen.inner(found), seen.inner(seen.motion.forth))


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
    if seen.before is None or seen.motion is None:
        return None
    back = seen.motion.back
    seen_in_both = seen.inner(visible(back, seen.motion.forth))
    if not bool(seen_in_both.any()):
        return None
    (before, truth_before), frame = seen.before, seen.output
    if difference:
        before, frame = before - truth_before, frame - seen.truth
    moved = warp(before[None].float(), back[None])[0]
    errors = seen.inner((frame - moved) ** 2).mean(0)
    return 1000 * float(errors[seen_in_both].mean())


def profile_difference(seen: Seen) -> float:
    """Mean absolute difference of the temporal profiles, in levels of 8 bits.

    A temporal profile is the middle row of each frame, below each other; one frame has one row.
    """
    output, truth = seen.both
    row = truth.shape[-2] // 2
    return 255 * float((output[:, row] - truth[:, row]).abs().mean())


def flicker(seen: Seen) -> float | None:
    """Mean absolute change from frame to frame that the truth does not have, in levels of 8 bits.

    Returns:
        `None` without a previous frame.
    """
    if seen.before is None:
        return None
    before, truth_before = seen.before
    change = (seen.output - seen.truth) - (before - truth_before)
    return 255 * float(seen.inner(change).abs().mean())
