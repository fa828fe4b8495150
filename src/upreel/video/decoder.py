"""Decoded frames of a stream in the order of presentation, with an account of what is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, takewhile
from math import floor
from pathlib import Path
from typing import TypeAlias

import av
import av.container

from upreel.video.place import Place, Read
from upreel.video.probe import limit_size, open_media, stream_duration
from upreel.video.transparency import decoder_of, say_unread_layer
from upreel.video.trust import TRUST, Trust

Packet: TypeAlias = "av.Packet[av.stream.Stream]"
VideoPacket: TypeAlias = "av.Packet[av.VideoStream]"

_MAX_READ_ERRORS = 100
# Containers whose header tells when their last packet ends; others only guess.
_EXACT_DURATIONS = ("matroska", "flv", "asf")
# Containers with an entry in their index for every packet.
_FULL_INDEXES = ("mov", "avi")
# Containers that find an instant again, as tests show.
_SEEKABLE = ("mov", "matroska", "mpegts", "avi")
_UNKNOWN = -(2**63)
# Groups of pictures to begin before a frame.
_GROUPS = 2
# How far before a frame to look for keyframes, seconds: first there, then twice as far each time.
_SEEK_STEP = Fraction(1, 4)


class Decoder:
    """One pass over a stream of a file; iterate it, then look at `damage`."""

    def __init__(
        self, path: Path, index: int, *, start: Fraction | None = None, trust: Trust = TRUST
    ) -> None:
        """Prepare a pass.

        Args:
            path: of the file.
            index: of the stream.
            start: seconds, in the time of the file; decoding begins with a keyframe at or before
                this instant.
            trust: what the file may cost, and where it may lead.
        """
        self._path = path
        self._trust = trust
        self._index = index
        self._start = start
        self._corrupt = 0
        self._repaired: list[int] = []  # pts of frames
        self._read_errors = 0
        self._position = -1  # of the latest packet, in bytes
        self._counts = False  # whether it counts if that is corrupt
        self._missing: str | None = None

    @property
    def damage(self) -> str | None:
        """What is wrong with the file, in words, as far as it has been read."""
        found = []
        if self._corrupt:
            found.append(f"{self._corrupt} corrupt packet{'s' if self._corrupt > 1 else ''}")
        if repaired := len(self._repaired):
            plural = "s" if repaired > 1 else ""
            found.append(f"{repaired} frame{plural} decoded with errors")
        if self._missing:
            found.append(self._missing)
        elif self._read_errors:
            found.append("parts that cannot be read")
        return f"{self._path} is damaged: {', '.join(found)}" if found else None

    def __iter__(self) -> Iterator[av.VideoFrame]:
        with open_media(self._path, self._trust) as container:
            if self._start is not None:
                frames = self._sought(container, self._start)
                if frames is not None:
                    yield from frames
                    return
        with open_media(self._path, self._trust) as container:
            yield from self._decoded(container)

    def read_before(self, pts: int) -> Read | None:
        """What has been read now that the frame with a pts is there; `None` where nobody knows."""
        if self._position < 0 or self._read_errors:
            return None
        return Read(self._position, self._corrupt, sum(each < pts for each in self._repaired))

    def since(self, place: Place) -> Iterator[av.VideoFrame]:
        """Frames that begin before a place; none where it is not sure that it lies behind them.

        Frames of an open group of pictures refer to the group before, so two groups have to be
        found that begin before the first frame of the place; what comes with the first of them is
        left out.
        """
        with open_media(self._path, self._trust) as container:
            if not container.format.name.startswith(_SEEKABLE):
                return
            position = place.read.position
            instant = self._groups_before(container, place.pts[0], position=position)
            if instant is None:
                return
            container.seek(instant, stream=self._stream(container))
            keyframes = 0
            for frame in self._decoded(container, place):
                keyframes += frame.key_frame
                if keyframes >= _GROUPS:
                    yield frame

    def _groups_before(
        self, container: av.container.InputContainer, pts: int, *, position: int | None = None
    ) -> int | None:
        """Where to seek to, for two keyframes before a pts.

        Args:
            container: of the stream.
            pts: keyframes have to be shown before it.
            position: they have to begin in this many first bytes of the file.
        """
        stream = self._stream(container)
        time_base = stream.time_base or Fraction(1, av.time_base)
        if _counts_packets(container) and stream.codec_context.has_b_frames:
            return None  # where the counting begins, among reordered packets, nobody knows
        begin = (container.start_time or 0) / (av.time_base * time_base)
        instant, step = pts - 1, int(_SEEK_STEP / time_base) + 1
        while instant > begin:
            try:
                container.seek(instant, stream=stream)
                packets = takewhile(lambda packet: _time(packet) < pts, container.demux(stream))
                keyframes = [packet for packet in packets if packet.is_keyframe]
            except av.FFmpegError:
                return None  # this container cannot seek
            if position is not None and any((each.pos or 0) > position for each in keyframes):
                return None
            times = [time for packet in keyframes if (time := _time(packet)) != _UNKNOWN]
            if len(times) >= _GROUPS:
                return instant
            instant, step = min([instant, *times]) - step, 2 * step
        return None  # there is nothing to be saved

    def _sought(
        self, container: av.container.InputContainer, start: Fraction
    ) -> Iterator[av.VideoFrame] | None:
        """Frames from a keyframe at or before `start`; `None` to begin at the beginning."""
        stream = self._stream(container)
        time_base = stream.time_base or Fraction(1, av.time_base)
        instant = self._groups_before(container, floor(start / time_base) + 1)
        if instant is None:
            return None
        container.seek(instant, stream=stream)
        frames = self._decoded(container)
        # What an open group of pictures shows before its keyframe cannot be decoded here.
        first = next((frame for frame in frames if frame.key_frame), None)
        if first is None or first.pts is None or first.pts * time_base > start:
            return None
        return chain((first,), frames)

    def _stream(self, container: av.container.InputContainer) -> av.VideoStream:
        return next(s for s in container.streams.video if s.index == self._index)

    def _decoded(
        self, container: av.container.InputContainer, place: Place | None = None
    ) -> Iterator[av.VideoFrame]:
        """Decode to the end of the file, over what cannot be decoded.

        What is damaged before a place is known, and not counted again.
        """
        stream = self._stream(container)
        decoder = decoder_of(stream)
        say_unread_layer(stream, decoder)
        decoder.thread_type = "AUTO"
        limit_size(decoder, self._trust)
        resyncs = container.format.name.startswith("mpeg")
        clock = _Counter() if _counts_packets(container) else None
        extent, indexed = _Extent(), container.format.name.startswith(_FULL_INDEXES)
        read, known = (place.read, place.pts[1]) if place else (Read(), _UNKNOWN)
        self._corrupt, self._repaired = read.corrupt, [_UNKNOWN] * read.repaired
        self._read_errors = 0
        began = False
        for packet in self._demuxed(container):
            is_video = packet.stream.index == self._index  # a packet that flushes has no index
            if is_video and place and indexed and not extent.packets:
                if packet.dts is None:
                    return  # not to be found in the index
                extent.first = stream.index_entries.search_timestamp(packet.dts, any_frame=True)
            extent.add(packet, is_video=is_video)
            if not is_video:
                continue
            self._position = self._position if packet.pos is None else packet.pos
            # What comes before the first keyframe, in a recording, is nobody's loss.
            began = began or packet.is_keyframe
            self._counts = began and (place is None or self._position > read.position)
            self._corrupt += packet.is_corrupt and self._counts
            if packet.is_corrupt and not resyncs:
                continue  # half a packet: a decoder would lose whole frames over it at the end
            if clock is not None:
                clock.see(packet)
            for frame in self._frames_of(decoder, packet):
                if clock is not None:
                    clock.set_pts(frame)
                pts = _UNKNOWN if frame.pts is None else frame.pts
                if frame.is_corrupt and began and pts >= known:
                    self._repaired.append(pts)
                yield frame
        self._missing = self._shortfall(container, stream, extent)

    def _demuxed(self, container: av.container.InputContainer) -> Iterator[Packet]:
        """Packets of all streams; where one cannot be read, the next."""
        while self._read_errors < _MAX_READ_ERRORS:
            try:
                yield from container.demux()
            except av.FFmpegError:
                self._read_errors += 1
            else:
                return

    def _frames_of(self, decoder: av.VideoCodecContext, packet: Packet) -> list[av.VideoFrame]:
        try:
            return decoder.decode(packet)
        except av.FFmpegError:
            self._corrupt += self._counts
            return []

    def _shortfall(
        self, container: av.container.InputContainer, stream: av.VideoStream, extent: _Extent
    ) -> str | None:
        """How much less has come than the header promises, in words."""
        name = container.format.name
        if name.startswith(_FULL_INDEXES) and self._start is None:
            entries = stream.index_entries
            if len(entries) - extent.first > extent.packets:
                promised = [entry.size > 0 for entry in entries]
                missing = sum(promised[extent.first :]) - extent.packets
                if missing > 0:
                    return f"{missing} of {sum(promised)} frames are missing"
        if name.startswith(_EXACT_DURATIONS):
            whole = (container.duration or 0) * Fraction(1, av.time_base)
            for promise, found, slack in (
                (stream_duration(stream), extent.video_end, Fraction(1, 5)),
                (whole, extent.end, Fraction(1, 2)),
            ):
                if promise is not None and found < promise - slack:
                    return f"it ends after {float(found):.1f} of {float(promise):.1f} seconds"
        return None


def _time(packet: Packet | VideoPacket) -> int:
    """When a packet is shown, or decoded where nobody says when it is shown."""
    instant = packet.pts if packet.pts is not None else packet.dts
    return _UNKNOWN if instant is None else instant


def _counts_packets(container: av.container.InputContainer) -> bool:
    return container.format.name == "avi"


@dataclass(slots=True)
class _Extent:
    """What has been read: packets of the video, and where it and the file end, in seconds.

    `first` is the number of the first of these packets in the index of the file.
    """

    first: int = 0
    packets: int = 0
    video_end: Fraction = Fraction(0)
    end: Fraction = Fraction(0)

    def add(self, packet: Packet, *, is_video: bool) -> None:
        instant = packet.pts if packet.pts is not None else packet.dts
        if packet.size == 0 or instant is None:
            return
        end = (instant + (packet.duration or 0)) * packet.time_base
        self.end = max(self.end, end)
        if is_video:
            self.packets += 1
            self.video_end = max(self.video_end, end)


class _Counter:
    """The clock of AVI, which only counts packets: its pts are guesses, in the wrong order.

    What comes out of the decoder is in order, and so are the dts that come with it, late by as
    much as the decoder held back at first.
    """

    def __init__(self) -> None:
        self._begin: int | None = None
        self._late: int | None = None

    def see(self, packet: Packet) -> None:
        if self._begin is None:
            self._begin = packet.dts

    def set_pts(self, frame: av.VideoFrame) -> None:
        if self._begin is None or frame.dts is None:
            frame.pts = None
            return
        if self._late is None:
            self._late = frame.dts - self._begin
        frame.pts = frame.dts - self._late
