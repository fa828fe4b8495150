"""From a clip to its low version, the same each time for the same key."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from upreel.data.codec import Codec, CodecSettings, through_codec
from upreel.ops.blur import bd_duf, gaussian_blur
from upreel.ops.resize import imresize

Reduction = Literal["bi", "bd-duf"]
Luma = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Degradation:
    """How low frames come about: blur, reduce, add noise, encode; each drawn once for a clip.

    Attributes:
        reduction: `bi`, MATLAB's antialiased bicubic, or `bd-duf`.
        blur: sigmas of the blur before the reduction to draw from, in low pixels.
        noise: standard deviations of the noise after it to draw from, in 8-bit levels.
        plain: how often there is neither blur nor noise, whatever the lists say.
        codec: what to encode with; `None` for not at all.
        crf: lowest and highest constant rate factor.
        presets: of the encoder, to draw from.
    """

    reduction: Reduction = "bi"
    blur: tuple[float, ...] = (0.0,)
    noise: tuple[float, ...] = (0.0,)
    plain: float = 0.0
    codec: Codec | None = None
    crf: tuple[int, int] = (24, 24)
    presets: tuple[str, ...] = ("medium",)


def degrade(high: Luma, degradation: Degradation, *, scale: int, key: str = "") -> Luma:
    """Make the low version of a clip.

    Args:
        high: `(T, H, W)`, 8 bits; sizes are multiples of `scale`.
        degradation: what happens to it.
        scale: how many times smaller it gets.
        key: what the draws depend on.

    Returns:
        `(T, H / scale, W / scale)`, 8 bits.
    """
    random = np.random.default_rng(zlib.crc32(key.encode()))
    plain = bool(random.random() < degradation.plain)
    sigma = 0.0 if plain else float(random.choice(degradation.blur)) * scale
    noise = 0.0 if plain else float(random.choice(degradation.noise))
    low = np.stack([_reduce(frame, degradation.reduction, scale, sigma) for frame in high])
    noisy = low + random.normal(0, noise, low.shape) if noise else low
    rounded: Luma = np.clip(np.round(noisy), 0, 255).astype(np.uint8)
    if degradation.codec is None:
        return rounded
    crf = int(random.integers(degradation.crf[0], degradation.crf[1] + 1))
    preset = str(random.choice(degradation.presets))
    return through_codec(rounded, CodecSettings(degradation.codec, crf, preset))


def _reduce(frame: Luma, reduction: Reduction, scale: int, sigma: float) -> NDArray[np.float32]:
    image: Tensor = gaussian_blur(torch.from_numpy(np.array(frame)).float(), sigma)
    low = bd_duf(image, scale) if reduction == "bd-duf" else imresize(image, 1 / scale)
    reduced: NDArray[np.float32] = low.numpy()
    return reduced
