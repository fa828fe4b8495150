"""Frames into a video file that keeps everything else of its source."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import av

from upreel.core.files import PendingFile, failed
from upreel.errors import OutputError
from upreel.video.encoder_settings import try_encoder
from upreel.video.encoding import Encoding, plan
from upreel.video.frame import ColorTags, Frame, PixelLayout
from upreel.video.image_writer import ImageWriter
from upreel.video.output import Output
from upreel.video.reader import Reader
from upreel.video.target import check_place, image_target
from upreel.video.track import Pace, VideoTrack


def check_target(
    target: str | Path,
    source: str | Path,
    *,
    overwrite: bool = False,
    encoding: Encoding = Encoding(),  # noqa: B008 - a frozen value
) -> None:
    """Find out before any work whether a target can be written.

    Args:
        target: a video file, a folder, a pattern or an image.
        source: the input.
        overwrite: whether existing files may be replaced.
        encoding: what the user asked for.

    Raises:
        UsageError: the target is the input, exists, or does not go with the encoding.
        OutputError: its folder does not exist or cannot be written to.
    """
    kind, path = image_target(target), Path(target)
    if kind is None:
        # As if of the most usual source; the writer looks again, with the source.
        chosen = plan(path.suffix, encoding, PixelLayout("yuv", subsample=(2, 2)))
        if encoding.crf is not None or encoding.preset is not None:
            try_encoder(chosen)
    check_place(path, kind, Path(source), overwrite=overwrite)


def open_writer(
    target: str | Path,
    *,
    source: Reader,
    size: tuple[int, int],
    encoding: Encoding = Encoding(),  # noqa: B008 - a frozen value
    audio: bool = True,
    overwrite: bool = False,
    pace: Pace | None = None,
) -> Writer | ImageWriter:
    """The writer for a target: of a video file, or of images (see `image_target`).

    Args:
        target: a video file, a folder, a pattern or an image.
        source: what the frames are made from, opened.
        size: wanted width and height.
        encoding: what the user asked for; images take none of it.
        audio: whether to carry the sound.
        overwrite: whether existing files may be replaced.
        pace: of the frames; that of the source without it.

    Raises:
        UsageError: the encoding does not go with the container or the source.
    """
    kind, path = image_target(target), Path(target)
    if kind is not None:
        return ImageWriter(path, source=source, size=size, kind=kind, overwrite=overwrite)
    return Writer(
        path,
        source=source,
        size=size,
        encoding=encoding,
        audio=audio,
        overwrite=overwrite,
        pace=pace,
    )


class Writer:
    """Writes frames and carries the other streams of their source along.

    Use it as a context manager: `write` every frame, then `finish`. Leaving it without `finish`
    removes what was written. Every frame keeps its pts: exactly in mp4 and mov, rounded to a
    millisecond in Matroska and WebM, where two that fall together become neighbours. The index of
    an mp4 stays at its end; moving it to the front would mean to write the whole file twice.

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
        encoding: Encoding = Encoding(),  # noqa: B008 - a frozen value
        audio: bool = True,
        overwrite: bool = False,
        pace: Pace | None = None,
    ) -> None:
        """Choose how to encode; nothing is written yet.

        Args:
            target: the file.
            source: what the frames are made from, opened.
            size: wanted width and height; an odd one loses its last column or row where the
                chroma is subsampled.
            encoding: what the user asked for.
            audio: whether to carry the sound.
            overwrite: whether an existing file may be replaced.
            pace: of the frames; that of the source without it.

        Raises:
            UsageError: the encoding does not go with the container or the source.
        """
        self._target = target
        self._source = source
        self._audio = audio
        self._track = VideoTrack(
            target.suffix, source=source, size=size, encoding=encoding, pace=pace
        )
        self.size, self.layout, self.colors = (
            self._track.size, self._track.layout, self._track.colors
        )  # fmt: skip
        self._pending = PendingFile(target, overwrite=overwrite)
        self._stack = ExitStack()
        self._output: Output | None = None

    def __enter__(self) -> Self:
        """Make the hidden file.

        Raises:
            OutputError: the folder cannot be written to.
        """
        self._stack.enter_context(self._pending)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove what `finish` has not completed."""
        self._stack.close()

    def write(self, frame: Frame) -> None:
        """Encode a frame and write it, with whatever else the source has up to its instant.

        Args:
            frame: of `size` and `layout`, coded as `colors`, later than the one before; a row or
                column beyond `size` is left out.

        Raises:
            OutputError: the disk is full, or something else hinders writing.
        """
        try:
            if self._output is None:
                self._output = self._stack.enter_context(
                    Output(
                        self._pending.path,
                        self._track,
                        frame,
                        source=self._source,
                        extension=self._target.suffix,
                        audio=self._audio,
                    )
                )
            self._output.mux(self._track.encode(frame))
            self._output.carry_until(frame.pts * frame.time_base)
        except (av.FFmpegError, OSError) as error:
            raise failed(self._target, error) from error

    def finish(self, *, partial: bool = False) -> Path:
        """Write what is left, bring the file to the disk, and give it its name.

        Args:
            partial: the frames are not all: the other streams end with them, and the name is
                `OUT.partial.EXT`.

        Returns:
            The name.

        Raises:
            OutputError: no frame was written, or something hinders writing.
        """
        if self._output is None:
            raise OutputError(f"Nothing to write to {self._target}: the source has no frame.")
        try:
            self._output.mux(self._track.flush())
            self._output.finish(self._track.end if partial else None)
        except (av.FFmpegError, OSError) as error:
            raise failed(self._target, error) from error
        return self._pending.commit(partial=partial)
