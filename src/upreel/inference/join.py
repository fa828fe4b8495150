"""Segments of an output, each encoded by itself, joined without encoding again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import av

from upreel.core.files import failed
from upreel.errors import OutputError
from upreel.inference.assembly import Assembly, ImageAssembly, VideoAssembly
from upreel.inference.ledger import Ledger
from upreel.inference.plan import Start
from upreel.inference.segment import SegmentFile
from upreel.inference.work import Work
from upreel.video.encoding import Encoding, plan
from upreel.video.frame import ColorTags, Frame, PixelLayout
from upreel.video.image_writer import ImageWriter
from upreel.video.reader import Reader
from upreel.video.target import image_target
from upreel.video.track import Pace, VideoTrack
from upreel.video.writer import Writer, open_writer


def can_be_joined(target: str | Path, source: Reader, encoding: Encoding) -> bool:
    """Whether an output can be made of segments.

    Not a single image; nor VP9 with transparency, which lies beside its packets.
    """
    kind = image_target(target)
    if kind is not None:
        return kind != "image"
    chosen = plan(Path(target).suffix, encoding, source.video.layout)
    return not (chosen.encoder.alpha and chosen.layout.alpha)


def open_target(
    target: Path,
    *,
    source: Reader,
    size: tuple[int, int],
    encoding: Encoding,
    audio: bool,
    overwrite: bool,
    pace: Pace | None,
    work: Work | None,
    check: Callable[[], None],
) -> Writer | ImageWriter | SegmentedWriter:
    """The writer for an output: in segments where there is a folder for them.

    Args:
        target: a video file, a folder, a pattern or an image.
        source: what the frames are made from, opened.
        size: wanted width and height.
        encoding: what the user asked for, with a number of threads.
        audio: whether to carry the sound.
        overwrite: whether existing files may be replaced.
        pace: of the frames of a video, where it is not that of the source.
        work: what is done already, and where more of it goes.
        check: see `SegmentedWriter`.

    Raises:
        UsageError: the encoding does not go with the container or the source.
    """
    if work is None:
        return open_writer(
            target,
            source=source,
            size=size,
            encoding=encoding,
            audio=audio,
            overwrite=overwrite,
            pace=pace,
        )
    assembly = open_assembly(
        target,
        source=source,
        size=size,
        encoding=encoding,
        audio=audio,
        overwrite=overwrite,
        pace=pace,
    )
    return SegmentedWriter(target, assembly, source=source, work=work, check=check)


def open_assembly(
    target: Path,
    *,
    source: Reader,
    size: tuple[int, int],
    encoding: Encoding,
    audio: bool,
    overwrite: bool,
    pace: Pace | None,
) -> Assembly:
    """What segments of an output are made with, and joined; the arguments of `open_target`.

    Raises:
        UsageError: the encoding does not go with the container or the source.
    """
    kind = image_target(target)
    if kind is None:
        track = VideoTrack(target.suffix, source=source, size=size, encoding=encoding, pace=pace)
        return VideoAssembly(target, track, source=source, audio=audio, overwrite=overwrite)
    images = ImageWriter(target, source=source, size=size, kind=kind, overwrite=overwrite)
    return ImageAssembly(images)


def first_of(ledger: Ledger, layout: PixelLayout) -> Frame | None:
    """The first frame of a result without its planes, if its segment is finished."""
    done = ledger.first
    return Frame((), layout, done.first, done.time_base, done.duration) if done else None


class SegmentedWriter:
    """Writes each segment to a file of packets; `finish` joins them, and adds all other streams.

    The same interface as `Writer`.

    Attributes:
        size: width and height of the frames to write.
        layout: their planes.
        colors: how these planes are to be coded.
        ledger: what was done when it began.
        start: the first segment to write; `None`: there is none left.
    """

    size: tuple[int, int]
    layout: PixelLayout
    colors: ColorTags

    def __init__(
        self,
        target: Path,
        assembly: Assembly,
        *,
        source: Reader,
        work: Work,
        check: Callable[[], None],
    ) -> None:
        """Go on where the work was left.

        Args:
            target: the output, for messages.
            assembly: makes packets of frames, and the output of packets.
            source: what the frames are made from, opened.
            work: what is done already, and where more of it goes.
            check: called before anything is counted as finished; raises an error where it is not.
        """
        self.ledger = work.ledger
        self.start = work.ledger.start
        self.size, self.layout, self.colors = assembly.size, assembly.layout, assembly.colors
        self._target = target
        self._assembly = assembly
        self._source = source
        self._work = work
        self._check = check
        self._first = first_of(work.ledger, self.layout)
        self._starts: dict[int, Start] = {}
        self._number = 0  # of the segment that is to be finished next
        self._segment: SegmentFile | None = None
        self._stack = ExitStack()
        if self.start is not None:
            self.expect(self.start)
        if self._first is not None:
            assembly.place(self._first)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        """Remove what is not finished of a segment."""
        self._stack.close()

    def wants(self, start: Start) -> bool:
        """Whether a segment is not finished yet."""
        return start.number not in self.ledger.numbers

    def expect(self, start: Start) -> None:
        """Hear where a segment will begin, before its first frame comes."""
        self._starts[start.number] = start

    def write(self, frame: Frame) -> None:
        """Encode a frame; the first one of a segment ends the one before.

        Args:
            frame: see `Writer.write`; its `segment` is set.

        Raises:
            OutputError: the disk is full, or something else hinders writing.
        """
        assert frame.segment is not None
        try:
            if self._first is None:
                self._first = frame.with_planes((), frame.layout)
                self._assembly.place(self._first)
            self._end_segments(frame.segment)
            self._begin_segment().write(frame)
        except (av.FFmpegError, OSError) as error:
            raise failed(self._target, error) from error

    def _begin_segment(self) -> SegmentFile:
        if self._segment is None:
            pending = self._stack.enter_context(self._work.pending_segment(self._number))
            segment = SegmentFile(self._number, self._assembly, pending.path)
            self._segment = self._stack.enter_context(segment)
            self._pending = pending
        return self._segment

    def _end_segments(self, until: int) -> None:
        """Finish those before a number, also where no frame came for them."""
        for number in range(self._number, until):
            self._number = number
            if number in self._starts and self.wants(self._starts[number]):
                segment = self._begin_segment()
                done = segment.finish(self._starts.get(number + 1), self._source.damage)
                self._pending.commit()
                self._check()
                self._work.add(done)
                self._segment = None
                self._stack.close()
        self._number = until

    def finish(self, *, partial: bool = False) -> Path:
        """End the last segment, join all, bring the file to the disk, and give it its name.

        Args:
            partial: the frames are not all: the other streams end with them, and the name is
                `OUT.partial.EXT`.

        Returns:
            The name.

        Raises:
            OutputError: no frame was written, or something hinders writing.
        """
        try:
            self._end_segments(max(self._starts, default=-1) + 1)
            if self._first is None:
                raise OutputError(f"Nothing to write to {self._target}: the source has no frame.")
            final = self._assembly.join(self._first, self._work, self._check, partial=partial)
        except (av.FFmpegError, OSError) as error:
            raise failed(self._target, error) from error
        self._work.remove()
        return final
