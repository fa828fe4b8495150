"""Everything of a source but its video, on its way into another container.

The source is opened a second time and read as the video advances, so that packets arrive in the
order of time and none are collected. What the container cannot hold as it is gets converted (text
to its own kind of text, sound to a lossless codec), or is named in one warning and left out.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

import av
import av.container
from av.stream import AttachmentStream, DataStream, Discard, Disposition, Stream
from av.subtitles.stream import SubtitleStream

from upreel.video.encoding import Container
from upreel.video.metadata import container_tags, lost_tags, stream_tags
from upreel.video.probe import open_media
from upreel.video.routes import Cut, Packet, PacketCopy, Route, SoundConversion, TextConversion
from upreel.video.slow_sound import SlowSound
from upreel.video.trust import TRUST, Trust

if TYPE_CHECKING:
    from av.container.core import Chapter  # PyAV names this type in its stubs only

log = logging.getLogger(__name__)

_LOSSLESS_SOUND = {"flac", "alac"}
_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_PICTURES = {"mjpeg": "image/jpeg", "png": "image/png", "bmp": "image/bmp", "webp": "image/webp"}


class Carrier:
    """The other streams of a file, chapters and tags.

    To be used in this order: `add_streams`, `begin`, `carry_until` any number of times, `finish`.

    Attributes:
        read_until: seconds of the source that have been carried.
    """

    read_until: Fraction

    def __init__(
        self,
        path: Path,
        container: Container,
        *,
        extension: str,
        video_index: int,
        audio: bool,
        trust: Trust = TRUST,
    ) -> None:
        """Open the source.

        Args:
            path: the source.
            container: where its streams go.
            extension: of the output, for messages.
            video_index: the stream that is not carried.
            audio: whether sound is carried.
            trust: where the source may lead.
        """
        self._path = path
        self._trust = trust
        self._container = container
        self._extension = extension
        self._video_index = video_index
        self._audio = audio
        self._stack = ExitStack()
        self._source = self._stack.enter_context(open_media(path, trust))
        self._out: av.container.OutputContainer | None = None
        self._routes: dict[int, Route] = {}
        self._covers: list[tuple[Stream, bytes]] = []
        self._lost: dict[str, list[int]] = {}
        self._packets: Iterator[Packet] = iter(())
        self._waiting: Packet | None = None
        self._cut = Cut()
        self.read_until = Fraction(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the source."""
        self._stack.close()

    @property
    def sample_rates(self) -> set[int]:
        """Of the sound that is carried."""
        streams = self._source.streams.audio if self._audio else ()
        return {stream.codec_context.sample_rate for stream in streams if _is_known(stream)}

    def add_streams(
        self, out: av.container.OutputContainer, add_video: Callable[[], Stream], cut: Cut
    ) -> None:
        """Add what a header holds: streams, the video in its place, tags, chapters, attachments.

        Args:
            out: nothing has been written to it yet.
            add_video: adds the stream of the video.
            cut: the part of the source that is wanted.
        """
        self._out, self._cut = out, cut
        out.metadata.update(container_tags(self._source.metadata, self._container.muxer))
        chapters = _cut_chapters(self._source.chapters(), cut)
        if chapters:
            out.set_chapters(chapters)
        for stream in self._source.streams:
            if stream.index == self._video_index:
                added = add_video()
                self._mark(stream, added)
            elif stream.type != "audio" or self._audio:
                self._add(out, stream)
        if self._lost:
            log.warning(
                "Tags of streams that a %s file cannot hold are left out: %s.", self._extension,
                ", ".join(
                    f"{name} (stream {', '.join(map(str, indexes))})"
                    for name, indexes in sorted(self._lost.items())
                ),
            )  # fmt: skip

    def _mark(self, stream: Stream, added: Stream) -> None:
        """Give a stream the tags and marks of the one that it comes of."""
        muxer = self._container.muxer
        tags, disposition = stream_tags(stream.metadata, muxer), Disposition(stream.disposition)
        added.metadata.update(tags)
        added.disposition = disposition
        for lost in lost_tags(tags, disposition, muxer, of_file=self._source.metadata):
            self._lost.setdefault(lost, []).append(stream.index)

    def _add(self, out: av.container.OutputContainer, stream: Stream) -> None:
        if isinstance(stream, AttachmentStream):
            self._add_attachment(out, stream)
        elif stream.disposition & Disposition.attached_pic:
            self._add_cover(out, stream)
        elif isinstance(stream, DataStream) and self._is_carried_otherwise(stream):
            return
        elif isinstance(stream, av.AudioStream) and self._cut.slower != 1:
            self._slow_sound(out, stream)
        elif self._holds(stream):
            added = out.add_stream_from_template(stream, opaque=True)
            if isinstance(added, av.AudioStream):
                _name_layout(added.codec_context)
            self._register(stream, added, PacketCopy(stream, added))
        elif isinstance(stream, av.AudioStream) and _is_known(stream):
            self._convert_sound(out, stream)
        elif isinstance(stream, SubtitleStream) and _is_text(stream):
            self._convert_text(out, stream)
        else:
            self._leave_out(stream)

    def _register(self, stream: Stream, added: Stream, route: Route) -> None:
        self._mark(stream, added)
        self._routes[stream.index] = route

    def _holds(self, stream: Stream) -> bool:
        """Whether the container takes a stream as it is: found out by writing a header."""
        with av.open(io.BytesIO(), "w", format=self._container.muxer) as trial:
            try:
                trial.add_stream_from_template(stream, opaque=True)
                trial.start_encoding()
            except (av.FFmpegError, ValueError):
                return False
        return True

    def _add_attachment(self, out: av.container.OutputContainer, stream: AttachmentStream) -> None:
        if self._container.muxer != "matroska":
            self._leave_out(stream)
            return
        added = out.add_attachment(
            stream.name or "attachment", stream.mimetype or "application/octet-stream", stream.data
        )
        added.metadata.update(stream.metadata)

    def _add_cover(self, out: av.container.OutputContainer, stream: Stream) -> None:
        data = self._first_packet(stream)
        codec = _codec_of(stream)
        if data and self._container.muxer == "matroska" and codec in _PICTURES:
            kind = _PICTURES[codec]
            name = stream.metadata.get("filename", f"cover.{kind.removeprefix('image/')}")
            out.add_attachment(name, kind, data)
        elif data and self._container.muxer == "mp4" and self._holds(stream):
            added = out.add_stream_from_template(stream, opaque=True)
            added.disposition = Disposition.attached_pic
            added.metadata.update(stream_tags(stream.metadata, self._container.muxer))
            self._covers.append((added, data))
        else:
            self._leave_out(stream)

    def _first_packet(self, stream: Stream) -> bytes:
        with open_media(self._path, self._trust) as again:
            for packet in again.demux(again.streams[stream.index]):
                return bytes(packet)
        return b""

    def _convert_sound(self, out: av.container.OutputContainer, stream: av.AudioStream) -> None:
        codec = self._container.audio
        route = SoundConversion(stream, out, codec)
        self._register(stream, route.stream, route)
        keeps = ""
        if codec not in _LOSSLESS_SOUND:
            keeps = "; name the output .mkv to keep it as it is"
        log.warning(
            "%s: a %s file cannot hold it, it is written as %s%s.",
            _describe(stream), self._extension, codec.removeprefix("lib"), keeps,
        )  # fmt: skip

    def _slow_sound(self, out: av.container.OutputContainer, stream: av.AudioStream) -> None:
        codec = self._container.audio
        if not _is_known(stream):
            log.warning("%s is left out: it cannot be decoded and slowed down.", _describe(stream))
            return
        route = SlowSound(stream, out, codec, slower=self._cut.slower)
        self._register(stream, route.stream, route)
        log.info(
            "%s: %d times slower at the same pitch, written as %s.",
            _describe(stream), self._cut.slower, codec.removeprefix("lib"),
        )  # fmt: skip

    def _convert_text(self, out: av.container.OutputContainer, stream: SubtitleStream) -> None:
        route = TextConversion(stream, out, self._container.text)
        self._register(stream, route.stream, route)
        level = logging.INFO
        loses = ""
        if _codec_of(stream) == "ass":
            level = logging.WARNING
            loses = "; fonts and positions are lost, name the output .mkv to keep them"
        log.log(
            level, "%s: written as %s, which a %s file can hold%s.",
            _describe(stream), self._container.text, self._extension, loses,
        )  # fmt: skip

    def _is_carried_otherwise(self, stream: DataStream) -> bool:
        """Whether what is in a track reaches the output without it; a copy would be a second."""
        chapters = len(self._source.chapters())
        if stream.name == "bin_data" and chapters and stream.frames == chapters:
            return True  # the titles of an mp4's chapters, carried as chapters
        return "timecode" in stream.metadata and any(
            "timecode" in video.metadata for video in self._source.streams.video
        )  # a track of one time code, carried as a tag of the video

    def _leave_out(self, stream: Stream) -> None:
        known = self._container.muxer != "matroska" and not isinstance(stream, DataStream)
        keep = "; .mkv may hold it" if known else ""
        log.warning(
            "%s is left out: a %s file cannot hold it%s.", _describe(stream), self._extension, keep
        )

    def begin(self) -> None:
        """Start reading, after the header has been written."""
        assert self._out is not None
        for added, data in self._covers:
            packet = av.Packet(data)
            packet.stream = added
            packet.pts = packet.dts = 0
            packet.is_keyframe = True
            self._out.mux(packet)
        carried = [stream for stream in self._source.streams if stream.index in self._routes]
        for stream in self._source.streams:
            if stream.index not in self._routes:
                stream.discard = Discard.all
        if not carried:
            return
        if self._cut.start is not None:
            # Ten seconds earlier, for subtitles that begin before the cut and reach into it.
            with suppress(av.FFmpegError):  # where seeking is impossible, all is read
                self._source.seek(max(0, int((self._cut.start - 10) * av.time_base)))
        self._packets = self._source.demux(carried)

    def carry_until(self, time: Fraction | None) -> None:
        """Write everything up to an instant of the source.

        Args:
            time: seconds; `None`: to the end.
        """
        assert self._out is not None
        while packet := self._next():
            now = _instant(packet)
            if now is not None and time is not None and now > time:
                self._waiting = packet
                return
            for made in self._routes[packet.stream.index].convert(packet, self._cut):
                self._out.mux(made)
            self.read_until = max(self.read_until, now or self.read_until)

    def finish(self, until: Fraction | None) -> None:
        """Write what is left.

        Args:
            until: seconds of the source; `None`: to its end, or to the end of the cut.
        """
        assert self._out is not None
        self.carry_until(self._cut.end if until is None else until)
        for route in self._routes.values():
            for made in route.flush(self._cut):
                self._out.mux(made)

    def _next(self) -> Packet | None:
        if self._waiting is not None:
            packet, self._waiting = self._waiting, None
            return packet
        try:
            for packet in self._packets:
                if packet.size:
                    return packet
        except av.FFmpegError as error:
            log.warning(
                "%s is damaged: its other streams end at %.1f s (%s).",
                self._path, float(self.read_until), (error.strerror or str(error)).lower(),
            )  # fmt: skip
            self._packets = iter(())
        return None


