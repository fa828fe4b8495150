"""Variational optical flow, coarse to fine: what RBPN was trained with.

The energy is that of Brox et al. 2004 ("High accuracy optical flow estimation based on a theory for
warping"): the absolute differences of brightness, its gradient and colour between a frame and the
warped neighbour, and the total variation of the flow. Minimised by warping again and again, by
lagged weights, and by sweeps of successive over-relaxation, with the constants that RBPN was
published with. Levels, warps and sweeps are too few to reach the minimum, so their numbers and
order belong to the definition: a network sees flow as in its training.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from upreel.ops.blur import gaussian_kernel
from upreel.ops.relaxation import Equations, RedBlack, behind
from upreel.ops.resize import resize
from upreel.ops.warp import bilinear_taps, sum_rows

_SMOOTHNESS = 0.012  # how much the variation of the flow counts beside the differences of images
_RATIO = 0.75  # of the sizes of neighbouring levels
_NARROWEST = 20  # width of the coarsest level, pixels
_LOWEST = 6  # height of it
_WARPS = 7  # of the finest level; one more on each coarser one
_SWEEPS, _MORE_SWEEPS = 30, 3  # for each warp of the finest level; more on each coarser one
_DAMPING = 0.05  # of the increment, beside the smoothness
_TINY = 1e-6  # keeps the slope of an absolute value finite at zero
_BLUR = (0.02, 0.11, 0.74, 0.11, 0.02)
_SLOPE = (1 / 12, -8 / 12, 0.0, 8 / 12, -1 / 12)
_GRAY = (0.299, 0.587, 0.114)


def variational_flow(frames: Tensor, neighbours: Tensor) -> Tensor:
    """Optical flow so that `frames(p)` looks like `neighbours(p + flow(p))`.

    Args:
        frames: `(N, C, H, W)`, 0..1; one channel is luma, three are RGB.
        neighbours: same shape.

    Returns:
        `(N, 2, H, W)`, float32, x then y, in pixels; exactly zero between equal images. No
        gradient flows through it.
    """
    height, width = frames.shape[-2:]
    levels = count_levels(height, width)
    fine_to_coarse = zip(
        *(_pyramid(images.detach().float(), levels) for images in (frames, neighbours)),
        strict=True,
    )
    flow = frames.new_zeros(len(frames), 2, 1, 1, dtype=torch.float32)
    for level, (frame, neighbour) in reversed(list(enumerate(fine_to_coarse))):
        size = frame.shape[-2:]
        if level == levels - 1:
            flow = flow.expand(-1, -1, *size).contiguous()
        else:
            flow = _sample(flow, size, (size[0] / flow.shape[-2], size[1] / flow.shape[-1]))
            flow = flow / _RATIO
        flow = _refine(flow, _features(frame), _features(neighbour), level)
    return flow


def count_levels(height: int, width: int) -> int:
    """How many levels the pyramid has: by the width, but low frames have fewer; at least one."""
    by_width = math.log(_NARROWEST / width) / math.log(_RATIO)
    by_height = math.log(_LOWEST / height) / math.log(_RATIO) + 1
    return max(1, int(min(by_width, by_height)))


def _pyramid(image: Tensor, levels: int) -> list[Tensor]:
    """The image, and its smaller versions."""
    direct = int(math.log(0.25) / math.log(_RATIO))  # levels that are made of the image itself
    height, width = image.shape[-2:]
    pyramid = [image]
    for level in range(1, levels):
        steps = min(level, direct)
        source = pyramid[level - steps]
        ratio = _RATIO**level
        size = (max(1, int(height * ratio)), max(1, int(width * ratio)))
        part = (height * ratio / source.shape[-2], width * ratio / source.shape[-1])
        pyramid.append(_sample(_blur(source, steps), size, part))
    return pyramid


def _sample(image: Tensor, size: tuple[int, int], scale: tuple[float, float]) -> Tensor:
    """Resize bilinearly; sample `j` lies at `(j + 1) / scale - 1`."""
    shift = (0.5 / scale[0] - 0.5, 0.5 / scale[1] - 0.5)
    return resize(image, size, kernel="linear", scale=scale, shift=shift, antialias=False)


def _blur(image: Tensor, steps: int) -> Tensor:
    """Blur before shrinking by so many levels, with a sigma of a third for each.

    The kernel reaches `int(3 * sigma)` pixels in the authors' program. There sigma is
    `steps * (1 / 0.75 - 1)`, which rounding leaves just below a third: one pixel less each time.
    """
    kernel = gaussian_kernel(steps / 3, 2 * (steps - 1) + 1).tolist()
    return _filter(_filter(image, kernel, -1), kernel, -2)


def _filter(image: Tensor, kernel: list[float] | tuple[float, ...], axis: int) -> Tensor:
    """Correlate along an axis; beyond the border is the pixel on it."""
    reach, size = len(kernel) // 2, image.shape[axis]
    margin = (reach, reach, 0, 0) if axis == -1 else (0, 0, reach, reach)
    padded = F.pad(image, margin, mode="replicate")
    result = torch.zeros_like(image)
    for place, weight in enumerate(kernel):
        if weight:
            result.add_(padded.narrow(axis, place, size), alpha=weight)
    return result


def _features(image: Tensor) -> Tensor:
    """What is compared: brightness, its slopes, and of colours green minus red and blue."""
    if image.shape[1] == 1:
        gray, colors = image, []
    else:
        weight = image.new_tensor(_GRAY).view(1, 3, 1, 1)
        gray = (image * weight).sum(1, keepdim=True)
        red, green, blue = image[:, :1], image[:, 1:2], image[:, 2:]
        colors = [green - red, green - blue]
    slopes = [_filter(gray, _SLOPE, axis) for axis in (-1, -2)]
    return torch.cat([gray, *slopes, *colors], 1)


def _refine(flow: Tensor, frame: Tensor, neighbour: Tensor, level: int) -> Tensor:
    """Improve the flow of one level.

    Args:
        flow: `(N, 2, H, W)`.
        frame: features `(N, C, H, W)`.
        neighbour: same shape.
        level: 0 is the finest.
    """
    height, width = frame.shape[-2:]
    sweeps = _SWEEPS + _MORE_SWEEPS * level
    solver = RedBlack(len(flow), (height, width), device=flow.device)
    smooth = _smooth(frame)
    pixels, shape = neighbour.movedim(1, -1).flatten(0, 2), (len(flow), height, width, -1)
    x = torch.arange(width, device=flow.device)
    y = torch.arange(height, device=flow.device)[:, None]
    for _ in range(_WARPS + level):
        at_x, at_y = x + flow[:, :1], y + flow[:, 1:]
        inside = (at_x >= 0) & (at_x <= width - 1) & (at_y >= 0) & (at_y <= height - 1)
        warped = sum_rows(pixels, bilinear_taps(flow)).view(shape).movedim(-1, 1)
        warped = _smooth(torch.where(inside, warped, frame))
        flow = flow + solver.relax(_equations(flow, smooth, warped), sweeps=sweeps)
    return flow


def _smooth(image: Tensor) -> Tensor:
    return _filter(_filter(image, _BLUR, -1), _BLUR, -2)


def _equations(flow: Tensor, frame: Tensor, warped: Tensor) -> Equations:
    """Linearise the energy at a flow, its absolute values replaced by squares with weights."""
    mean = 0.4 * frame + 0.6 * warped
    slope = torch.stack([_filter(mean, _SLOPE, axis) for axis in (-1, -2)], 2)
    change = warped - frame
    weight = 0.5 * torch.rsqrt(change**2 + _TINY)
    weighted = weight[:, :, None] * slope
    right, below = _ahead(flow, -1), _ahead(flow, -2)
    variation = (right**2 + below**2).sum(1, keepdim=True)
    bond = 0.5 * _SMOOTHNESS * torch.rsqrt(variation + _TINY)
    pull = bond * right - behind(bond * right, -1) + bond * below - behind(bond * below, -2)
    return Equations(
        pull - (weighted * change[:, :, None]).mean(1),
        (weighted * slope).mean(1) + _DAMPING * _SMOOTHNESS,
        (weighted[:, :, 0] * slope[:, :, 1]).mean(1, keepdim=True),
        F.pad(bond[..., :-1], (0, 1)),
        F.pad(bond[..., :-1, :], (0, 0, 0, 1)),
    )


def _ahead(image: Tensor, axis: int) -> Tensor:
    """The next pixel minus this one; zero at the end."""
    return F.pad(image.diff(dim=axis), (0, 1) if axis == -1 else (0, 0, 0, 1))
