"""The video of an output: frames on their way to the packets of one stream."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import av
import av.container
from av.format import Flags as FormatFlags

from upreel.video.captions import with_captions
from upreel.video.encoder_settings import (
    encoder_options,
    keeps_aspect,
    keeps_captions,
    keeps_hdr,
    open_encoder,
    plausible_rate,
)
from upreel.video.encoding import Encoding, plan
from upreel.video.frame import ColorTags, Frame, PixelLayout
from upreel.video.geometry import crop, sample_aspect_ratio, whole_chroma
from upreel.video.left_out import LeftOut
from upreel.video.output_colors import output_colors, tag
from upreel.video.pixels import frame_of
from upreel.video.probe import flags_of
from upreel.video.reader import DEFAULT_RATE, Reader
from upreel.video.routes import Cut, Packet, ticks

log = logging.getLogger(__name__)

_FINEST = Fraction(1, 2**31 - 1)  # what the header of an mp4 can say
_MICROSECOND = Fraction(1, 1_000_000)


@dataclass(frozen=True, slots=True)
class Pace:
    """How the frames of an output follow each other, where that is not as in the source.

    Attributes:
        frame_rate: frames in a second of the output on average; `None` where nobody knows.
        slower: how many times slower than the source it is played.
    """

    frame_rate: Fraction | None
    slower: int = 1


class VideoTrack:
    """Encodes frames for a container; the encoder may begin anew in the middle.

    To be used in this order: `place` with the first frame of all, then for each stretch that is
    encoded by itself `open`, `encode` every frame, `flush`.

    Attributes:
        size: width and height of the frames to encode.
        layout: their planes.
        colors: how these planes are to be coded.
        plan: the encoder and the container.
        time_base: of the packets, seconds.
        last: the pts of the latest frame of the stretch, in `time_base`.
        end: where the latest frame ends, seconds of the source.
    """

    size: tuple[int, int]
    layout: PixelLayout
    colors: ColorTags

    def __init__(
        self,
        extension: str,
        *,
        source: Reader,
        size: tuple[int, int],
        encoding: Encoding,
        pace: Pace | None = None,
    ) -> None:
        """Choose how to encode.

        Args:
            extension: of the file, with its dot.
            source: what the frames are made from, opened.
            size: wanted width and height; an odd one loses its last column or row where the
                chroma is subsampled.
            encoding: what the user asked for.
            pace: of the frames; that of the source without it.

        Raises:
            UsageError: the encoding does not go with the container or the source.
        """
        self._extension = extension
        self._source = source
        self.plan = plan(extension, encoding, source.video.layout)
        self._threads = encoding.threads
        self._asked = size
        self.layout = self.plan.layout
        self.size = whole_chroma(size, self.layout)
        self.colors = output_colors(source.video, self.layout, still=source.media is None)
        self.time_base = Fraction(1)
        self.last = -(2**62)
        self.end = Fraction(0)
        self._pace = pace or Pace(source.video.frame_rate)
        self._cut = Cut()
        self._rate = DEFAULT_RATE
        self._stream: av.VideoStream | None = None
        self._count = 0
        self._durations: dict[int, int] = {}
        self._warn_of_losses()
        name = self.plan.encoder.name
        self._left_out = LeftOut(
            source,
            alpha=None if self.layout.alpha
            else f"{self.plan.pixel_format} has none; a .webm with VP9 and --codec ffv1 have",
            captions=None if keeps_captions(self.plan.encoder)
            else f"the encoder {name} writes none; libx264 and libx265 do",
        )  # fmt: skip

    def _warn_of_losses(self) -> None:
        video = self._source.video
        if self.size != self._asked:
            log.warning(
                "%dx%d is made even, %dx%d, as %s wants it: the last column or row is left out.",
                *self._asked, *self.size, self.plan.pixel_format,
            )  # fmt: skip
        if video.sample_aspect_ratio not in {None, 1} and not keeps_aspect(self.plan):
            log.warning(
                "Pixels are %s as wide as high, which %s in a %s file cannot say: players will "
                "show the picture too wide or too narrow. Name the output .mp4, or choose h264.",
                video.sample_aspect_ratio, self.plan.encoder.name, self._extension,
            )  # fmt: skip
        if video.hdr is not None and not keeps_hdr(self.plan.encoder):
            log.warning(
                "HDR10 metadata is left out: the encoder %s writes none; libx265 does.",
                self.plan.encoder.name,
            )

    def place(self, first: Frame) -> Cut:
        """Fix the unit of time and the zero of the output.

        Args:
            first: the first frame of the output; its planes do not matter.

        Returns:
            Which part of the source the frames are of, and where it goes.
        """
        slower = self._pace.slower
        own = first.time_base * slower if first.time_base * slower >= _FINEST else _MICROSECOND
        self.time_base = self.plan.container.time_base or own
        self._cut = replace(self._find_cut(first), slower=slower)
        self._rate = plausible_rate(self._pace.frame_rate, first)
        return self._cut

    def source_time(self, instant: Fraction) -> Fraction:
        """The instant of the source that goes to one of the output, both in seconds."""
        return self._cut.origin(instant)

    def _find_cut(self, first: Frame) -> Cut:
        begin, media = first.pts * first.time_base, self._source.media
        if media is None:
            return Cut()
        end = None if self._source.end is None else media.start + self._source.end
        if self._source.start is not None:
            return Cut(begin, end, begin)
        if FormatFlags.ts_discont in flags_of(media.container):
            # The clocks of broadcasts start anywhere.
            return Cut(None, end, ticks(media.start, self.time_base) * self.time_base)
        return Cut(None, end)

    def add_to(self, out: av.container.OutputContainer) -> av.VideoStream:
        """Add the stream to a container, with an encoder that `open` opens."""
        video, chosen = self._source.video, self.plan
        stream = out.add_stream(
            chosen.encoder.name,
            rate=self._rate,
            options=encoder_options(chosen, video.hdr, self.colors, self.size),
        )
        assert isinstance(stream, av.VideoStream)
        context = stream.codec_context
        context.width, context.height = self.size
        context.pix_fmt = chosen.pixel_format
        context.time_base = stream.time_base = self.time_base
        context.thread_count = self._threads
        ratio = sample_aspect_ratio(
            video.sample_aspect_ratio, (video.width, video.height), self._asked
        )
        if ratio is not None:
            context.sample_aspect_ratio = ratio
        tag(context, self.colors)
        if chosen.encoder.name == "libx265" and chosen.container.muxer in {"mp4", "mov"}:
            context.codec_tag = "hvc1"  # the one of two ways that Apple's players know
        if video.mirrored:  # the same matrix: turned the other way, then upside down
            stream.set_display_rotation(-video.rotation, vflip=True)
        elif video.rotation:
            stream.set_display_rotation(video.rotation)
        return stream

    def open(self, stream: av.VideoStream) -> None:
        """Begin to encode with the encoder of a stream that `add_to` made.

        Raises:
            UsageError: the encoder does not take its settings.
        """
        open_encoder(stream.codec_context, self.plan)
        self._stream = stream
        self.last = -(2**62)
        self._count = 0

    def encode(self, frame: Frame) -> Sequence[Packet]:
        """Encode a frame.

        Args:
            frame: of `size` and `layout`, coded as `colors`, later than the one before; a row or
                column beyond `size` is left out.

        Returns:
            The packets that are ready.
        """
        assert self._stream is not None
        self._left_out.look(frame)
        return self._finished(self._stream.encode(self._encodable(frame)))

    def flush(self) -> Sequence[Packet]:
        """The packets that the encoder still holds; it is at its end then, and let go of."""
        assert self._stream is not None
        packets = self._finished(self._stream.encode(None))
        self._stream = None  # two encoders at a time would need twice the memory
        return packets

    def _encodable(self, frame: Frame) -> av.VideoFrame:
        width, height = self.size
        made = frame_of(crop(frame.planes, frame.layout, self.size), self.layout)
        if frame.layout != self.layout or (made.width, made.height) != (width, height):
            raise ValueError(
                f"a frame of {width}x{height} and {self.layout} was expected, "
                f"found {frame.width}x{frame.height} and {frame.layout}"
            )
        if frame.captions and keeps_captions(self.plan.encoder):
            made = with_captions(made, frame.captions)
        begin = frame.pts * frame.time_base
        pts = max(ticks(self._cut.place(begin), self.time_base), self.last + 1)
        if frame.duration:
            self.end = begin + frame.duration * frame.time_base
            end = ticks(self._cut.place(self.end), self.time_base)
            made.duration = self._durations[pts] = max(1, end - pts)
        self.last = pts
        self._count += 1
        made.pts, made.time_base = pts, self.time_base
        tag(made, self.colors)
        return made

    def _finished(self, packets: Sequence[Packet]) -> Sequence[Packet]:
        for packet in packets:
            if packet.pts is not None:
                packet.duration = self._durations.pop(packet.pts, packet.duration)
            if self._count <= 2 and self.plan.encoder.name == "libx265":
                packet.dts = packet.pts  # which x265 leaves to chance for fewer than three frames
        return packets