def _codec_of(stream: Stream) -> str | None:
    """The name of the codec; `None` where FFmpeg has no decoder, which PyAV's types leave out."""
    context = cast("av.CodecContext | None", stream.codec_context)
    return None if context is None else context.codec.canonical_name


def _name_layout(context: av.AudioCodecContext) -> None:
    """Say which channels there are where the source only counts them: mp4 wants that of PCM."""
    count = context.layout.nb_channels
    if context.layout.name == f"{count} channels" and count in _LAYOUTS:
        context.layout = _LAYOUTS[count]


def _is_known(stream: av.AudioStream) -> bool:
    """Whether there is a decoder, and the header or the first seconds tell what it will give."""
    context = stream.codec_context
    return _codec_of(stream) is not None and context.format is not None and context.sample_rate > 0


def _is_text(stream: SubtitleStream) -> bool:
    return _codec_of(stream) is not None and stream.codec_context.codec.text_sub


def _describe(stream: Stream) -> str:
    codec = _codec_of(stream) or stream.name
    language = f", {stream.language}" if stream.language not in {None, "und"} else ""
    kind = "cover" if stream.disposition & Disposition.attached_pic else stream.type
    return f"stream {stream.index} ({kind}, {codec or 'unknown'}{language})"


def _instant(packet: Packet) -> Fraction | None:
    value = packet.dts if packet.dts is not None else packet.pts
    return None if value is None else value * packet.time_base


def _cut_chapters(chapters: Sequence[Chapter], cut: Cut) -> list[Chapter]:
    kept: list[Chapter] = []
    for chapter in chapters:
        base = chapter["time_base"] or Fraction(1, av.time_base)
        start, end = chapter["start"] * base, chapter["end"] * base
        if (cut.end is not None and start >= cut.end) or (
            cut.start is not None and end <= cut.start
        ):
            continue
        start = start if cut.start is None else max(start, cut.start)
        end = end if cut.end is None else min(end, cut.end)
        kept.append(
            {
                "id": chapter["id"],
                "start": round(cut.place(start) / base),
                "end": round(cut.place(end) / base),
                "time_base": base,
                "metadata": chapter["metadata"],
            }
        )
    return kept
