"""Decoded frames of a stream in the order of presentation, with an account of what is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TypeAlias

import av
import av.container

from upreel.video.probe import limit_size, open_media, stream_duration
from upreel.video.transparency import decoder_of, say_unread_layer
from upreel.video.trust import TRUST, Trust

Packet: TypeAlias = "av.Packet[av.stream.Stream]"

_MAX_READ_ERRORS = 100
# How far before the wanted instant to look for a keyframe, seconds; further back with each try.
_SEEK_MARGINS = (1, 10, 60)
# Containers whose header tells when their last packet ends; others only guess.
_EXACT_DURATIONS = ("matroska", "flv", "asf")
# Containers with an entry in their index for every packet.
_FULL_INDEXES = ("mov", "avi")


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
        self._repaired = 0
        self._read_errors = 0
        self._began = False
        self._missing: str | None = None

    @property
    def damage(self) -> str | None:
        """What is wrong with the file, in words, as far as it has been read."""
        found = []
        if self._corrupt:
            found.append(f"{self._corrupt} corrupt packet{'s' if self._corrupt > 1 else ''}")
        if self._repaired:
            plural = "s" if self._repaired > 1 else ""
            found.append(f"{self._repaired} frame{plural} decoded with errors")
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

    def _sought(
        self, container: av.container.InputContainer, start: Fraction
    ) -> Iterator[av.VideoFrame] | None:
        """Frames from a keyframe at or before `start`; `None` to begin at the beginning."""
        stream = self._stream(container)
        if _counts_packets(container) and stream.codec_context.has_b_frames:
            return None  # where the counting begins, among reordered packets, nobody knows
        begin = (container.start_time or 0) * Fraction(1, av.time_base)
        time_base = stream.time_base or Fraction(1, av.time_base)
        for margin in _SEEK_MARGINS:
            if start - margin <= begin:
                return None
            try:
                container.seek(int((start - margin) / time_base), stream=stream)
            except av.FFmpegError:
                return None  # this container cannot seek
            frames = self._decoded(container)
            # What an open group of pictures shows before its keyframe cannot be decoded here.
            first = next((frame for frame in frames if frame.key_frame), None)
            if first is not None and first.pts is not None and first.pts * time_base <= start:
                return chain((first,), frames)
        return None

    def _stream(self, container: av.container.InputContainer) -> av.VideoStream:
        return next(s for s in container.streams.video if s.index == self._index)

    def _decoded(self, container: av.container.InputContainer) -> Iterator[av.VideoFrame]:
        """Decode to the end of the file, over what cannot be decoded."""
        stream = self._stream(container)
        decoder = decoder_of(stream)
        say_unread_layer(stream, decoder)
        decoder.thread_type = "AUTO"
        limit_size(decoder, self._trust)
        resyncs = container.format.name.startswith("mpeg")
        clock = _Counter() if _counts_packets(container) else None
        extent = _Extent()
        self._corrupt = self._repaired = self._read_errors = 0
        self._began = False
        for packet in self._demuxed(container):
            is_video = packet.stream.index == self._index  # a packet that flushes has no index
            extent.add(packet, is_video=is_video)
            if not is_video:
                continue
            # What comes before the first keyframe, in a recording, is nobody's loss.
            self._began = self._began or packet.is_keyframe
            self._corrupt += packet.is_corrupt and self._began
            if packet.is_corrupt and not resyncs:
                continue  # half a packet: a decoder would lose whole frames over it at the end
            if clock is not None:
                clock.see(packet)
            for frame in self._frames_of(decoder, packet):
                if clock is not None:
                    clock.set_pts(frame)
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

    def _frames_of(self, decoder: av.VideoCodecContext, packet: Packet) -> Iterator[av.VideoFrame]:
        try:
            frames = decoder.decode(packet)
        except av.FFmpegError:
            self._corrupt += self._began
            return
        for frame in frames:
            self._repaired += frame.is_corrupt and self._began
            yield frame

    def _shortfall(
        self, container: av.container.InputContainer, stream: av.VideoStream, extent: _Extent
    ) -> str | None:
        """How much less has come than the header promises, in words."""
        name = container.format.name
        if name.startswith(_FULL_INDEXES) and self._start is None:
            promised = len(stream.index_entries)
            if promised > extent.packets:
                promised = sum(entry.size > 0 for entry in stream.index_entries)
            if promised > extent.packets:
                return f"{promised - extent.packets} of {promised} frames are missing"
        if name.startswith(_EXACT_DURATIONS):
            whole = (container.duration or 0) * Fraction(1, av.time_base)
            for promise, found, slack in (
                (stream_duration(stream), extent.video_end, Fraction(1, 5)),
                (whole, extent.end, Fraction(1, 2)),
            ):
                if promise is not None and found < promise - slack:
                    return f"it ends after {float(found):.1f} of {float(promise):.1f} seconds"
        return None


def _counts_packets(container: av.container.InputContainer) -> bool:
    return container.format.name == "avi"


@dataclass(slots=True)
class _Extent:
    """What has been read: packets of the video, and where it and the file end, in seconds."""

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
