"""Any input as a stream of frames."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Literal

import av
from av.format import Flags as FormatFlags
from av.video.reformatter import VideoReformatter

from upreel.errors import MediaError
from upreel.video.captions import captions_of
from upreel.video.decoder import Decoder
from upreel.video.deinterlace import Deinterlace, deinterlaced
from upreel.video.frame import Frame, Plane
from upreel.video.images import ImageReader, find_images, is_image_source, missing_numbers
from upreel.video.pixels import canonical, layout_of, planes_of
from upreel.video.place import Place
from upreel.video.probe import MediaInfo, VideoInfo, flags_of, probe
from upreel.video.transparency import is_transparent
from upreel.video.trust import TRUST, Trust

log = logging.getLogger(__name__)

DEFAULT_RATE = Fraction(25)
"""Images in a second where nobody says."""


class Reader:
    """A video file, a folder or pattern of images, or one image, read frame by frame.

    Use it as a context manager, then iterate: each iteration begins anew. Frames come in the
    order of presentation, each with the pts of the file; instants that the file leaves out are
    filled in, and none comes twice.

    Attributes:
        path: of the input.
        kind: what it is; an animated GIF is a `video`.
        video: the frames as they are delivered.
        media: the whole file; `None` for images.
        trust: what the input may cost, and where it may lead.
        transparent: whether a frame that has been read was not opaque everywhere.
        damage: one sentence on what is truncated or corrupt, as far as it has been read.
    """

    path: Path
    kind: Literal["video", "images", "image"]
    video: VideoInfo
    media: MediaInfo | None

    def __init__(
        self,
        source: str | Path,
        *,
        start: Fraction | None = None,
        end: Fraction | None = None,
        deinterlace: Deinterlace = "auto",
        frame_rate: Fraction = DEFAULT_RATE,
        trust: Trust = TRUST,
    ) -> None:
        """Prepare to read.

        Args:
            source: path of a video, of a folder, of an image, or a pattern of images
                (`frames/%05d.png`, `frames/*.png`).
            start: seconds from the beginning of the input (`media.start`, where players have
                their zero); frames before it are left out.
            end: seconds from the beginning of the input; the frame at it is left out.
            deinterlace: `auto` rebuilds frames that are flagged as interlaced.
            frame_rate: of images.
            trust: what the input may cost, and where it may lead.
        """
        self.path = Path(source)
        self.trust = trust
        self._source = source
        self._start = start
        self._end = end
        self._deinterlace: Deinterlace = deinterlace
        self._frame_rate = frame_rate
        self._decoder: Decoder | None = None
        self._images: ImageReader | None = None
        self._clock = _Clock(Fraction(1), 1)
        self.transparent = False

    def __enter__(self) -> Reader:
        """Open the input.

        Raises:
            MediaError: it cannot be read as video.
        """
        if is_image_source(self._source):
            paths = find_images(self._source)
            if missing := missing_numbers(paths):
                path, count = missing
                more = f", and {count - 1} more of {len(paths) + count}" if count > 1 else ""
                log.warning(
                    "%s is missing%s; the images before and after follow each other.", path, more
                )
            self.kind = "image" if self.path.is_file() else "images"
            self._images = ImageReader(paths, self._frame_rate, trust=self.trust)
            self.video, self.media = self._images.video, None
            return self
        self.kind = "video"
        media = probe(self.path, self.trust)
        if media.video is None:
            kinds = ", ".join(sorted({stream.kind for stream in media.streams})) or "nothing"
            raise MediaError(f"{self.path} has no video stream (only {kinds}); give a video file")
        self.media = media
        self.video = media.video
        if FormatFlags.no_timestamps in flags_of(media.container):
            log.warning(
                "%s has no clock: %.6g frames per second are assumed, as its header says or by "
                "default.", self.path, float(self.video.frame_rate or DEFAULT_RATE),
            )  # fmt: skip
        if self._deinterlace == "on" or (self._deinterlace == "auto" and self.video.interlaced):
            self.video = replace(self.video, field_order="progressive")
            log.info("%s is interlaced; every frame is rebuilt from its first field", self.path)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing to close: files are open only during an iteration."""

    @property
    def start(self) -> Fraction | None:
        """Where the frames begin, seconds from the beginning of the input."""
        return self._start

    @property
    def end(self) -> Fraction | None:
        """Where the frames end, seconds from the beginning of the input."""
        return self._end

    @property
    def damage(self) -> str | None:
        """One sentence on what is truncated or corrupt, as far as it has been read."""
        return self._decoder.damage if self._decoder is not None else None

    @property
    def frames(self) -> int | None:
        """How many frames to expect; an estimate where the file does not say."""
        rate, duration = self.video.frame_rate, self.video.duration
        if duration is None and self.media is not None:
            duration = self.media.duration
        if self._start is None and self._end is None and self.video.frames is not None:
            return self.video.frames
        if rate is None or duration is None:
            return None
        end = duration if self._end is None else min(self._end, duration)
        return max(0, round((end - (self._start or 0)) * rate))

    def __iter__(self) -> Iterator[Frame]:
        """Frames, one after the other, until the end.

        Raises:
            MediaError: images are not alike, or a picture cannot be read.
        """
        return self._image_frames(self._images) if self._images else self._video_frames()

    def since(self, place: Place) -> Iterator[Frame]:
        """Frames from a place on: the same as when all are read, and the same damage.

        The file is sought, and read from its beginning where the place is not found.

        Args:
            place: of a frame; see `place_of`.
        """
        if self._images:
            yield from self._image_frames(self._images, place.pts[1])
            return
        frames = self._sought(place)
        if frames is None:
            log.info("%s cannot be sought; it is read from its beginning", self.path)
            frames = islice(self, place.frame, None)
        yield from frames

    def _sought(self, place: Place) -> Iterator[Frame] | None:
        """Frames from a place on; `None` where it is not found without any doubt."""
        before: Frame | None = None
        frames = self._video_frames(place)
        for frame in frames:
            if before is not None and frame.pts >= place.pts[1]:
                regular = self._clock.is_regular_since(before.pts)
                if not regular or not place.is_between(before, frame):
                    return None
                self.transparent = self.transparent or place.read.transparent
                return chain((frame,), frames)
            before = frame
        return None

    def place_of(self, number: int, before: Frame, frame: Frame) -> Place | None:
        """The place of a frame, by which this or another reader of the same input can find it.

        Args:
            number: of the frame, counted from 0 in the frames that the reader gives.
            before: the frame that came right before it.
            frame: the frame.

        Returns:
            `None` where what came before the frame counts for those behind it: the clock of the
            file began anew, or it was filled in just here, or a part could not be read.
        """
        if self._decoder is None:
            return Place.of(number, before, frame)
        read = self._decoder.read_before(frame.pts)
        if read is None or not self._clock.is_regular_since(before.pts):
            return None
        return Place.of(number, before, frame, replace(read, transparent=self.transparent))

    def _image_frames(self, images: ImageReader, first: int = 0) -> Iterator[Frame]:
        video = images.video
        for index in range(first, video.frames or 0):
            instant = index * video.time_base
            if self._end is not None and instant >= self._end:
                return
            if self._start is None or instant >= self._start:
                planes = images.read(index)
                self._look(planes)
                yield Frame(planes, video.layout, index, video.time_base, 1)

    def _look(self, planes: tuple[Plane, ...]) -> None:
        self.transparent = self.transparent or is_transparent(planes, self.video.layout)

    def _video_frames(self, place: Place | None = None) -> Iterator[Frame]:
        """All frames, or those from some frame before a place on, which may be none."""
        assert self.media is not None and self.media.video is not None
        source, zero = self.media.video, self.media.start
        start = None if self._start is None else zero + self._start
        end = None if self._end is None else zero + self._end
        self._decoder = Decoder(self.path, source.index, start=start, trust=self.trust)
        self._clock = _Clock(source.time_base, _tick(source))
        decoded = self._decoder.since(place) if place else self._decoder
        frames = _alike(self._clock.timed(decoded), source)
        if self._deinterlace != "off":
            first = None
            if place and (source.interlaced or self._deinterlace == "on"):
                begin = Decoder(self.path, source.index, start=start, trust=self.trust)
                first = next(iter(begin), None)
            frames = deinterlaced(
                frames, self._deinterlace, field_order=source.field_order, first=first
            )
        held: av.VideoFrame | None = None
        for frame in frames:
            if held is not None:
                yield self._frame(held, frame.pts)
            held = None
            instant = (frame.pts or 0) * source.time_base
            if end is not None and instant >= end:
                return
            if start is None or instant >= start:
                held = frame
        if held is not None:
            yield self._frame(held, self._end_of_stream(held))

    def _end_of_stream(self, last: av.VideoFrame) -> int | None:
        """Where the last frame ends, as a pts, if its own duration does not tell."""
        # mp4 counts durations in the order of decoding: that of its last packet may not be the
        # last frame's. That of the stream is right.
        video, media = self.video, self.media
        if media is None or not media.container.startswith("mov") or video.duration is None:
            return None
        end = round((video.start + video.duration) / video.time_base)
        longest = 10 * max(last.duration, _tick(video))
        return end if 0 < end - (last.pts or 0) <= longest else None

    def _frame(self, frame: av.VideoFrame, following: int | None) -> Frame:
        """A frame as others see it; it lasts until the following one."""
        pts = frame.pts or 0
        duration = following - pts if following is not None else frame.duration or None
        planes = planes_of(frame)
        self._look(planes)
        return Frame(
            planes, self.video.layout, pts, self.video.time_base, duration,
            captions=captions_of(frame),
        )  # fmt: skip


