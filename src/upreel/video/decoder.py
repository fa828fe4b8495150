"""Decoded frames of a stream in the order of presentation, with an account of what is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.container

from upreel.video.probe import limit_size, open_media, stream_duration

_MAX_READ_ERRORS = 100
# How far before the wanted instant to look for a keyframe, seconds; further back with each try.
_SEEK_MARGINS = (1, 10, 60)
# Containers whose header tells when their last packet ends; others only guess.
_EXACT_DURATIONS = ("matroska", "flv", "asf")
# Containers with an entry in their index for every packet.
_FULL_INDEXES = ("mov", "avi")


class Decoder:
    """One pass over a stream of a file; iterate it, then look at `damage`."""

    def __init__(self, path: Path, index: int, *, start: Fraction | None = None) -> None:
        """Prepare a pass.

        Args:
            path: of the file.
            index: of the stream.
            start: seconds, in the time of the file; decoding begins with a keyframe at or before
                this instant.
        """
        self._path = path
        self._index = index
        self._start = start
        self._corrupt = 0
        self._read_errors = 0
        self._began = False
        self._missing: str | None = None

    @property
    def damage(self) -> str | None:
        """What is wrong with the file, in words, as far as it has been read."""
        found = []
        if self._corrupt:
            found.append(f"{self._corrupt} corrupt packet{'s' if self._corrupt > 1 else ''}")
        if self._missing:
            found.append(self._missing)
        elif self._read_errors:
            found.append("parts that cannot be read")
        return f"{self._path} is damaged: {', '.join(found)}" if found else None

    def __iter__(self) -> Iterator[av.VideoFrame]:
        with open_media(self._path) as container:
            frames = self._sought(container) if self._start is not None else None
            yield from frames if frames is not None else self._decoded(container)

    def _sought(self, container: av.container.InputContainer) -> Iterator[av.VideoFrame]:
        """Frames from a keyframe at or before the start, or from the beginning."""
        time_base = container.streams[self._index].time_base or Fraction(1, av.time_base)
        begin = (container.start_time or 0) * Fraction(1, av.time_base)
        start = self._start if self._start is not None else begin
        for margin in _SEEK_MARGINS:
            if start - margin <= begin:
                break
            try:
                container.seek(
                    int((start - margin) / time_base), stream=container.streams[self._index]
                )
            except av.FFmpegError:
                break  # this container cannot seek
            frames = self._decoded(container)
            # What an open group of pictures shows before its keyframe cannot be decoded here.
            first = next((frame for frame in frames if frame.key_frame), None)
            if first is not None and first.pts is not None and first.pts * time_base <= start:
                yield first
                yield from frames
                return
        with open_media(self._path) as again:
            yield from self._decoded(again)

    def _decoded(self, container: av.container.InputContainer) -> Iterator[av.VideoFrame]:
        """Decode to the end of the file, over what cannot be decoded."""
        stream = container.streams.video[0]
        for candidate in container.streams.video:
            if candidate.index == self._index:
                stream = candidate
        stream.thread_type = "AUTO"
        limit_size(stream.codec_context)
        resyncs = container.format.name.startswith("mpeg")
        self._corrupt = self._read_errors = packets = 0
        self._began = False
        end = video_end = Fraction(0)
        # AVI only counts packets: its pts are guesses in the wrong order. What comes out of the
        # decoder is in order, and so are the dts, late by what the decoder held back at first.
        counts = container.format.name == "avi"
        first_dts: int | None = None
        late: int | None = None
        for packet in self._demuxed(container):
            packet_end = _end_of(packet)
            end = max(end, packet_end)
            if packet.stream.index != self._index:  # a packet that flushes has no index
                continue
            packets += packet.size > 0
            video_end = max(video_end, packet_end)
            # What comes before the first keyframe, in a recording, is nobody's loss.
            self._began = self._began or packet.is_keyframe
            self._corrupt += packet.is_corrupt and self._began
            if packet.is_corrupt and not resyncs:
                continue  # half a packet: a decoder would lose whole frames over it at the end
            first_dts = packet.dts if first_dts is None else first_dts
            for frame in self._frames_of(packet):
                if counts and first_dts is not None and frame.dts is not None:
                    late = frame.dts - first_dts if late is None else late
                    frame.pts = frame.dts - late
                elif counts:
                    frame.pts = None
                yield frame
        self._missing = self._shortfall(container, stream, packets, video_end, end)

    def _demuxed(
        self, container: av.container.InputContainer
    ) -> Iterator[av.Packet[av.stream.Stream]]:
        """Packets of all streams; where one cannot be read, the next."""
        while self._read_errors < _MAX_READ_ERRORS:
            try:
                yield from container.demux()
            except av.FFmpegError:
                self._read_errors += 1
            else:
                return

    def _frames_of(self, packet: av.Packet[av.stream.Stream]) -> Iterator[av.VideoFrame]:
        try:
            frames = packet.decode()
        except av.FFmpegError:
            self._corrupt += self._began
            return
        for frame in frames:
            if isinstance(frame, av.VideoFrame):
                self._corrupt += frame.is_corrupt and self._began
                yield frame

    def _shortfall(
        self,
        container: av.container.InputContainer,
        stream: av.VideoStream,
        packets: int,
        video_end: Fraction,
        end: Fraction,
    ) -> str | None:
        """How much less has come than the header promises, in words."""
        name = container.format.name
        if name.startswith(_FULL_INDEXES) and self._start is None:
            promised = len(stream.index_entries)
            if promised > packets:
                promised = sum(entry.size > 0 for entry in stream.index_entries)
            if promised > packets:
                return f"{promised - packets} of {promised} frames are missing"
        if name.startswith(_EXACT_DURATIONS):
            tagged = stream_duration(stream)
            whole = (container.duration or 0) * Fraction(1, av.time_base)
            for promise, found, slack in ((tagged, video_end, 0.2), (whole, end, 0.5)):
                if promise is not None and found < promise - Fraction(slack):
                    return f"it ends after {float(found):.1f} of {float(promise):.1f} seconds"
        return None


def _end_of(packet: av.Packet[av.stream.Stream]) -> Fraction:
    instant = packet.pts if packet.pts is not None else packet.dts
    return Fraction(0) if instant is None else (instant + (packet.duration or 0)) * packet.time_base
