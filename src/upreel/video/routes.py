"""How the packets of one stream get into another container: as they are, or converted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, TypeAlias

import av
import av.container
from av.audio.frame import AudioFrame
from av.stream import Stream
from av.subtitles.stream import SubtitleStream

Packet: TypeAlias = "av.Packet[Stream]"

_REORDERED = 32
"""No codec reorders more frames than this."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The part of the source that is wanted, and where it goes.

    Attributes:
        start: seconds of the source; `None`: from its beginning.
        end: seconds of the source; `None`: to its end.
        shift: seconds taken off every instant.
        slower: by how much the result is slower; what is left of every instant is multiplied.
    """

    start: Fraction | None = None
    end: Fraction | None = None
    shift: Fraction = Fraction(0)
    slower: int = 1

    def holds(self, instant: Fraction) -> bool:
        """Whether an instant of the source lies in it."""
        return (self.start is None or instant >= self.start) and (
            self.end is None or instant < self.end
        )

    def place(self, instant: Fraction) -> Fraction:
        """Where an instant of the source goes."""
        return (instant - self.shift) * self.slower

    def origin(self, place: Fraction) -> Fraction:
        """The instant of the source that goes to a place."""
        return place / self.slower + self.shift


class Route(Protocol):
    """What becomes of the packets of one stream."""

    def convert(self, packet: Packet, cut: Cut) -> Iterator[Packet]:
        """The packets to write for one that was read, in their order."""
        ...

    def flush(self, cut: Cut) -> Iterator[Packet]:
        """The packets that are still to come when all have been read."""
        ...


def ticks(seconds: Fraction, time_base: Fraction) -> int:
    """An instant in units of a time base, to the nearest, half upwards."""
    return math.floor(seconds / time_base + Fraction(1, 2))


def _clip(packet: Packet, pts: int, cut: Cut) -> bool:
    """Shorten a subtitle to what of it is on show during the cut; false where nothing is."""
    base = packet.time_base
    begin = pts if cut.start is None else max(pts, ticks(cut.start, base))
    if packet.duration is None or packet.duration <= 0:
        return cut.holds(pts * base)
    end = pts + packet.duration
    end = end if cut.end is None else min(end, ticks(cut.end, base))
    if end <= begin:
        return False
    packet.pts = packet.dts = begin
    packet.duration = end - begin
    return True


class PacketCopy:
    """Packets as they are, at the same instants."""

    def __init__(self, source: Stream, stream: Stream) -> None:
        """Route `source` into `stream`, which was made after it."""
        self._kind = source.type
        self._stream = stream
        self._undated: list[Packet] = []  # Matroska does not say when to decode the first ones
        self._last: int | None = None
        self._expected: Fraction | None = None
        self._frame = Fraction(0)
        if isinstance(source, av.AudioStream) and source.codec_context.frame_size:
            self._frame = Fraction(source.codec_context.frame_size, source.codec_context.rate)

    def convert(self, packet: Packet, cut: Cut) -> Iterator[Packet]:
        """See `Route`."""
        if not self._wanted(packet, cut):
            return
        if packet.dts is None and self._kind == "video" and len(self._undated) < _REORDERED:
            self._undated.append(packet)
            return
        yield from self._date(packet, cut)
        yield self._place(packet, cut)

    def flush(self, cut: Cut) -> Iterator[Packet]:
        """See `Route`."""
        for packet in self._undated:
            yield self._place(packet, cut)
        self._undated.clear()

    def _wanted(self, packet: Packet, cut: Cut) -> bool:
        value = packet.pts if packet.pts is not None else packet.dts
        if value is None:
            return cut.start is None and self._last is not None
        instant = value * packet.time_base
        if self._kind == "video" and self._last is None and not self._undated:
            return cut.holds(instant) and packet.is_keyframe
        if self._kind == "subtitle":
            return _clip(packet, value, cut)
        return cut.holds(instant)

    def _date(self, packet: Packet, cut: Cut) -> Iterator[Packet]:
        """Give those without a time of decoding one, evenly before the first that has one."""
        if not self._undated or packet.dts is None:
            return
        step = packet.duration or 1
        for place, early in enumerate(self._undated):
            early.dts = packet.dts - step * (len(self._undated) - place)
        for early in self._undated:
            yield self._place(early, cut)
        self._undated.clear()

    def _place(self, packet: Packet, cut: Cut) -> Packet:
        base, target = packet.time_base, self._stream.time_base or packet.time_base
        last = self._last
        pts = packet.pts if packet.pts is not None else packet.dts
        dts = packet.dts if packet.dts is not None else pts
        if pts is not None and dts is not None:
            begin, duration = cut.place(pts * base), (packet.duration or 0) * base * cut.slower
            lead = (pts - dts) * base * cut.slower
            if self._frame and target < base:
                # Instants of sound that were rounded (to Matroska's milliseconds) are exact again.
                if self._expected is not None and abs(begin - self._expected) <= base:
                    begin = self._expected
                if abs(duration - self._frame) <= base:
                    duration = self._frame
                self._expected = begin + duration
            packet.pts, packet.dts = ticks(begin, target), ticks(begin - lead, target)
            packet.duration = ticks(begin + duration, target) - packet.pts
        elif last is not None:
            packet.pts = packet.dts = last + 1
        if last is not None and packet.dts is not None and packet.pts is not None:
            # A damaged file may go back in time; muxers refuse that.
            strict = self._kind not in {"subtitle", "data"}
            packet.dts = max(packet.dts, last + strict)
            packet.pts = max(packet.pts, packet.dts)
        packet.time_base = target
        packet.stream = self._stream
        self._last = packet.dts
        return packet


class SoundConversion:
    """Sound in another codec."""

    def __init__(
        self, source: av.AudioStream, out: av.container.OutputContainer, codec: str
    ) -> None:
        """Add a stream to `out` for the sound of `source`."""
        rate = 48000 if codec == "libopus" else source.codec_context.sample_rate
        stream = out.add_stream(codec, rate=rate)
        assert isinstance(stream, av.AudioStream)
        self.stream = stream
        context = stream.codec_context
        context.layout = source.codec_context.layout
        context.format = _sample_format(source, codec)
        if codec == "libopus":
            context.bit_rate = 64_000 * max(2, context.layout.nb_channels)
        self._source = source

    def convert(self, packet: Packet, cut: Cut) -> Iterator[Packet]:
        """See `Route`."""
        try:
            frames = packet.decode()
        except av.FFmpegError:
            return  # a broken packet of sound is a gap of some milliseconds
        yield from self._encode(frames, cut)

    def flush(self, cut: Cut) -> Iterator[Packet]:
        """See `Route`."""
        yield from self._encode(self._source.codec_context.decode(None), cut)
        yield from self.stream.encode(None)

    def _encode(self, frames: object, cut: Cut) -> Iterator[Packet]:
        assert isinstance(frames, list)
        for frame in frames:
            if not isinstance(frame, AudioFrame) or frame.pts is None or frame.time_base is None:
                continue
            instant = frame.pts * frame.time_base
            if cut.holds(instant):
                frame.time_base = Fraction(1, frame.sample_rate)
                frame.pts = ticks(cut.place(instant), frame.time_base)
                yield from self.stream.encode(frame)


def _sample_format(source: av.AudioStream, codec: str) -> str:
    """As many bits as the source has."""
    if codec == "libopus":
        return "flt"
    packed = source.codec_context.format.packed.name
    name = "s16" if packed in {"u8", "s16"} else "s32"
    return f"{name}p" if codec == "alac" else name


class TextConversion:
    """Subtitles of text in another codec."""

    def __init__(
        self, source: SubtitleStream, out: av.container.OutputContainer, codec: str
    ) -> None:
        """Add a stream to `out` for the text of `source`."""
        self.stream = out.add_stream(codec)
        self._source = source.codec_context
        if not self._source.is_open:
            self._source.open()
        context = self.stream.codec_context
        assert isinstance(context, av.subtitles.codeccontext.SubtitleCodecContext)
        context.subtitle_header = self._source.subtitle_header
        context.time_base = Fraction(1, 1000)
        self._encoder = context
        self._copy = PacketCopy(source, self.stream)

    def convert(self, packet: Packet, cut: Cut) -> Iterator[Packet]:
        """See `Route`."""
        try:
            subtitles = self._source.decode2(packet)
        except av.FFmpegError:
            return
        if subtitles is None or not len(subtitles):
            return
        made = self._encoder.encode_subtitle(subtitles)
        made.time_base = packet.time_base
        made.pts = made.dts = packet.pts
        made.duration = packet.duration
        yield from self._copy.convert(made, cut)

    def flush(self, cut: Cut) -> Iterator[Packet]:
        """See `Route`."""
        return iter(())