def _tick(video: VideoInfo) -> int:
    """How long a frame lasts where the file does not say, in units of its time base."""
    rate = video.frame_rate or DEFAULT_RATE
    return max(1, round(1 / (rate * video.time_base)))


class _Clock:
    """Gives every frame a pts, larger than the one before."""

    def __init__(self, time_base: Fraction, tick: int) -> None:
        """Begin; `tick` is how long a frame lasts where the file does not say."""
        self._time_base = time_base
        self._tick = tick
        self._shift = 0
        self._regular_since: int | None = None

    def is_regular_since(self, pts: int) -> bool:
        """Whether frames have the pts of the file, from the one with this pts on."""
        return not self._shift and self._regular_since is not None and self._regular_since <= pts

    def timed(self, frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """The frames, each with its pts."""
        tick = self._tick
        last: int | None = None
        lasted = tick
        for frame in frames:
            pts = frame.pts
            if pts is None:
                pts = 0 if last is None else last + lasted
            else:
                pts += self._shift
            if last is not None and pts <= last:
                if last - pts > tick:  # the clock of the file began anew
                    self._shift += last + lasted - pts
                    pts = last + lasted
                else:
                    pts = last + 1
            if pts != frame.pts:
                self._regular_since = None
            elif self._regular_since is None:
                self._regular_since = pts
            lasted = frame.duration or tick if last is None else pts - last
            frame.pts = last = pts
            frame.time_base = self._time_base
            yield frame


def _alike(frames: Iterable[av.VideoFrame], video: VideoInfo) -> Iterator[av.VideoFrame]:
    """Bring every frame to the size and pixel layout of the first."""
    reformatter = VideoReformatter()
    target = canonical(video.pixel_format)
    warned = False
    for frame in frames:
        size = (frame.width, frame.height)
        if size != (video.width, video.height) or frame.format.name != video.pixel_format:
            if not warned:
                log.warning(
                    "the video changes to %dx%d %s at %.2f s; it is brought back to %dx%d %s",
                    *size, frame.format.name, frame.time or 0,
                    video.width, video.height, video.pixel_format,
                )  # fmt: skip
            warned = True
        if size == (video.width, video.height) and layout_of(frame.format.name) == video.layout:
            yield frame
            continue
        made = reformatter.reformat(
            frame, video.width, video.height, target, interpolation="BICUBIC"
        )
        made.pts, made.time_base, made.duration = frame.pts, frame.time_base, frame.duration
        yield made
