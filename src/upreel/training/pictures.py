"""What a network makes, to look at while it trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from upreel.core.files import PendingFile, failed
from upreel.data.clips import Clip
from upreel.evaluation.colors import to_seen
from upreel.evaluation.evaluate import run
from upreel.evaluation.pairs import read_pair
from upreel.evaluation.protocols import Protocol
from upreel.evaluation.relay import Model
from upreel.inference.stages import Stages

Rgb = NDArray[np.uint8]

_FRAMES = 5
_ROWS = 4
_SIDE = 48
"""Of the part of a low frame that is shown, pixels."""


def draw_pictures(upscaler: Model, protocol: Protocol, clips: Sequence[Clip]) -> Rgb:
    """Draw a row for each of the first clips: the low frame, the result, the truth.

    Each shows the middle of the fifth frame, or of the last one of a shorter clip; where every
    other frame is made anew, of the last one that is, beside the low frame before it.

    Args:
        upscaler: what makes the results.
        protocol: how low frames are made.
        clips: at least one.

    Returns:
        `(H, W, 3)`.
    """
    frames = _FRAMES + 2 * protocol.trim
    short = replace(protocol, frames=frames, selection="all", mirror=False)
    rows = [_row(upscaler, short, clip) for clip in clips[:_ROWS]]
    width = max(row.shape[1] for row in rows)
    return np.concatenate(
        [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]
    )


def write_picture(rgb: Rgb, path: Path) -> None:
    """Write a PNG; one of this name is replaced.

    Raises:
        OutputError: the disk is full.
    """
    path.parent.mkdir(exist_ok=True)
    with PendingFile(path, overwrite=True) as pending:
        try:
            pending.path.write_bytes(cv2.imencode(".png", rgb[..., ::-1])[1].tobytes())
        except OSError as error:
            raise failed(path, error) from error
        pending.commit()


def _row(upscaler: Model, protocol: Protocol, clip: Clip) -> Rgb:
    pair = read_pair(clip, protocol)
    scale, rate = protocol.scale, protocol.rate
    number = max((len(pair.high) - 1) // rate * rate - (rate - 1), 0)
    output = list(run(upscaler, pair.low, protocol.phase, Stages()))[number]
    low, high = pair.low[number // rate], pair.high[number]
    side = min(_SIDE, *low.shape[-2:])
    top, left = ((length - side) // 2 for length in low.shape[-2:])
    wide = low.repeat_interleave(scale, -2).repeat_interleave(scale, -1)
    parts = [
        image[:, top * scale : (top + side) * scale, left * scale : (left + side) * scale]
        for image in (wide, output, high)
    ]
    return np.concatenate([_show(part) for part in parts], axis=1)


def _show(image: Tensor) -> Rgb:
    """`(C, H, W)` in the colours of a protocol as a screen shows it, `(H, W, 3)`."""
    shown = (to_seen(image, "rgb") * 255).round().clamp(0, 255)
    array: Rgb = shown.byte().permute(1, 2, 0).numpy()
    return array
