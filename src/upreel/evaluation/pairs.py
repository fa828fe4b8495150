"""The clips of a folder, as they are and as an upscaler sees them under a protocol."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from upreel.data.degradations import Luma, degrade
from upreel.errors import MediaError
from upreel.evaluation.protocols import Protocol
from upreel.ops.color import code_range, rgb_to_ycbcr
from upreel.ops.flow import to_8_bits
from upreel.ops.resize import imresize
from upreel.video.encoding import CONTAINERS
from upreel.video.frame import Frame
from upreel.video.reader import Reader

INDEX = "index.tsv"


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip of a folder.

    Attributes:
        name: of its file or folder.
        path: a video, or a folder of images.
        halve: by how much frames are reduced first, so that the marks of a lossy codec do not
            become the truth.
        credit: licence and source.
    """

    name: str
    path: Path
    halve: int = 1
    credit: str = "unknown"


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


def find_clips(data: Path, split: str = "val") -> list[Clip]:
    """List the clips of a folder.

    Args:
        data: a folder of videos and of folders of images. Where it has an `index.tsv`, that says
            which clips there are (columns `split`, `name`, `kind`, `halve`, `licence`, `source`)
            and they lie in a folder for each split.
        split: which of them, where there is an index.

    Raises:
        MediaError: there are none.
    """
    if (data / INDEX).is_file():
        with (data / INDEX).open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file, delimiter="\t") if row["split"] == split]
        clips = [
            Clip(
                row["name"],
                data / split / row["name"],
                int(row["halve"]),
                f"{row['licence']}, {row['source']}",
            )
            for row in rows
            if row["kind"] != "stills"
        ]
    elif data.is_dir():
        entries = sorted(data.iterdir())
        clips = [Clip(path.name, path) for path in entries if path.is_dir() or _is_video(path)]
    else:
        clips = []
    if not clips:
        raise MediaError(
            f"expected a folder with videos, folders of images, or an {INDEX} with {split} clips, "
            f"found none in {data}"
        )
    return clips


def read_pair(clip: Clip, protocol: Protocol) -> Pair:
    """Read the frames of a clip that count, and make the low ones of them.

    Raises:
        MediaError: the clip cannot be read.
    """
    frames = _read_luma(clip, protocol.frames)
    high = np.stack([_crop(frame, protocol.scale) for frame in frames])
    low = degrade(high, protocol.degradation, scale=protocol.scale)
    return Pair(clip.name, _to_tensors(low), _to_tensors(high))


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in {*CONTAINERS, ".avi", ".y4m", ".264", ".gif"}


def _read_luma(clip: Clip, frames: int) -> Iterator[Luma]:
    """Luma of the first frames `(H, W)` in limited range."""
    with Reader(clip.path) as reader:
        full = reader.video.colors.range == "pc"
        for frame in islice(reader, frames):
            luma = _luma(frame, full=full)
            yield to_8_bits(imresize(luma, 1 / clip.halve) if clip.halve > 1 else luma)


def _luma(frame: Frame, *, full: bool) -> Tensor:
    top = 2**frame.layout.bits - 1
    planes: list[Tensor] = [
        torch.from_numpy(plane.astype(np.float32)) / top for plane in frame.planes
    ]
    if frame.layout.family == "rgb":
        return rgb_to_ycbcr(torch.stack(planes[:3]), "smpte170m", "tv", 8)[0]
    black, span, _ = code_range("tv", 8)
    return planes[0] * span + black if full else planes[0]


def _crop(frame: Luma, scale: int) -> Luma:
    height, width = (side // scale * scale for side in frame.shape)
    return frame[:height, :width]


def _to_tensors(clip: Luma) -> list[Tensor]:
    return [torch.from_numpy(frame)[None].float() / 255 for frame in clip]
