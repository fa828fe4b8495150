"""What an output in segments is made of: frames become packets, and packets the output."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av

from upreel.core.files import PendingFile
from upreel.inference.work import Work
from upreel.video.frame import ColorTags, Frame, PixelLayout
from upreel.video.image_writer import ImageWriter
from upreel.video.output import Output
from upreel.video.packets import read_packets
from upreel.video.reader import Reader
from upreel.video.routes import Packet
from upreel.video.track import VideoTrack


class Assembly(Protocol):
    """Makes packets of frames, and the output of packets.

    Attributes:
        size: width and height of the frames.
        layout: their planes.
        colors: how these planes are to be coded.
    """

    size: tuple[int, int]
    layout: PixelLayout
    colors: ColorTags

    @property
    def time_base(self) -> Fraction:
        """Of the packets, seconds."""
        ...

    @property
    def end(self) -> Fraction:
        """Where the latest frame ends, seconds of the source."""
        ...

    def place(self, first: Frame) -> None:
        """Learn of the first frame of the output; its planes do not matter."""
        ...

    def begin(self) -> AbstractContextManager[None]:
        """Begin a segment."""
        ...

    def encode(self, frame: Frame) -> Sequence[Packet]:
        """The packets that are ready after a frame."""
        ...

    def flush(self) -> Sequence[Packet]:
        """The last packets of a segment."""
        ...

    def join(self, first: Frame, work: Work, check: Callable[[], None], *, partial: bool) -> Path:
        """Make the output of all segments, bring it to the disk, and give it its name.

        Args:
            first: the first frame of the output; its planes do not matter.
            work: has the segments.
            check: called before the output gets its name; raises an error where it must not.
            partial: the frames are not all, and the name is `OUT.partial.EXT`.

        Raises:
            UsageError: the name was taken meanwhile.
            OutputError: something hinders writing.
        """
        ...


class VideoAssembly:
    """A video file."""

    def __init__(
        self, target: Path, track: VideoTrack, *, source: Reader, audio: bool, overwrite: bool
    ) -> None:
        """Prepare.

        Args:
            target: the file.
            track: its video.
            source: what is carried over.
            audio: whether to carry the sound.
            overwrite: whether an existing file may be replaced.
        """
        self._target = target
        self._track = track
        self._source = source
        self._audio = audio
        self._overwrite = overwrite
        self.size, self.layout, self.colors = track.size, track.layout, track.colors

    @property
    def time_base(self) -> Fraction:
        """See `Assembly`."""
        return self._track.time_base

    @property
    def end(self) -> Fraction:
        """See `Assembly`."""
        return self._track.end

    def place(self, first: Frame) -> None:
        """See `Assembly`."""
        self._track.place(first)

    @contextmanager
    def begin(self) -> Iterator[None]:
        """See `Assembly`."""
        # Encoders are told what container it is for. Nothing is ever written to this one.
        with av.open(io.BytesIO(), "w", format=self._track.plan.container.muxer) as container:
            self._track.open(self._track.add_to(container))
            yield

    def encode(self, frame: Frame) -> Sequence[Packet]:
        """See `Assembly`."""
        return self._track.encode(frame)

    def flush(self) -> Sequence[Packet]:
        """See `Assembly`."""
        return self._track.flush()

    def join(self, first: Frame, work: Work, check: Callable[[], None], *, partial: bool) -> Path:
        """See `Assembly`; all other streams of the source are added."""
        with PendingFile(self._target, overwrite=self._overwrite, folder=work.path) as pending:
            with Output(
                pending.path,
                self._track,
                first,
                source=self._source,
                extension=self._target.suffix,
                audio=self._audio,
            ) as output:
                last = -(2**62)
                for packet in _packets(work):
                    packet.stream = output.stream
                    if packet.dts is not None:
                        # An encoder that begins places its first packets before its first frame,
                        # by the time of some frames: before the end of the last one, it may be.
                        packet.dts = last = max(packet.dts, last + 1)
                        output.carry_until(self._track.source_time(packet.dts * packet.time_base))
                    output.mux((packet,))
                output.finish(work.ledger.end if partial else None)
            check()
            work.announce(pending.path)
            return pending.commit(partial=partial)


class ImageAssembly:
    """Images in a folder; a packet is one of them."""

    def __init__(self, writer: ImageWriter) -> None:
        """Prepare; `writer` has not been entered."""
        self._writer = writer
        self.size, self.layout, self.colors = writer.size, writer.layout, writer.colors
        self.time_base = Fraction(1)
        self.end = Fraction(0)

    def place(self, first: Frame) -> None:
        """See `Assembly`; images have no place in time."""

    @contextmanager
    def begin(self) -> Iterator[None]:
        """See `Assembly`."""
        yield

    def encode(self, frame: Frame) -> Sequence[Packet]:
        """See `Assembly`."""
        return (av.Packet(self._writer.encode(frame)),)

    def flush(self) -> Sequence[Packet]:
        """See `Assembly`."""
        return ()

    def join(self, first: Frame, work: Work, check: Callable[[], None], *, partial: bool) -> Path:
        """See `Assembly`."""
        with self._writer.work_in(work.path) as writer:
            for packet in _packets(work):
                writer.put(bytes(packet))
            check()
            work.announce(None)
            return writer.finish(partial=partial)


def _packets(work: Work) -> Iterator[Packet]:
    last = -(2**62)
    for done in work.ledger.segments:
        path = work.segment(done.number)
        moved: dict[int, int] | None = None
        highest = last
        for packet in read_packets(path, done.checksum):
            if moved is None:  # the first packet of a segment is its first frame
                moved = _moved(path, last) if (packet.pts or 0) <= last else {}
            if packet.pts in moved:
                packet.duration = max(1, (packet.duration or 0) - moved[packet.pts] + packet.pts)
                packet.pts = moved[packet.pts]
            if packet.pts is not None:
                highest = max(highest, packet.pts)
            yield packet
        last = highest


def _moved(path: Path, last: int) -> dict[int, int]:
    """Other pts for frames of a segment that would be shown at or before the one before it.

    That is so where two frames are closer to each other than the result's unit of time.
    """
    moved = {}
    for pts in sorted(packet.pts or 0 for packet in read_packets(path)):
        if pts > last:
            break
        moved[pts] = last = last + 1
    return moved
