"""Frames into a video file that keeps everything else of its source."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from fractions import Fraction
from math import lcm
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import av.container
from av.format import Flags as FormatFlags

from upreel.core.files import PendingFile, failed
from upreel.errors import OutputError
from upreel.video.captions import with_captions
from upreel.video.carry import Carrier
from upreel.video.encoder_settings import (
    encoder_options,
    keeps_aspect,
    keeps_captions,
    keeps_hdr,
    open_encoder,
    plausible_rate,
    try_encoder,
)
from upreel.video.encoding import Encoding, plan
from upreel.video.frame import ColorTags, Frame, PixelLayout
from upreel.video.geometry import crop, sample_aspect_ratio, whole_chroma
from upreel.video.image_writer import ImageWriter
from upreel.video.left_out import LeftOut
from upreel.video.metadata import unusual_tags
from upreel.video.output_colors import output_colors, tag
from upreel.video.pixels import frame_of
from upreel.video.probe import flags_of
from upreel.video.reader import DEFAULT_RATE, Reader
from upreel.video.routes import Cut, Packet, ticks
from upreel.video.target import check_place, image_target

log = logging.getLogger(__name__)


def check_target(
    target: str | Path,
    source: str | Path,
    *,
    overwrite: bool = False,
    encoding: Encoding = Encoding(),  # noqa: B008 - a frozen value
) -> None:
    """Find out before any work whether a target can be written.

    Args:
        target: a video file, a folder, a pattern or an image.
        source: the input.
        overwrite: whether existing files may be replaced.
        encoding: what the user asked for.

    Raises:
        UsageError: the target is the input, exists, or does not go with the encoding.
        OutputError: its folder does not exist or cannot be written to.
    """
    kind, path = image_target(target), Path(target)
    if kind is None:
        # As if of the most usual source; the writer looks again, with the source.
        chosen = plan(path.suffix, encoding, PixelLayout("yuv", subsample=(2, 2)))
        if encoding.crf is not None or encoding.preset is not None:
            try_encoder(chosen)
    check_place(path, kind, Path(source), overwrite=overwrite)


def open_writer(
    target: str | Path,
    *,
    source: Reader,
    size: tuple[int, int],
    encoding: Encoding = Encoding(),  # noqa: B008 - a frozen value
    audio: bool = True,
    overwrite: bool = False,
) -> Writer | ImageWriter:
    """The writer for a target: of a video file, or of images (see `image_target`).

    Args:
        target: a video file, a folder, a pattern or an image.
        source: what the frames are made from, opened.
        size: wanted width and height.
        encoding: what the user asked for; images take none of it.
        audio: whether to carry the sound.
        overwrite: whether existing files may be replaced.

    Raises:
        UsageError: the encoding does not go with the container or the source.
    """
    kind, path = image_target(target), Path(target)
    if kind is not None:
        return ImageWriter(path, source=source, size=size, kind=kind, overwrite=overwrite)
    return Writer(
        path, source=source, size=size, encoding=encoding, audio=audio, overwrite=overwrite
    )


class Writer:
    """Writes frames and carries the other streams of their source along.

    Use it as a context manager: `write` every frame, then `finish`. Leaving it without `finish`
    removes what was written. Every frame keeps its pts: exactly in mp4 and mov, rounded to a
    millisecond in Matroska and WebM, where two that fall together become neighbours. The index of
    an mp4 stays at its end; moving it to the front would mean to write the whole file twice.

    Attributes:
        size: width and height of the frames to write.
        layout: their planes.
        colors: how these planes are to be coded.
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
        encoding: Encoding = Encoding(),  # noqa: B008 - a frozen value
        audio: bool = True,
        overwrite: bool = False,
    ) -> None:
        """Choose how to encode; nothing is written yet.

        Args:
            target: the file.
            source: what the frames are made from, opened.
            size: wanted width and height; an odd one loses its last column or row where the
                chroma is subsampled.
            encoding: what the user asked for.
            audio: whether to carry the sound.
            overwrite: whether an existing file may be replaced.

        Raises:
            UsageError: the encoding does not go with the container or the source.
        """
        video = source.video
        self._target = target
        self._source = source
        self._audio = audio
        self._plan = plan(target.suffix, encoding, video.layout)
        self._threads = encoding.threads
        self._asked = size
        self.layout = self._plan.layout
        self.size = whole_chroma(size, self.layout)
        self.colors = output_colors(video, self.layout, still=source.media is None)
        self._pending = PendingFile(target, overwrite=overwrite)
        self._stack = ExitStack()
        self._out: av.container.OutputContainer | None = None
        self._stream: av.VideoStream | None = None
        self._carrier: Carrier | None = None
        self._time_base = Fraction(1)
        self._shift = Fraction(0)
        self._rate = DEFAULT_RATE
        self._last = -(2**62)
        self._end = Fraction(0)
        self._count = 0
        self._durations: dict[int, int] = {}
        self._warn_of_losses()
        name = self._plan.encoder.name
        self._left_out = LeftOut(
            source,
            alpha=None if self.layout.alpha
            else f"{self._plan.pixel_format} has none; a .webm with VP9 and --codec ffv1 have",
            captions=None if keeps_captions(self._plan.encoder)
            else f"the encoder {name} writes none; libx264 and libx265 do",
        )  # fmt: skip

    def __enter__(self) -> Self:
        """Make the hidden file.

        Raises:
            OutputError: the folder cannot be written to.
        """
        self._stack.enter_context(self._pending)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove what `finish` has not completed."""
        if self._out is not None:
            # A full disk has been reported; closing reports it again.
            with suppress(av.FFmpegError, OSError, ValueError):
                self._out.close()
        self._stack.close()

    def _warn_of_losses(self) -> None:
        video = self._source.video
        if self.size != self._asked:
            log.warning(
                "%dx%d is made even, %dx%d, as %s wants it: the last column or row is left out.",
                *self._asked, *self.size, self._plan.pixel_format,
            )  # fmt: skip
        if video.sample_aspect_ratio not in {None, 1} and not keeps_aspect(self._plan):
            log.warning(
                "Pixels are %s as wide as high, which %s in a %s file cannot say: players will "
                "show the picture too wide or too narrow. Name the output .mp4, or choose h264.",
                video.sample_aspect_ratio, self._plan.encoder.name, self._target.suffix,
            )  # fmt: skip
        if video.hdr is not None and not keeps_hdr(self._plan.encoder):
            log.warning(
                "HDR10 metadata is left out: the encoder %s writes none; libx265 does.",
                self._plan.encoder.name,
            )

    def write(self, frame: Frame) -> None:
        """Encode a frame and write it, with whatever else the source has up to its instant.

        Args:
            frame: of `size` and `layout`, coded as `colors`, later than the one before; a row or
                column beyond `size` is left out.

        Raises:
            OutputError: the disk is full, or something else hinders writing.
        """
        self._left_out.look(frame)
        try:
            if self._out is None:
                self._open(frame)
            assert self._stream is not None
            self._mux(self._stream.encode(self._encodable(frame)))
            if self._carrier is not None:
                self._carrier.carry_until(frame.pts * frame.time_base)
        except (av.FFmpegError, OSError) as error:
            raise failed(self._target, error) from error

    def finish(self, *, partial: bool = False) -> Path:
        """Write what is left, bring the file to the disk, and give it its name.

        Args:
            partial: the frames are not all: the other streams end with them, and the name is
                `OUT.partial.EXT`.

        Returns:
            The name.

        Raises:
            OutputError: no frame was written, or something hinders writing.
        """
        if self._out is None or self._stream is None:
            raise OutputError(f"Nothing to write to {self._target}: the source has no frame.")
        try:
            self._mux(self._stream.encode(None))
            if self._carrier is not None:
                self._carrier.finish(self._end if partial else None)
            self._out.close()
        except (av.FFmpegError, OSError) as error:
            raise failed(self._target, error) from error
        return self._pending.commit(partial=partial)

    def _open(self, first: Frame) -> None:
        """Write the header, once it is known when the first frame is due."""
        container = self._plan.container
        self._time_base = container.time_base or first.time_base
        cut = self._cut(first)
        self._shift = cut.shift
        self._rate = plausible_rate(self._source.video.frame_rate, first)
        media = self._source.media
        if media is not None:
            self._carrier = self._stack.enter_context(
                Carrier(
                    media.path,
                    container,
                    extension=self._target.suffix,
                    video_index=self._source.video.index,
                    audio=self._audio,
                    trust=self._source.trust,
                )
            )
        self._out = av.open(
            str(self._pending.path),
            "w",
            format=container.muxer,
            container_options=self._muxer_options(),
        )
        if self._carrier is None:
            self._add_video()
        else:
            self._carrier.add_streams(self._out, self._add_video, cut)
        assert self._stream is not None
        open_encoder(self._stream.codec_context, self._plan)
        self._out.start_encoding()
        if self._carrier is not None:
            self._carrier.begin()

    def _muxer_options(self) -> dict[str, str]:
        container, media = self._plan.container, self._source.media
        options = dict(container.options)
        if container.muxer not in {"mp4", "mov"}:
            return options
        # What begins after zero is placed in this unit: a millisecond, unless a finer one is set.
        rates = set() if self._carrier is None else self._carrier.sample_rates
        scale = lcm(self._time_base.denominator, *rates)
        options["movie_timescale"] = str(scale if scale < 2**31 else 1_000_000)
        unusual = [] if media is None else unusual_tags(media.metadata, container.muxer)
        if unusual and media is not None and any(s.kind == "cover" for s in media.streams):
            log.warning(
                "The tags %s are left out: a %s file holds a cover or such tags; .mkv holds both.",
                ", ".join(unusual), self._target.suffix,
            )  # fmt: skip
        elif unusual:
            options["movflags"] = "use_metadata_tags"
        return options

    def _cut(self, first: Frame) -> Cut:
        """Which part of the source the frames are of; its first frame goes to zero."""
        begin, media = first.pts * first.time_base, self._source.media
        if media is None:
            return Cut()
        end = None if self._source.end is None else media.start + self._source.end
        if self._source.start is not None:
            return Cut(begin, end, begin)
        if FormatFlags.ts_discont in flags_of(media.container):
            # The clocks of broadcasts start anywhere.
            return Cut(None, end, ticks(media.start, self._time_base) * self._time_base)
        return Cut(None, end)

    def _add_video(self) -> av.VideoStream:
        assert self._out is not None
        video, chosen = self._source.video, self._plan
        stream = self._out.add_stream(
            chosen.encoder.name,
            rate=self._rate,
            options=encoder_options(chosen, video.hdr, self.colors, self.size),
        )
        assert isinstance(stream, av.VideoStream)
        context = stream.codec_context
        context.width, context.height = self.size
        context.pix_fmt = chosen.pixel_format
        context.time_base = stream.time_base = self._time_base
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
        self._stream = stream
        return stream

    def _encodable(self, frame: Frame) -> av.VideoFrame:
        width, height = self.size
        made = frame_of(crop(frame.planes, frame.layout, self.size), self.layout)
        if frame.layout != self.layout or (made.width, made.height) != (width, height):
            raise ValueError(
                f"a frame of {width}x{height} and {self.layout} was expected, "
                f"found {frame.width}x{frame.height} and {frame.layout}"
            )
        if frame.captions and keeps_captions(self._plan.encoder):
            made = with_captions(made, frame.captions)
        begin = frame.pts * frame.time_base - self._shift
        pts = max(ticks(begin, self._time_base), self._last + 1)
        if frame.duration:
            end = begin + frame.duration * frame.time_base
            made.duration = self._durations[pts] = max(1, ticks(end, self._time_base) - pts)
            self._end = end + self._shift
        self._last = pts
        self._count += 1
        made.pts, made.time_base = pts, self._time_base
        tag(made, self.colors)
        return made

    def _mux(self, packets: Sequence[Packet]) -> None:
        assert self._out is not None
        for packet in packets:
            if packet.pts is not None:
                packet.duration = self._durations.pop(packet.pts, packet.duration)
            if self._count <= 2 and self._plan.encoder.name == "libx265":
                packet.dts = packet.pts  # which x265 leaves to chance for fewer than three frames
            self._out.mux(packet)
