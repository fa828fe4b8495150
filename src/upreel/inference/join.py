"""Segments of a video, each encoded by itself, joined to one file without encoding again."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Self

import av

from upreel.core.files import PendingFile, failed
from upreel.errors import OutputError
from upreel.inference.ledger import Done
from upreel.inference.plan import Start
from upreel.inference.work import Work
from upreel.video.encoding import Encoding, plan
from upreel.video.frame import ColorTags, Frame, PixelLayout
from upreel.video.image_writer import ImageWriter
from upreel.video.output import Output
from upreel.video.packets import PacketWriter, read_packets
from upreel.video.reader import Reader
from upreel.video.target import image_target
from upreel.video.track import Pace, VideoTrack
from upreel.video.writer import Writer, open_writer


def can_be_joined(target: str | Path, source: Reader, encoding: Encoding) -> bool:
    """Whether an output can be made of segments.

    Not images; nor VP9 with transparency, which lies beside its packets.
    """
    if image_target(target) is not None:
        return False
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
    return SegmentedWriter(
        target,
        source=source,
        size=size,
        encoding=encoding,
        audio=audio,
        overwrite=overwrite,
        pace=pace,
        work=work,
        check=check,
    )


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
        *,
        source: Reader,
        size: tuple[int, int],
        encoding: Encoding,
        audio: bool,
        overwrite: bool,
        pace: Pace | None,
        work: Work,
        check: Callable[[], None],
    ) -> None:
        """Choose how to encode.

        Args:
            target: the file.
            source: what the frames are made from, opened.
            size: wanted width and height; see `VideoTrack`.
            encoding: what the user asked for, with a number of threads.
            audio: whether to carry the sound.
            overwrite: whether an existing file may be replaced.
            pace: of the frames, where it is not that of the source.
            work: what is done already, and where more of it goes.
            check: called before anything is counted as finished; raises an error where it is not.

        Raises:
            UsageError: the encoding does not go with the container or the source.
        """
        self.ledger = work.ledger
        self._target = target
        self._source = source
        self._work = work
        self._audio = audio
        self._overwrite = overwrite
        self._check = check
        self._track = VideoTrack(
            target.suffix, source=source, size=size, encoding=encoding, pace=pace
        )
        self.size, self.layout, self.colors = (
            self._track.size, self._track.layout, self._track.colors
        )  # fmt: skip
        self._first: Frame | None = None  # of the result
        self._starts: dict[int, Start] = {}
        self._segment: _Segment | None = None
        self._stack = ExitStack()
        if work.ledger.segments:
            begin, before = work.ledger.segments[0], work.ledger.segments[-1]
            self._place(Frame((), self.layout, begin.first, begin.time_base, begin.duration))
            self._track.last, self._track.end = before.last, before.end

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

    def _place(self, first: Frame) -> None:
        self._first = first
        self._track.place(first)

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
                    self._place(frame)
                self._segment = self._stack.enter_context(
                    _Segment(frame.segment, frame, self._track, self._work)
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
            with PendingFile(
                self._target, overwrite=self._overwrite, folder=self._work.path
            ) as pending:
                self._join(pending.path, self._first, partial=partial)
                self._check()
                self._work.announce(pending.path)
                final = pending.commit(partial=partial)
        except (av.FFmpegError, OSError) as error:
            raise failed(self._target, error) from error
        self._work.remove()
        return final

    def _join(self, path: Path, first: Frame, *, partial: bool) -> None:
        with Output(
            path,
            self._track,
            first,
            source=self._source,
            extension=self._target.suffix,
            audio=self._audio,
        ) as output:
            last = -(2**62)
            for number in range(len(self._work.ledger.segments)):
                for packet in read_packets(self._work.segment(number)):
                    packet.stream = output.stream
                    if packet.dts is not None:
                        # An encoder that begins places its first packets before its first frame,
                        # by the time of some frames: before the end of the last one, it may be.
                        packet.dts = last = max(packet.dts, last + 1)
                        output.carry_until(self._track.source_time(packet.dts * packet.time_base))
                    output.mux((packet,))
            output.finish(self._track.end if partial else None)


class _Segment:
    """A segment that is being encoded."""

    def __init__(self, number: int, first: Frame, track: VideoTrack, work: Work) -> None:
        self.number = number
        self._first = first
        self._track = track
        self._count = 0
        self._stack = ExitStack()
        with self._stack as stack:
            self._pending = stack.enter_context(work.pending_segment(number))
            # Encoders are told what container it is for. Nothing is ever written to this one.
            self._container = stack.enter_context(
                av.open(io.BytesIO(), "w", format=track.plan.container.muxer)
            )
            track.open(track.add_to(self._container))
            self._file = stack.enter_context(PacketWriter(self._pending.path, track.time_base))
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()

    def write(self, frame: Frame) -> None:
        self._file.write(self._track.encode(frame))
        self._count += 1

    def finish(self, following: Start | None, damage: str | None) -> Done:
        """Complete the file and give it its name; what the ledger says of it comes back."""
        self._file.write(self._track.flush())
        checksum = self._file.finish()
        self._pending.commit()
        first = self._first
        return Done(
            frames=self._count,
            first=first.pts,
            time_base=first.time_base,
            duration=first.duration,
            last=self._track.last,
            end=Fraction(self._track.end),
            next_frame=None if following is None else following.frame,
            next_scene=following is None or following.scene,
            checksum=checksum,
            damage=damage,
        )
