"""The clips of a folder, and the luma of their frames."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np
import torch
from torch import Tensor

from upreel.data.camera import pan
from upreel.data.datasets import index
from upreel.data.degradations import Luma
from upreel.data.drawings import Drawing, Drawn
from upreel.errors import MediaError
from upreel.ops.color import code_range, rgb_to_ycbcr
from upreel.ops.flow import to_8_bits
from upreel.ops.resize import imresize
from upreel.video.encoding import CONTAINERS
from upreel.video.frame import Frame
from upreel.video.reader import Reader
from upreel.video.trust import TRUST, Trust

INDEX = "index.tsv"
PATHS = 2
"""How many camera paths are made over each photograph."""

Split = Literal["train", "val", "test"]
_TO_LEARN: dict[Drawn, int] = {"procedural": 24, "dead-leaves": 64}
_TO_SCORE: dict[Split, range] = {"val": range(1000, 1006), "test": range(2000, 2006)}
_SIZES: dict[Drawn, tuple[int, int]] = {"procedural": (192, 192), "dead-leaves": (320, 320)}


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip of a folder.

    Attributes:
        name: of its file or folder.
        path: a video, a folder of images, or a photograph.
        halve: by how much frames are reduced first, so that the marks of a lossy codec do not
            become the truth.
        credit: licence and source.
        still: whether it is a photograph, over which a camera is to move.
        drawing: what it shows, if it needs no file.
        group: what it is scored with apart from others, such as `fast`; empty for none.
        trust: what its files may cost, and where they may lead.
    """

    name: str
    path: Path
    halve: int = 1
    credit: str = "unknown"
    still: bool = False
    drawing: Drawing | None = None
    group: str = ""
    trust: Trust = TRUST


def find_clips(
    data: Path, split: Split = "val", *, stills: bool = False, trust: Trust = TRUST
) -> list[Clip]:
    """List the clips of a folder.

    Args:
        data: a folder of videos and of folders of images, or one with a folder of such for each
            split. Where it has an `index.tsv`, that says which clips there are (columns `split`,
            `name`, `kind`, `halve`, `licence`, `source`) and they lie in a folder for each split.
            `procedural` or `dead-leaves`, where nothing has this name: clips that are drawn.
        split: which of them, where there are splits.
        stills: whether photographs (`kind` is `stills`) become clips too.
        trust: what their files may cost, and where they may lead.

    Raises:
        MediaError: there are none.
    """
    if is_drawn(data):
        clips = list(_list_drawings(data, split))
    elif is_indexed(data):
        read = index.read_index(data)
        clips = [
            Clip(
                entry.name,
                data / entry.path,
                credit=f"{read.licence}, {read.page}",
                group=entry.group,
            )
            for entry in index.select(read.clips, split)
        ]
    elif (data / INDEX).is_file():
        clips = list(_read_index(data, split, stills=stills))
    else:
        folder = data / split if has_splits(data) else data
        entries = sorted(folder.iterdir()) if folder.is_dir() else []
        clips = [Clip(path.name, path) for path in entries if path.is_dir() or _is_video(path)]
    if not clips:
        raise MediaError(
            f"expected a folder with videos, folders of images, or an {INDEX} with {split} clips, "
            f"found none in {data}; a public data set needs: upreel data prepare"
        )
    return [replace(clip, trust=trust) for clip in clips]


def has_splits(data: Path) -> bool:
    """Whether a folder tells clips for training from clips for validation."""
    return (
        is_drawn(data)
        or any((data / name).is_file() for name in (INDEX, index.NAME))
        or all((data / name).is_dir() for name in ("train", "val"))
    )


def is_indexed(data: Path) -> bool:
    """Whether `upreel data prepare` has been here."""
    return (data / index.NAME).is_file()


def _read_index(data: Path, split: Split, *, stills: bool) -> Iterator[Clip]:
    try:
        with (data / INDEX).open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file, delimiter="\t") if row["split"] == split]
        for row in rows:
            index.check_inside(data, row["name"])
            path, halve = data / split / row["name"], int(row["halve"])
            credit = f"{row['licence']}, {row['source']}"
            if row["kind"] != "stills":
                yield Clip(row["name"], path, halve, credit)
            elif stills:
                for photograph in sorted(path.iterdir()):
                    for number in range(PATHS):
                        name = f"{row['name']}-{photograph.stem}-{number}"
                        yield Clip(name, photograph, halve, credit, still=True)
    except MediaError:
        raise
    except (KeyError, TypeError, ValueError, OSError, csv.Error) as error:
        raise MediaError(
            f"expected the columns split, name, kind, halve, licence and source in {data / INDEX}, "
            f"with folders for stills, found something else ({error})"
        ) from error


def is_drawn(data: Path) -> bool:
    """Whether this is the name of a set that needs no file."""
    return str(data) in get_args(Drawn) and not data.exists()


def _list_drawings(data: Path, split: Split) -> Iterator[Clip]:
    kind = cast(Drawn, str(data))
    for number in range(_TO_LEARN[kind]) if split == "train" else _TO_SCORE[split]:
        drawing = Drawing(kind, number, _SIZES[kind])
        yield Clip(f"{kind}-{number}", data, credit="Upreel, CC0", drawing=drawing)


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in {*CONTAINERS, ".avi", ".y4m", ".264", ".gif"}


def read_luma(clip: Clip) -> Iterator[Luma]:
    """Read the frames of a clip: luma `(H, W)`, 8 bits, limited range.

    Raises:
        MediaError: the clip cannot be read.
    """
    if clip.drawing is not None:
        for rgb in clip.drawing.draw():
            unit = torch.from_numpy(rgb).float() / 255
            yield to_8_bits(rgb_to_ycbcr(unit, "smpte170m", "tv", 8)[0])
    elif clip.still:
        for frame in pan(next(_decode_luma(clip)), key=clip.name):
            yield np.ascontiguousarray(frame)
    else:
        yield from _decode_luma(clip)


def _decode_luma(clip: Clip) -> Iterator[Luma]:
    with Reader(clip.path, trust=clip.trust) as reader:
        full = reader.video.colors.range == "pc"
        for frame in reader:
            luma = luma_of(frame, full=full)
            yield to_8_bits(imresize(luma, 1 / clip.halve) if clip.halve > 1 else luma)


def luma_of(frame: Frame, *, full: bool) -> Tensor:
    """Luma of a frame, `(H, W)`, in units of the largest code value, limited range."""
    top = 2**frame.layout.bits - 1
    planes: list[Tensor] = [
        torch.from_numpy(plane.astype(np.float32)) / top for plane in frame.planes
    ]
    if frame.layout.family == "rgb":
        return rgb_to_ycbcr(torch.stack(planes[:3]), "smpte170m", "tv", 8)[0]
    black, span, _ = code_range("tv", 8)
    return planes[0] * span + black if full else planes[0]
