"""Clips, as they are and as an upscaler sees them under a protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from upreel.data.clips import Clip, read_luma
from upreel.data.degradations import Luma, degrade
from upreel.evaluation.protocols import Protocol


@dataclass(frozen=True, slots=True)
class Pair:
    """A clip as it is and as an upscaler sees it.

    Attributes:
        name: of the clip.
        low: frames `(1, H, W)`, luma, multiples of 1/255 in 0..1.
        high: as many frames `(1, H * scale, W * scale)`.
    """

    name: str
    low: Sequence[Tensor]
    high: Sequence[Tensor]


def read_pair(clip: Clip, protocol: Protocol) -> Pair:
    """Read the frames of a clip that count, and make the low ones of them.

    Raises:
        MediaError: the clip cannot be read.
    """
    frames = islice(read_luma(clip), protocol.frames)
    high = np.stack([_crop(frame, protocol.scale) for frame in frames])
    low = degrade(high, protocol.degradation, scale=protocol.scale)
    return Pair(clip.name, _to_tensors(low), _to_tensors(high))


def _crop(frame: Luma, scale: int) -> Luma:
    height, width = (side // scale * scale for side in frame.shape)
    return frame[:height, :width]


def _to_tensors(clip: Luma) -> list[Tensor]:
    return [torch.from_numpy(frame)[None].float() / 255 for frame in clip]
