"""The pictures of a report: crops of single frames, and slices through time."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from upreel.errors import MediaError

Rgb = NDArray[np.uint8]
"""A picture as it is shown, `(H, W, 3)`."""

CROP = (360, 240)
"""Width and height of the part of a frame that is shown, pixels."""
SLICE = (720, 480)
"""The most columns and frames of a slice through time."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture and what stands above it.

    Attributes:
        label: who made it.
        uri: a data URI of a PNG.
        size: width and height.
    """

    label: str
    uri: str
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Exhibit:
    """The same part of a video as several ways made it.

    Attributes:
        title: of the clip.
        caption: which frame or row, and why.
        pictures: of one size; the truth last where there is one.
    """

    title: str
    caption: str
    pictures: tuple[Picture, ...]


def encode(label: str, rgb: Rgb) -> Picture:
    """Encode a picture, without loss.

    Raises:
        MediaError: it has no pixels.
    """
    done, data = cv2.imencode(
        ".png", np.ascontiguousarray(rgb[..., ::-1]), [cv2.IMWRITE_PNG_COMPRESSION, 9]
    )
    if not done:
        raise MediaError(f"expected a picture of {label}, found none")
    text = base64.b64encode(data.tobytes()).decode()
    return Picture(label, f"data:image/png;base64,{text}", (rgb.shape[1], rgb.shape[0]))


@dataclass
class Gallery:
    """Looks at a clip frame by frame and keeps what is worth showing, and no more.

    Attributes:
        title: of the clip.
    """

    title: str
    _worst: tuple[float, int, dict[str, Rgb]] | None = None
    _best: tuple[float, int, dict[str, Rgb]] | None = None
    _lines: dict[str, list[Rgb]] = field(default_factory=dict)

    def offer(self, number: int, frames: Mapping[str, Rgb], score: float) -> None:
        """Look at one frame.

        Args:
            number: of the frame.
            frames: of one size, by who made them; the truth, or the second video, last.
            score: by which frames are best and worst; more is better.
        """
        if self._worst is None or score < self._worst[0]:
            self._worst = (score, number, dict(frames))
        if self._best is None or score > self._best[0]:
            self._best = (score, number, dict(frames))
        for label, frame in frames.items():
            lines = self._lines.setdefault(label, [])
            if len(lines) < SLICE[1]:
                left = max(0, (frame.shape[1] - SLICE[0]) // 2)
                lines.append(frame[frame.shape[0] // 2, left : left + SLICE[0]].copy())

    def crops(self, unit: str = "dB") -> tuple[Exhibit, ...]:
        """The worst frame and, where it is another, the best: the part that differs most."""
        shown = [("worst", self._worst), ("best", self._best)]
        return tuple(
            _crop(self.title, f"{word} frame: {kept[1]}, {kept[0]:.2f} {unit}", kept[2])
            for index, (word, kept) in enumerate(shown)
            if kept is not None and (index == 0 or self._worst is None or kept[1] != self._worst[1])
        )

    def profile(self) -> Exhibit | None:
        """The middle row of each frame, one below the other; `None` without frames."""
        if not self._lines:
            return None
        count = len(next(iter(self._lines.values())))
        each = max(1, min(12, 120 // count))
        return Exhibit(
            self.title,
            f"the middle row of {count} frames, time runs downwards",
            tuple(
                encode(label, np.stack(lines).repeat(each, axis=0))
                for label, lines in self._lines.items()
            ),
        )


def _crop(title: str, caption: str, frames: Mapping[str, Rgb]) -> Exhibit:
    first, *_, last = frames.values()
    height, width = first.shape[:2]
    across, down = min(CROP[0], width), min(CROP[1], height)
    error = cv2.absdiff(first, last).astype(np.float32).mean(axis=2)
    sums = cv2.boxFilter(error, -1, (across, down), anchor=(0, 0), borderType=cv2.BORDER_REFLECT)
    inside = sums[: height - down + 1, : width - across + 1]
    row, column = divmod(int(inside.argmax()), inside.shape[1])
    return Exhibit(
        title,
        f"{caption}; {across}x{down} pixels from column {column}, row {row}",
        tuple(
            encode(label, frame[row : row + down, column : column + across])
            for label, frame in frames.items()
        ),
    )
