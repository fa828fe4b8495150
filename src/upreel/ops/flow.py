"""Optical flow as an input: networks are given it, none computes it.

Every network names the provider that it was trained with (`Spec.flow`); a user may choose another.

* `dis`: OpenCV's DIS (Kroeger et al. 2016, "Fast optical flow using dense inverse search") on 8-bit
  luma, down to single pixels: what is carried along the motion by a fraction of a large pixel must
  be known to a fraction of a small one. It costs about 4 ms of one core for 320x180.
* `dis-half`: the same down to half of the resolution, in more steps: for networks that look at
  motion there. Larger motion is found more often, in a third of the time.
* `dis-double`: the same of frames of twice the size, smoothed: nearest to the motion, in nine times
  the time.
* `farneback`: OpenCV's Farneback flow (2003, "Two-frame motion estimation based on polynomial
  expansion"), on 8-bit luma too.
* `variational`: `ops.variational`, which RBPN was published with; slow and smooth.
* `zeros`: no motion.

All are deterministic and release Python's lock, so that they can run in a thread beside the
network.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from upreel.ops.variational import variational_flow

Dis = Literal["dis", "dis-half", "dis-double"]
"""DIS at a resolution."""

FlowProvider = Literal[Dis, "farneback", "variational", "zeros"]
"""What finds optical flow."""

FlowFinder = Callable[[Tensor, Tensor], Tensor]
"""What is called as `find_flow` is, with frames and their neighbours."""

# The finest level, pixels between patches, steps of gradient descent, rounds of smoothing.
_SETTINGS: dict[Dis, tuple[int, int, int, int]] = {
    "dis": (0, 4, 8, 0),
    "dis-half": (1, 4, 16, 1),
    "dis-double": (0, 6, 8, 5),
}
_SMALLEST = 16  # DIS needs room for its 8x8 patches on the coarsest level
_HALVED = 64  # the longer side of images with a level at half of the resolution
_AT_ONCE = 2**17  # pixels: small images are faster together, large ones would take memory
_solvers = threading.local()


def _solver(kind: Dis) -> cv2.DISOpticalFlow:
    """One solver of a kind for each thread: it keeps buffers and is not safe to share.

    OpenCV's presets stop at a quarter or half of the resolution and smooth the result there. For
    `dis`, at full resolution with patches further apart and without smoothing, flow is better in
    about the time of the middle preset: `docs/experiments.md`.
    """
    solver: cv2.DISOpticalFlow | None = getattr(_solvers, kind, None)
    if solver is None:
        # DIS splits each image over OpenCV's own threads. They would fight with torch's for the
        # same cores, and frames are many: parallel over frames, not inside one.
        cv2.setNumThreads(1)
        solver = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        finest, stride, steps, smoothing = _SETTINGS[kind]
        solver.setFinestScale(finest)
        solver.setPatchStride(stride)
        solver.setGradientDescentIterations(steps)
        solver.setVariationalRefinementIterations(smoothing)
        setattr(_solvers, kind, solver)
    return solver


def dis_flow(
    frame: NDArray[np.uint8], neighbour: NDArray[np.uint8], *, kind: Dis = "dis"
) -> NDArray[np.float32]:
    """Optical flow so that `frame(p)` looks like `neighbour(p + flow(p))`.

    Args:
        frame: luma `(H, W)`, 8 bits.
        neighbour: same shape.
        kind: at which resolution it is looked for.

    Returns:
        `(H, W, 2)`, x then y, in pixels.
    """
    height, width = frame.shape
    rows, columns = max(0, _SMALLEST - height), max(0, _SMALLEST - width)
    if rows or columns:
        margin = ((0, rows), (0, columns))
        frame, neighbour = np.pad(frame, margin, "edge"), np.pad(neighbour, margin, "edge")
    if kind == "dis-double":
        frame, neighbour = _double(frame), _double(neighbour)
    # OpenCV gives what lies in memory where there is no level as coarse as the finest one.
    elif kind == "dis-half" and max(frame.shape) < _HALVED:
        kind = "dis"
    flow: NDArray[np.float32] = _solver(kind).calc(
        np.ascontiguousarray(frame),
        np.ascontiguousarray(neighbour),
        None,  # type: ignore[call-overload]
    )
    if kind == "dis-double":
        flow = _halve(flow)
    return flow[:height, :width]


def _double(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    large = cv2.resize(frame, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    return large.astype(np.uint8, copy=False)


def _halve(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """Flow at half of the size, in pixels of that size."""
    height, width, _ = flow.shape
    four = flow.reshape(height // 2, 2, width // 2, 2, 2)
    small: NDArray[np.float32] = np.mean(four, (1, 3))
    return small * np.float32(0.5)


def to_8_bits(luma: Tensor) -> NDArray[np.uint8]:
    """Luma in 0..1, any shape, as 8-bit numbers for a solver."""
    numbers: NDArray[np.uint8] = (luma * 255).round_().clamp_(0, 255).byte().cpu().numpy()
    return numbers


def farneback_flow(frame: NDArray[np.uint8], neighbour: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The same as `dis_flow` with OpenCV's Farneback flow.

    Pyramid 0.5, 3 levels, window 15, 3 iterations, neighbourhood 5, sigma 1.2, no flags.
    """
    flow = np.zeros((*frame.shape, 2), np.float32)
    cv2.calcOpticalFlowFarneback(frame, neighbour, flow, 0.5, 3, 15, 3, 5, 1.2, 0)
    return flow


