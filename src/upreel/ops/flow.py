"""Optical flow as an input: networks are given it, none computes it.

The provider here is OpenCV's DIS (Kroeger et al. 2016, "Fast optical flow using dense inverse
search") on 8-bit luma. It is deterministic, costs about a millisecond for 320x180, and releases
Python's lock, so that it can run in a thread beside the network.
"""

from __future__ import annotations

import threading
from typing import Final, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Preset = Literal["ultrafast", "fast", "medium"]

_PRESETS: Final[dict[Preset, int]] = {"ultrafast": 0, "fast": 1, "medium": 2}
_SMALLEST = 16  # DIS needs room for its 8x8 patches on the coarsest level
_solvers = threading.local()


def _solver(preset: Preset) -> cv2.DISOpticalFlow:
    """One solver for each thread and preset: it keeps buffers and is not safe to share."""
    solvers: dict[Preset, cv2.DISOpticalFlow] | None = getattr(_solvers, "by_preset", None)
    if solvers is None:
        solvers = _solvers.by_preset = {}
        # DIS splits each image over OpenCV's own threads. They would fight with torch's for the
        # same cores, and frames are many: parallel over frames, not inside one.
        cv2.setNumThreads(1)
    if preset not in solvers:
        solvers[preset] = cv2.DISOpticalFlow.create(_PRESETS[preset])
    return solvers[preset]


def dis_flow(
    frame: NDArray[np.uint8], neighbour: NDArray[np.uint8], *, preset: Preset = "fast"
) -> NDArray[np.float32]:
    """Optical flow so that `frame(p)` looks like `neighbour(p + flow(p))`.

    Args:
        frame: luma `(H, W)`, 8 bits.
        neighbour: same shape.
        preset: OpenCV's name for the balance of speed and quality.

    Returns:
        `(H, W, 2)`, x then y, in pixels.
    """
    height, width = frame.shape
    rows, columns = max(0, _SMALLEST - height), max(0, _SMALLEST - width)
    if rows or columns:
        margin = ((0, rows), (0, columns))
        frame, neighbour = np.pad(frame, margin, "edge"), np.pad(neighbour, margin, "edge")
    flow = _solver(preset).calc(
        np.ascontiguousarray(frame),
        np.ascontiguousarray(neighbour),
        None,  # type: ignore[call-overload]
    )
    found: NDArray[np.float32] = flow[:height, :width]
    return found


def to_8_bits(luma: Tensor) -> NDArray[np.uint8]:
    """Luma in 0..1, any shape, as 8-bit numbers for a solver."""
    numbers: NDArray[np.uint8] = (luma * 255).round_().clamp_(0, 255).byte().cpu().numpy()
    return numbers


def flow_to_neighbours(
    clip: Tensor,
    before: int,
    after: int,
    *,
    past: int,
    future: int,
    preset: Preset = "fast",
) -> Tensor:
    """Flow from each middle frame of a window to its neighbours, as `Window.inputs` wants it.

    Args:
        clip: `(B, T, C, H, W)`, 0..1; one channel is luma, of three the mean is taken.
        before: frames of `clip` before the middle: `past`, fewer where a scene begins.
        after: frames of `clip` after the middle: `future`, fewer where a scene ends.
        past: how many earlier neighbours of each frame are wanted.
        future: how many later ones.
        preset: see `dis_flow`.

    Returns:
        `(B, K, past + future, 2, H, W)`, float32, on the clip's device: neighbours
        `-past .. -1, 1 .. future`, x then y, in pixels; zero where there is no such neighbour.
    """
    batch, frames, _, height, width = clip.shape
    middle = range(before, frames - after)
    offsets = [*range(-past, 0), *range(1, future + 1)]
    luma = to_8_bits(clip.mean(2))
    flow = np.zeros((batch, len(middle), len(offsets), height, width, 2), np.float32)
    for item in range(batch):
        for place, index in enumerate(middle):
            for slot, offset in enumerate(offsets):
                if 0 <= index + offset < frames:
                    flow[item, place, slot] = dis_flow(
                        luma[item, index], luma[item, index + offset], preset=preset
                    )
    return torch.from_numpy(flow).permute(0, 1, 2, 5, 3, 4).to(clip.device)
