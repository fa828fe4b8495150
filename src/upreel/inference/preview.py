"""A picture of one frame before and after: the part of it with the most detail, side by side."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from upreel.core.files import PendingFile, failed
from upreel.errors import OutputError, UsageError
from upreel.inference.planes import PlaneConverter
from upreel.ops.resize import resize
from upreel.video.coding import Coding, require_matrix
from upreel.video.frame import Frame, PixelLayout
from upreel.video.geometry import sample_aspect_ratio, turned
from upreel.video.probe import VideoInfo
from upreel.video.target import check_place

CROP = (480, 400)
"""Width and height of the part that is shown, in pixels of the result."""

ZOOM = 2
"""How many times larger each pixel is drawn."""

LABEL_HEIGHT = 36
"""Rows at the top that are darkened for the label."""


def check_picture(path: Path, source: str | Path, target: Path, *, overwrite: bool) -> None:
    """Find out before any work whether the picture can be written.

    Raises:
        UsageError: its name is not one of a PNG, or is taken.
        OutputError: its folder does not exist or cannot be written to.
    """
    if path.suffix.lower() != ".png":
        raise UsageError(f"expected a name that ends in .png for the preview, found {path}")
    check_place(path, "image", Path(source), overwrite=overwrite)
    if path.resolve() == target.resolve():
        raise UsageError(f"{target} is the output already; choose another name for the picture")


class Preview:
    """Keeps one frame from the middle of a stream, and draws it."""

    def __init__(self, before: Coding, after: Coding, *, frames: int | None) -> None:
        """Prepare for pairs of frames.

        Args:
            before: how the frames of the source are coded.
            after: how the frames of the result are coded.
            frames: how many to expect; where nobody knows, later and later ones are kept.

        Raises:
            MediaError: their colours cannot be turned into RGB.
        """
        for coding in (before, after):
            require_matrix(coding)
        self._codings = before, after
        self._wanted = frames // 2 if frames else None
        self._seen = 0
        self._pair: tuple[Frame, Frame] | None = None

    def offer(self, before: Frame, after: Frame) -> None:
        """Show a frame of the source with what came of it; it is kept if it is the better one."""
        doubled = self._seen & (self._seen - 1) == 0
        if self._seen == self._wanted or (doubled and self._seen <= (self._wanted or self._seen)):
            self._pair = before, after
        self._seen += 1

    def draw(self, path: Path, video: VideoInfo, *, overwrite: bool) -> Path:
        """Write the picture as PNG, as players show it: left the input, by bicubic interpolation.

        Args:
            path: of the picture.
            video: the source: how players turn it, and the shape of its pixels.
            overwrite: whether an existing file may be replaced.

        Raises:
            UsageError: the file was made meanwhile.
            OutputError: it cannot be written.
        """
        if self._pair is None:
            raise OutputError(f"there is no frame to draw in {path}")
        source, result = self._pair
        size = (result.width, result.height)
        ratio = sample_aspect_ratio(video.sample_aspect_ratio, (source.width, source.height), size)
        size = (max(1, round(size[0] * (ratio or 1))), size[1])
        left, right = (
            turned(_to_rgb(frame, coding, size), video.rotation, mirrored=video.mirrored)
            for frame, coding in zip(self._pair, self._codings, strict=True)
        )
        rows, columns = _most_detailed(right)
        tiles = [
            _draw(left[rows, columns], "before (bicubic)"),
            _draw(right[rows, columns], "after"),
        ]
        divider = np.full((tiles[0].shape[0], 4, 3), 255, np.uint8)
        picture = np.concatenate([tiles[0], divider, tiles[1]], axis=1)
        with PendingFile(path, overwrite=overwrite) as pending:
            try:
                pending.path.write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
            except OSError as error:
                raise failed(path, error) from error
            return pending.commit()


def _to_rgb(frame: Frame, coding: Coding, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The frame at `size` as `(height, width, 3)`, enlarged by bicubic interpolation if need be."""
    rgb = Coding(PixelLayout("rgb"), "bt709", "pc", "center")
    converter = PlaneConverter(
        coding,
        rgb,
        color="luma",
        source_size=(frame.width, frame.height),
        size=size,
        target_size=size,
    )
    luma = resize(converter.low(frame), (size[1], size[0]))
    return np.stack([np.asarray(p, np.uint8) for p in converter.high(frame, luma).planes], axis=-1)


def _most_detailed(picture: NDArray[np.uint8]) -> tuple[slice, slice]:
    """Where the sum of gradients is largest over an area of `CROP`."""
    height, width = picture.shape[:2]
    across, down = min(CROP[0], width), min(CROP[1], height)
    gray = torch.from_numpy(picture.mean(axis=2))[None, None]
    energy = F.pad(gray.diff(dim=-1).abs(), (0, 1)) + F.pad(gray.diff(dim=-2).abs(), (0, 0, 0, 1))
    stride = max(1, min(across, down) // 8)
    sums = F.avg_pool2d(energy, (down, across), stride=stride)
    row, column = divmod(int(sums.argmax()), sums.shape[-1])
    return slice(row * stride, row * stride + down), slice(
        column * stride, column * stride + across
    )


def _draw(part: NDArray[np.uint8], label: str) -> NDArray[np.uint8]:
    drawn = part.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)
    drawn[:LABEL_HEIGHT] //= 4
    cv2.putText(
        drawn, label, (12, 26), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 1, cv2.LINE_AA
    )
    return drawn
