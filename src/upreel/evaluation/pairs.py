"""Clips, as they are and as an upscaler sees them under a protocol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import overload

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from upreel.data.clips import Clip, read_luma
from upreel.data.degradations import CHAINS, Codes, degrade, to_codes
from upreel.errors import MediaError
from upreel.evaluation.protocols import Protocol
from upreel.ops.resize import imresize
from upreel.video.coding import rgb_by_tags
from upreel.video.reader import Reader

_KEPT = 64
"""How many frames of the largest size may be kept of a clip; of 1920x1080, that is 2071."""


class Frames(Sequence[Tensor]):
    """Frames `(C, H, W)` in 0..1 that are kept as 8 bits until they are asked for."""

    def __init__(self, codes: Codes) -> None:
        """Keep `(T, C, H, W)`."""
        self.codes = codes

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, index: int) -> Tensor: ...
    @overload
    def __getitem__(self, index: slice) -> Frames: ...
    def __getitem__(self, index: int | slice) -> Tensor | Frames:
        if isinstance(index, slice):
            return Frames(self.codes[index])
        return torch.from_numpy(self.codes[index]).float() / 255


@dataclass(frozen=True, slots=True)
class Pair:
    """A clip as it is and as an upscaler sees it.

    Attributes:
        name: of the clip.
        low: frames `(C, H, W)`, multiples of 1/255 in 0..1; one channel of luma, or RGB.
        high: the truth, `(C, H * scale, W * scale)`: what the upscaler's first frames are
            compared with.
        scored: which frames of `high` count; all if not given.
    """

    name: str
    low: Sequence[Tensor]
    high: Sequence[Tensor]
    scored: tuple[int, ...] | None = None


def read_pair(clip: Clip, protocol: Protocol) -> Pair:
    """Read the frames of a clip that count, and make the low ones of them.

    Raises:
        MediaError: the clip cannot be read, or has too few frames, or too many to be kept.
    """
    source = read_rgb(clip) if protocol.colors != "luma" else (y[None] for y in read_luma(clip))
    kept = _keep(islice(source, protocol.frames), clip)
    frames = [_crop(frame, protocol) for frame in kept]
    frames = frames[protocol.trim : len(frames) - protocol.trim]
    scored = select(len(frames), protocol)
    if not scored:
        raise MediaError(f"{clip.name} has too few frames for {protocol.name}; leave it out")
    high = np.stack(frames)
    low = reduce(high[:: protocol.rate], protocol)
    if protocol.mirror:
        low = np.concatenate((low, low[::-1]))
    return Pair(clip.name, Frames(low), Frames(high), scored)


def _keep(frames: Iterator[Codes], clip: Clip) -> Iterator[Codes]:
    """Refuse a clip of which too much would be held at once: a small file can have any length."""
    found, most = 0, _KEPT * clip.trust.max_pixels
    for frame in frames:
        height, width = frame.shape[-2:]
        found += height * width
        if found > most:
            raise MediaError(
                f"{clip.name} has more than {most} pixels in its frames, which are all kept in "
                "memory; cut it into shorter clips, or pass --max-pixels "
                f"{2 * clip.trust.max_pixels}"
            )
        yield frame


def select(length: int, protocol: Protocol) -> tuple[int, ...]:
    """Which of the frames of a clip are scored, by their numbers from 0."""
    if protocol.selection == "middle":
        return (length // 2,) if length else ()
    if protocol.selection == "windows":
        windows = -(-(length // 5 * 5 - 3) // 3)
        return tuple(range(max(windows, 0) * 3))
    if protocol.selection == "new":
        return tuple(range(1, length - 1, protocol.rate))
    # Between the last frame that is given and the end, nothing can be made.
    return tuple(range(length if protocol.rate == 1 else length - 1 + length % 2))


def read_rgb(clip: Clip) -> Iterator[Codes]:
    """Read the frames of a clip: RGB `(3, H, W)`, 8 bits.

    Raises:
        MediaError: the clip cannot be read.
    """
    if clip.drawing is not None:
        yield from clip.drawing.draw()
        return
    with Reader(clip.path, trust=clip.trust) as reader:
        for frame in reader:
            rgb = rgb_by_tags(frame, reader.video)
            reduced = imresize(rgb, 1 / clip.halve) if clip.halve > 1 else rgb
            yield to_codes(reduced * 255)


def reduce(high: Codes, protocol: Protocol) -> Codes:
    """Make the low frames of a protocol.

    Args:
        high: `(T, C, H, W)`, 8 bits; sizes are multiples of the scale.
        protocol: how.

    Returns:
        `(T, C, H / scale, W / scale)`, 8 bits.
    """
    if protocol.degradation == "none":
        return high
    if protocol.degradation == "PIL":
        size = (high.shape[-2] // protocol.scale, high.shape[-1] // protocol.scale)
        return np.stack([pillow_bicubic(frame, size) for frame in high])
    return degrade(high, CHAINS[protocol.degradation], scale=protocol.scale)


def pillow_bicubic(frame: Codes, size: tuple[int, int]) -> Codes:
    """Reduce `(C, H, W)` to `size` (height, width) as Pillow's `BICUBIC` does.

    a = -0.5, widened by the reduction; the kernel is cut off at the border, not mirrored; rounded
    to 8 bits after the columns and again after the rows.
    """
    image = torch.from_numpy(np.ascontiguousarray(frame)).float()[None]
    for axis_size in ((frame.shape[-2], size[1]), size):
        image = F.interpolate(image, axis_size, mode="bicubic", antialias=True)
        image = (image + 0.5).floor().clamp(0, 255)
    return to_codes(image[0])


def _crop(frame: Codes, protocol: Protocol) -> Codes:
    if protocol.width is not None and frame.shape[-1] > protocol.width:
        left = (frame.shape[-1] - protocol.width) // 2
        frame = frame[..., left : left + protocol.width]
    height, width = (side // protocol.scale * protocol.scale for side in frame.shape[-2:])
    return frame[..., :height, :width]
