"""A video file that is being written: the packets of its video, and all else of the source."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import Self

import av
import av.container

from upreel.video.carry import Carrier
from upreel.video.frame import Frame
from upreel.video.metadata import unusual_tags
from upreel.video.reader import Reader
from upreel.video.routes import Packet
from upreel.video.track import VideoTrack

log = logging.getLogger(__name__)


class Output:
    """A container with the stream of a track, and what a `Carrier` brings.

    Use it as a context manager; `finish` completes the file.

    Attributes:
        stream: of the video; its encoder is open.
    """

    stream: av.VideoStream

    def __init__(
        self,
        path: Path,
        track: VideoTrack,
        first: Frame,
        *,
        source: Reader,
        extension: str,
        audio: bool,
    ) -> None:
        """Write the header.

        Args:
            path: where to write.
            track: of the video.
            first: the first frame of the output; its planes do not matter.
            source: what is carried over.
            extension: of the output, for messages.
            audio: whether to carry the sound.

        Raises:
            UsageError: the encoder does not take its settings.
        """
        self._track = track
        self._source = source
        self._extension = extension
        self._stack = ExitStack()
        self._carrier: Carrier | None = None
        cut = track.place(first)
        container, media = track.plan.container, source.media
        try:
            if media is not None:
                self._carrier = self._stack.enter_context(
                    Carrier(
                        media.path,
                        container,
                        extension=extension,
                        video_index=source.video.index,
                        audio=audio,
                        trust=source.trust,
                    )
                )
            self._out = av.open(
                str(path), "w", format=container.muxer, container_options=self._muxer_options()
            )
            self._stack.callback(self._close)
            if self._carrier is None:
                self._add_video()
            else:
                self._carrier.add_streams(self._out, self._add_video, cut)
            track.open(self.stream)
            self._out.start_encoding()
            if self._carrier is not None:
                self._carrier.begin()
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()

    def _close(self) -> None:
        # A full disk has been reported; closing reports it again.
        with suppress(av.FFmpegError, OSError, ValueError):
            self._out.close()

    def _add_video(self) -> av.VideoStream:
        self.stream = self._track.add_to(self._out)
        return self.stream

    def _muxer_options(self) -> dict[str, str]:
        container, media = self._track.plan.container, self._source.media
        options = dict(container.options)
        if container.muxer not in {"mp4", "mov"}:
            return options
        # What begins after zero is placed in this unit: a millisecond, unless a finer one is set.
        rates = set() if self._carrier is None else self._carrier.sample_rates
        scale = lcm(self._track.time_base.denominator, *rates)
        options["movie_timescale"] = str(scale if scale < 2**31 else 1_000_000)
        unusual = [] if media is None else unusual_tags(media.metadata, container.muxer)
        if unusual and media is not None and any(s.kind == "cover" for s in media.streams):
            log.warning(
                "The tags %s are left out: a %s file holds a cover or such tags; .mkv holds both.",
                ", ".join(unusual), self._extension,
            )  # fmt: skip
        elif unusual:
            options["movflags"] = "use_metadata_tags"
        return options

    def mux(self, packets: Sequence[Packet]) -> None:
        """Write packets of the video, in their order."""
        for packet in packets:
            self._out.mux(packet)

    def carry_until(self, instant: Fraction) -> None:
        """Write whatever else the source has up to an instant, in its seconds."""
        if self._carrier is not None:
            self._carrier.carry_until(instant)

    def finish(self, until: Fraction | None) -> None:
        """Write what is left, and the end of the file.

        Args:
            until: where the other streams end, in seconds of the source; `None`: with themselves.
        """
        if self._carrier is not None:
            self._carrier.finish(until)
        self._out.close()