def find_flow(frames: Tensor, neighbours: Tensor, *, provider: FlowProvider = "dis") -> Tensor:
    """Optical flow so that `frames(p)` looks like `neighbours(p + flow(p))`.

    Args:
        frames: `(N, ..., C, H, W)`, 0..1; one channel is luma, three are RGB.
        neighbours: same shape.
        provider: what finds it; `variational` sees colours, the others the mean of the channels.

    Returns:
        `(N, ..., 2, H, W)`, float32, on the device of `frames`: x then y, in pixels.
    """
    *many, _, height, width = frames.shape
    if provider == "zeros":
        return frames.new_zeros(*many, 2, height, width, dtype=torch.float32)
    if provider == "variational":
        one, two = frames.flatten(0, -4), neighbours.flatten(0, -4)
        step = max(1, _AT_ONCE // (height * width))
        parts = [slice(first, first + step) for first in range(0, len(one), step)]
        flows = [variational_flow(one[part], two[part]) for part in parts]
        return torch.cat(flows).view(*many, 2, height, width)
    solve: Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float32]] = dis_flow
    if provider == "farneback":
        solve = farneback_flow
    elif provider in ("dis-half", "dis-double"):
        solve = partial(dis_flow, kind=provider)
    pairs = zip(*(_luma_planes(clip) for clip in (frames, neighbours)), strict=True)
    flow = np.empty((frames[..., 0, 0, 0].numel(), height, width, 2), np.float32)
    for place, (frame, neighbour) in enumerate(pairs):
        flow[place] = solve(frame, neighbour)
    found = torch.from_numpy(flow).permute(0, 3, 1, 2)
    return found.reshape(*many, 2, height, width).to(frames.device)


def _luma_planes(clip: Tensor) -> NDArray[np.uint8]:
    return to_8_bits(clip.mean(-3)).reshape(-1, *clip.shape[-2:])


def flow_to_neighbours(
    clip: Tensor,
    before: int,
    after: int,
    *,
    past: int,
    future: int,
    provider: FlowProvider | FlowFinder = "dis",
) -> Tensor:
    """Flow from each middle frame of a window to its neighbours, as `Window.inputs` wants it.

    Args:
        clip: `(B, T, C, H, W)`, 0..1; one channel is luma, three are RGB.
        before: frames of `clip` before the middle: `past`, fewer where a scene begins.
        after: frames of `clip` after the middle: `future`, fewer where a scene ends.
        past: how many earlier neighbours of each frame are wanted.
        future: how many later ones.
        provider: what finds it; a learned one, which is no part of this layer, as a function.

    Returns:
        `(B, K, past + future, 2, H, W)`, float32, on the clip's device: neighbours
        `-past .. -1, 1 .. future`, x then y, in pixels; zero where there is no such neighbour.
    """
    batch, frames, _, height, width = clip.shape
    middle = range(before, frames - after)
    offsets = [*range(-past, 0), *range(1, future + 1)]
    flow = torch.zeros((batch, len(middle), len(offsets), 2, height, width), device=clip.device)
    there = [
        (place, slot, index, index + offset)
        for place, index in enumerate(middle)
        for slot, offset in enumerate(offsets)
        if 0 <= index + offset < frames
    ]
    if there:
        places, slots, targets, others = map(list, zip(*there, strict=True))
        pair = clip[:, targets], clip[:, others]
        found = provider(*pair) if callable(provider) else find_flow(*pair, provider=provider)
        flow[:, places, slots] = found
    return flow
