"""Frames into images: a folder of them, a pattern of names, or a single one."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from upreel.core.files import PendingFile, PendingFolder, failed
from upreel.errors import OutputError, UsageError
from upreel.video.frame import ColorTags, Frame, PixelLayout
from upreel.video.geometry import sample_aspect_ratio, shown_size, turned
from upreel.video.images import SUFFIXES
from upreel.video.left_out import LeftOut
from upreel.video.output_colors import output_colors
from upreel.video.reader import Reader
from upreel.video.target import ImageTarget, image_names, names_like

log = logging.getLogger(__name__)

_WIDE = {".png", ".tif", ".tiff"}  # hold 16 bits
_ALPHA = {".png", ".webp", ".tif", ".tiff"}
# Nearly transparent where a format is lossy; files of TIFF and PNG are lossless.
_QUALITY = {
    ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".webp": [cv2.IMWRITE_WEBP_QUALITY, 95],
    ".png": [cv2.IMWRITE_PNG_COMPRESSION, 3],
}


class ImageWriter:
    """Writes every frame as an image, numbered from 1; sound and times have no place there.

    The same interface as `Writer`. PNG and TIFF get 16 bits for sources of more than 8, the
    others 8. Images are RGB of full range, or gray of full range where the source is gray.

    Attributes:
        size: width and height of the frames to write.
        layout: their planes.
        colors: how these planes are to be coded.
    """

    size: tuple[int, int]
    layout: PixelLayout
    colors: ColorTags

    def __init__(
        self,
        target: Path,
        *,
        source: Reader,
        size: tuple[int, int],
        kind: ImageTarget,
        overwrite: bool = False,
    ) -> None:
        """Choose the layout; nothing is written yet.

        Args:
            target: folder, pattern or image.
            source: what the frames are made from, opened.
            size: width and height.
            kind: what the target is.
            overwrite: whether images of these names may be replaced.

        Raises:
            UsageError: this kind of image cannot be written.
        """
        self._target = target
        self._kind = kind
        folder, self._names = image_names(target, kind)
        self._extension = Path(self._names).suffix.lower()
        if self._extension not in SUFFIXES:
            raise UsageError(
                f"Images end in {', '.join(sorted(SUFFIXES))}, not in {self._extension!r}. "
                f"Name the output accordingly."
            )
        whole = source.start is None and source.end is None
        if kind == "image" and whole and (source.frames or 1) > 1:
            raise self._more_than_one()
        self._video = video = source.video
        self.size = size
        self.layout = PixelLayout(
            "gray" if video.layout.family == "gray" else "rgb",
            16 if video.layout.bits > 8 and self._extension in _WIDE else 8,
            alpha=video.layout.alpha and self._extension in _ALPHA,
        )
        self.colors = replace(
            output_colors(video, self.layout, still=source.media is None), range="pc", siting=None
        )
        self._folder = folder
        self._overwrite = overwrite
        self._work: Path | None = None
        self._pending: PendingFile | PendingFolder | None = None
        self._count = 0
        self._stack = ExitStack()
        self._warn_of_losses(source)
        self._left_out = LeftOut(
            source,
            alpha=None if self.layout.alpha else f"{self._extension} has none; .png has",
            captions="images hold none",
        )

    def __enter__(self) -> Self:
        """Make the hidden file or folder.

        Raises:
            OutputError: the place cannot be written to.
        """
        if self._kind == "image":
            pending: PendingFile | PendingFolder = PendingFile(
                self._target, overwrite=self._overwrite
            )
        else:
            pending = PendingFolder(
                self._folder,
                overwrite=self._overwrite,
                replaces=names_like(self._names),
                folder=self._work,
            )
        self._pending = pending
        self._stack.enter_context(pending)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove what `finish` has not completed."""
        self._stack.close()

    def work_in(self, folder: Path) -> Self:
        """Make the hidden folder in another one, on the same file system."""
        self._work = folder
        return self

    def _warn_of_losses(self, source: Reader) -> None:
        others = 0 if source.media is None else len(source.media.streams) - 1
        if others:
            log.warning(
                "%d other stream%s left out: images hold no sound and no subtitles.",
                others, "s are" if others > 1 else " is",
            )  # fmt: skip

        turn = ["mirrored"] if self._video.mirrored else []
        turn += [f"turned by {self._video.rotation} degrees"] if self._video.rotation else []
        if turn:
            log.warning("Images are %s, as players show the video.", " and ".join(turn))
        video = self._video
        ratio = sample_aspect_ratio(
            video.sample_aspect_ratio, (video.width, video.height), self.size
        )
        if ratio is not None and abs(ratio - 1) > Fraction(1, 50):
            width, height = shown_size((round(self.size[0] * ratio), self.size[1]), video.rotation)
            sideways = shown_size((0, 1), video.rotation) != (0, 1)
            log.warning(
                "Pixels of the video are %s as wide as high, which images cannot say: they look "
                "too %s. --size %dx%d gives them their shape.",
                ratio, "narrow" if (ratio > 1) != sideways else "wide", width, height,
            )  # fmt: skip

    def write(self, frame: Frame) -> None:
        """Write a frame as the next image.

        Args:
            frame: of `size` and `layout`, coded as `colors`.

        Raises:
            UsageError: a second frame for a single image.
            OutputError: the disk is full, or something else hinders writing.
        """
        self.put(self.encode(frame))

    def encode(self, frame: Frame) -> bytes:
        """The bytes of a frame as an image.

        Raises:
            OutputError: it cannot be coded as an image of this kind.
        """
        if frame.layout != self.layout or (frame.width, frame.height) != self.size:
            raise ValueError(
                f"a frame of {self.size[0]}x{self.size[1]} and {self.layout} was expected, "
                f"found {frame.width}x{frame.height} and {frame.layout}"
            )
        self._left_out.look(frame)
        try:
            return self._encoded(frame)
        except OSError as error:
            raise failed(self._target, error) from error

    def put(self, data: bytes) -> None:
        """Write the bytes of the next image.

        Raises:
            UsageError: a second one for a single image.
            OutputError: the disk is full, or something else hinders writing.
        """
        assert self._pending is not None
        if self._kind == "image" and self._count:
            raise self._more_than_one()
        self._count += 1
        path = self._pending.path
        if self._kind != "image":
            path = path / (self._names % self._count)
        try:
            path.write_bytes(data)
        except OSError as error:
            raise failed(self._target, error) from error

    def _more_than_one(self) -> UsageError:
        return UsageError(
            f"{self._target} is one image, but the input has more than one frame. Name a "
            "folder, a pattern such as frames/%05d.png, or a video."
        )

    def finish(self, *, partial: bool = False) -> Path:
        """Give the images their names.

        Args:
            partial: the frames are not all: the name is `OUT.partial` or `OUT.partial.EXT`.

        Returns:
            The folder, or the single image.

        Raises:
            OutputError: no frame was written, or something hinders writing.
        """
        if not self._count or self._pending is None:
            raise OutputError(f"Nothing to write to {self._target}: the source has no frame.")
        return self._pending.commit(partial=partial)

    def _encoded(self, frame: Frame) -> bytes:
        order = (2, 1, 0, 3)[: len(frame.planes)] if self.layout.family == "rgb" else (0, 1)
        planes = [frame.planes[index] for index in order[: len(frame.planes)]]
        stacked: NDArray[np.unsignedinteger] = np.stack(planes, axis=-1)
        pixels = np.ascontiguousarray(
            turned(stacked, self._video.rotation, mirrored=self._video.mirrored)
        )
        try:
            done, data = cv2.imencode(self._extension, pixels, _QUALITY.get(self._extension, []))
        except cv2.error as error:
            raise OSError(0, f"{error.err} ({self._extension})") from error
        if not done:
            raise OSError(0, f"the image cannot be coded as {self._extension}")
        return bytes(data)
