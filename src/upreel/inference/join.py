"""Segments of an output, each encoded by itself, joined without encoding again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Self

import av

from upreel.core.files import failed
from upreel.errors import OutputError
from upreel.inference.assembly import Assembly, ImageAssembly, VideoAssembly
from upreel.inference.ledger import Done
from upreel.inference.plan import Start
from upreel.inference.work import Work
from upreel.video.encoding import Encoding, plan
from upreel.video.frame import ColorTags, Frame, PixelLayout
from upreel.video.image_writer import ImageWriter
from upreel.video.packets import PacketWriter
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
    kind = image_target(target)
    assembly: Assembly
    if kind is None:
        track = VideoTrack(target.suffix, source=source, size=size, encoding=encoding, pace=pace)
        assembly = VideoAssembly(target, track, source=source, audio=audio, overwrite=overwrite)
    else:
        images = ImageWriter(target, source=source, size=size, kind=kind, overwrite=overwrite)
        assembly = ImageAssembly(images)
    return SegmentedWriter(target, assembly, source=source, work=work, check=check)


class SegmentedWriter:
    """Writes each segment to a file of packets; `finish` joins them, and adds all other streams.

    The same interface as `Writer`.

    Attributes:
        size: width and height of the frames to write.
        layout: their planes.
        colors: how these planes are to be coded.
        ledger: what was done when it began.
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
        self.size, self.layout, self.colors = assembly.size, assembly.layout, assembly.colors
        self._target = target
        self._assembly = assembly
        self._source = source
        self._work = work
        self._check = check
        self._first: Frame | None = None  # of the result
        self._starts: dict[int, Start] = {}
        self._segment: _Segment | None = None
        self._stack = ExitStack()
        if work.ledger.segments:
            begin, before = work.ledger.segments[0], work.ledger.segments[-1]
            self._first = Frame((), self.layout, begin.first, begin.time_base, begin.duration)
            assembly.place(self._first)
            assembly.go_on(before.last, before.end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        """Remove what is not finished of a segment."""
        self._stack.close()

    @property
    def start(self) -> Start | None:
        """The first segment to write; `None`: there is none left."""
        return self.ledger.start

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
            if self._segment is not None and frame.segment != self._segment.number:
                self._end_segment(self._starts.pop(frame.segment))
            if self._segment is None:
                if self._first is None:
                    self._first = frame.with_planes((), frame.layout)
                    self._assembly.place(self._first)
                self._segment = self._stack.enter_context(
                    _Segment(frame.segment, frame, self._assembly, self._work)
                )
            self._segment.write(frame)
        except (av.FFmpegError, OSError) as error:
            raise failed(self._target, error) from error

    def _end_segment(self, following: Start | None) -> None:
        segment, self._segment = self._segment, None
        if segment is not None:
            done = segment.finish(following, self._source.damage)
            self._check()
            self._work.add(done)
            self._stack.close()

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
            self._end_segment(None)
            if self._first is None:
                raise OutputError(f"Nothing to write to {self._target}: the source has no frame.")
            final = self._assembly.join(self._first, self._work, self._check, partial=partial)
        except (av.FFmpegError, OSError) as error:
            raise failed(self._target, error) from error
        self._work.remove()
        return final


class _Segment:
    """A segment that is being encoded."""

    def __init__(self, number: int, first: Frame, assembly: Assembly, work: Work) -> None:
        self.number = number
        self._first = first.with_planes((), first.layout)
        self._assembly = assembly
        self._count = 0
        self._stack = ExitStack()
        with self._stack as stack:
            self._pending = stack.enter_context(work.pending_segment(number))
            stack.enter_context(assembly.begin())
            self._file = stack.enter_context(PacketWriter(self._pending.path, assembly.time_base))
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()

    def write(self, frame: Frame) -> None:
        self._file.write(self._assembly.encode(frame))
        self._count += 1

    def finish(self, following: Start | None, damage: str | None) -> Done:
        """Complete the file and give it its name; what the ledger says of it comes back."""
        self._file.write(self._assembly.flush())
        checksum = self._file.finish()
        self._pending.commit()
        first = self._first
        return Done(
            frames=self._count,
            first=first.pts,
            time_base=first.time_base,
            duration=first.duration,
            last=self._assembly.last,
            end=Fraction(self._assembly.end),
            next_frame=None if following is None else following.frame,
            next_scene=following is None or following.scene,
            next_place=None if following is None else following.place,
            checksum=checksum,
            damage=damage,
        )
