"""What a media file says of itself, and the one safe way to open it."""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields, is_dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeAlias

import av
import av.container
from av.format import Flags as FormatFlags
from av.sidedata.sidedata import Type
from av.stream import Disposition

from upreel.errors import MediaError
from upreel.video.frame import ColorTags, PixelLayout
from upreel.video.geometry import MAX_SIDE
from upreel.video.hdr import Hdr, dynamic_hdr_of, hdr_of
from upreel.video.pixels import canonical, layout_of
from upreel.video.tags import color_tags_of, first_field_of, side_data_of
from upreel.video.transparency import decoder_of
from upreel.video.trust import (
    PLAYLISTS,
    TRUST,
    Trust,
    address_of,
    check_playlist,
    check_png,
    small_allocations,
)

Kind = Literal["video", "audio", "subtitle", "data", "attachment", "cover", "unknown"]
FieldOrder = Literal["progressive", "top", "bottom"]
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

# FFmpeg counts 1 progressive; 2 TT, 3 BB, 4 TB, 5 BT: how the fields are coded, then displayed.
_FIELD_ORDERS: dict[int, FieldOrder] = {
    1: "progressive", 2: "top", 3: "bottom", 4: "bottom", 5: "top"
}  # fmt: skip
# Lists of other files, and text shown as a picture of a terminal: not what a path should stand for.
_REFUSED_FORMATS = PLAYLISTS | {"dash", "imf", "sdp", "rtsp", "tty", "vobsub"}


@dataclass(frozen=True, slots=True)
class Chapter:
    """A named part.

    Attributes:
        start: seconds.
        end: seconds.
        title: empty where the file gives none.
    """

    start: Fraction
    end: Fraction
    title: str


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One stream of a file.

    Attributes:
        index: in the file.
        kind: `cover` is a picture attached to the file, not a video.
        codec: FFmpeg's name; `None` where FFmpeg has no decoder.
        language: as the file writes it, mostly three letters of ISO 639-2.
        title: what players show.
        duration: seconds.
        detail: what matters of its kind, in words: `1280x720 yuv420p`, `48000 Hz stereo`.
    """

    index: int
    kind: Kind
    codec: str | None
    language: str | None
    title: str | None
    duration: Fraction | None
    detail: str


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """The video stream, the frames of it.

    Attributes:
        index: of the stream in the file.
        codec: FFmpeg's name.
        width: pixels.
        height: pixels.
        pixel_format: FFmpeg's name, as the decoder delivers.
        layout: of the planes that a `Frame` gets.
        colors: what the file says of its colours.
        sample_aspect_ratio: width of a pixel to its height; `None` where unknown.
        rotation: degrees counterclockwise that a player turns the picture, -180..180.
        mirrored: whether a player also shows it mirrored.
        frame_rate: frames in a second on average; `None` where nobody knows.
        variable_frame_rate: whether the header already tells that frames differ in duration.
        time_base: unit of pts, seconds.
        frames: how many the file promises; `None` where it does not say.
        start: seconds, of the first frame.
        duration: seconds.
        field_order: `top` or `bottom` (which field comes first) where interlaced.
        hdr: HDR10 metadata.
        dynamic_hdr: names of metadata that change from scene to scene (HDR10+, Dolby Vision).
    """

    index: int
    codec: str
    width: int
    height: int
    pixel_format: str
    layout: PixelLayout
    colors: ColorTags
    sample_aspect_ratio: Fraction | None
    rotation: int
    mirrored: bool
    frame_rate: Fraction | None
    variable_frame_rate: bool
    time_base: Fraction
    frames: int | None
    start: Fraction
    duration: Fraction | None
    field_order: FieldOrder | None
    hdr: Hdr | None
    dynamic_hdr: tuple[str, ...] = ()

    @property
    def interlaced(self) -> bool:
        """Whether a frame is two fields of different instants."""
        return self.field_order in {"top", "bottom"}


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """A file.

    Attributes:
        path: of the file.
        container: FFmpeg's name of the format.
        start: seconds; where players have their zero.
        duration: seconds.
        size_bytes: of the file.
        metadata: of the container.
        chapters: in their order.
        video: the stream that is the video, if there is one.
        streams: all of them.
    """

    path: Path
    container: str
    start: Fraction
    duration: Fraction | None
    size_bytes: int
    metadata: dict[str, str]
    chapters: tuple[Chapter, ...]
    video: VideoInfo | None
    streams: tuple[StreamInfo, ...]


@lru_cache(maxsize=1)
def allowed_formats() -> str:
    """FFmpeg's names of the formats that a path may stand for, as its options want them."""
    formats = (av.ContainerFormat(name) for name in av.formats_available)
    allowed = (
        format.name for format in formats
        if format.is_input and not format.no_file and format.name not in _REFUSED_FORMATS
    )  # fmt: skip
    return ",".join(sorted(allowed))


def open_media(path: Path, trust: Trust = TRUST) -> av.container.InputContainer:
    """Open a file for reading; nothing that it refers to is opened with it, unless that is allowed.

    Raises:
        MediaError: there is no such file, it is not a media file, or it asks for too much trust.
    """
    elsewhere = address_of(path, trust)
    if elsewhere is None:
        check_file(path, trust)
    address, protocols = elsewhere or (f"file:{path}", ("file", *trust.protocols))
    formats = (allowed_formats(), *(PLAYLISTS if trust.protocols else ()))
    options = {"protocol_whitelist": ",".join(protocols), "format_whitelist": ",".join(formats)}
    try:
        with small_allocations(trust):
            return av.open(address, "r", container_options=options, metadata_errors="replace")
    except (av.FFmpegError, ValueError) as error:
        raise MediaError(
            f"{path} is not a video that FFmpeg can read ({_reason(error)}); "
            "check that the file is complete"
        ) from error


def check_file(path: Path, trust: Trust = TRUST) -> None:
    """Refuse what must not come before FFmpeg.

    Raises:
        MediaError: it is no file or an empty one, a playlist, or a PNG that inflates.
    """
    if not path.is_file():
        found = "is not a regular file" if path.exists() else "does not exist"
        found = "is a folder" if path.is_dir() else found
        raise MediaError(f"{path} {found}; give the path of a video file")
    if path.stat().st_size == 0:
        raise MediaError(f"{path} is empty (0 bytes); copy or download it again")
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise MediaError(f"{path} cannot be read ({error.strerror}); check its rights") from error
    check_playlist(head, path, trust)
    check_png(head, path, trust)


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, av.FFmpegError) else str(error)
    return (text or type(error).__name__).lower()


def _is_cover(stream: av.stream.Stream) -> bool:
    return bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))


def video_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """The stream that is the video: the default one, else the first; never cover art."""
    streams = [stream for stream in container.streams.video if not _is_cover(stream)]
    defaults = [stream for stream in streams if stream.disposition & Disposition.default]
    return next(iter(defaults + streams), None)


def limit_size(context: av.VideoCodecContext, trust: Trust) -> None:
    """Let a decoder that is not open yet refuse larger frames than the header promises."""
    context.options = {"max_pixels": str(trust.max_pixels)}


def first_frame(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    path: Path,
    trust: Trust = TRUST,
) -> av.VideoFrame:
    """Decode up to the first frame of the video, sizes checked before.

    Raises:
        MediaError: the frames are too large, encrypted, of an unknown codec, or none decodes.
    """
    name = str(path)
    context = stream.codec_context
    if context is None:
        raise MediaError(f"{name} has a video codec that FFmpeg does not know; convert it first")
    if max(context.width, context.height) > MAX_SIDE:
        raise MediaError(
            f"{name} is {context.width}x{context.height}; at most {MAX_SIDE}x{MAX_SIDE} can be read"
        )
    trust.refuse(name, context.width, context.height)
    decoder = decoder_of(stream)
    limit_size(decoder, trust)
    reason = "it has no video packets"
    try:
        for packet in container.demux(stream):
            if packet.has_sidedata("encryption_info"):
                raise MediaError(f"{name} is encrypted; upreel needs a file without DRM")
            try:
                for frame in decoder.decode(packet):
                    return frame
            except av.FFmpegError as error:
                reason = _reason(error)
    except av.FFmpegError as error:
        reason = _reason(error)
    if context.width == 0:
        reason = f"the size of its frames is unknown or above {trust.max_pixels} pixels"
    raise MediaError(f"no picture in {name} can be decoded ({reason}); check that it is complete")


def flags_of(container: str) -> FormatFlags:
    """What FFmpeg says of a format, by the names that it gives it."""
    return FormatFlags(av.ContainerFormat(container.split(",", maxsplit=1)[0], "r").flags)


def _seconds(value: int | None, unit: Fraction | None) -> Fraction | None:
    return None if value is None or unit is None else value * unit


def _tagged_duration(stream: av.stream.Stream) -> Fraction | None:
    """Matroska writes the duration of a stream as a tag, `00:00:01.500000000`."""
    parts = stream.metadata.get("DURATION", "").split(":")
    try:
        hours, minutes, seconds = (Fraction(part) for part in parts)
    except ValueError:
        return None
    return hours * 3600 + minutes * 60 + seconds


def stream_duration(stream: av.stream.Stream) -> Fraction | None:
    """Seconds that the header promises of a stream; `None` where it does not say."""
    return _seconds(stream.duration, stream.time_base) or _tagged_duration(stream)


def _is_mirrored(frame: av.VideoFrame) -> bool:
    matrix = side_data_of(frame, Type.DISPLAYMATRIX)
    if matrix is None:
        return False
    a, b, _, c, d, *_ = struct.unpack("=9i", matrix)
    return bool(a * d < b * c)


def describe_video(stream: av.VideoStream, frame: av.VideoFrame) -> VideoInfo:
    """Everything about the frames of a stream, from its header and its first frame."""
    time_base = stream.time_base or Fraction(1, 90000)
    layout = layout_of(canonical(frame.format.name))
    if layout is None:
        raise MediaError(f"pixel format {frame.format.name} cannot be read; convert it first")
    ratio = stream.sample_aspect_ratio
    average, base = stream.average_rate, stream.base_rate
    field_order = _FIELD_ORDERS.get(stream.codec_context.field_order)
    if frame.interlaced_frame:  # the frames know better than the header
        field_order = first_field_of(frame)
    rate = average or stream.guessed_rate or base
    clockless = FormatFlags.no_timestamps in flags_of(stream.container.format.name)
    if clockless and frame.duration:  # what its header says, which FFmpeg goes by
        rate = 1 / (frame.duration * time_base)
    first = frame.pts if frame.pts is not None else stream.start_time
    return VideoInfo(
        index=stream.index,
        codec=stream.codec_context.codec.canonical_name,
        width=frame.width,
        height=frame.height,
        pixel_format=frame.format.name,
        layout=layout,
        colors=color_tags_of(frame),
        sample_aspect_ratio=ratio if ratio else None,
        rotation=frame.rotation,
        mirrored=_is_mirrored(frame),
        frame_rate=rate,
        variable_frame_rate=bool(average and base and abs(average / base - 1) > Fraction(1, 100)),
        time_base=time_base,
        frames=stream.frames or None,
        start=(first or 0) * time_base,
        duration=stream_duration(stream),
        field_order=field_order,
        hdr=hdr_of(frame),
        dynamic_hdr=dynamic_hdr_of(frame),
    )


def _describe_stream(stream: av.stream.Stream) -> StreamInfo:
    kind: Kind = "cover" if _is_cover(stream) else stream.type
    detail = ""
    if isinstance(stream, av.VideoStream) and stream.codec_context is not None:
        detail = f"{stream.width}x{stream.height} {stream.pix_fmt or ''}".strip()
    elif isinstance(stream, av.AudioStream) and stream.codec_context is not None:
        detail = f"{stream.rate} Hz {stream.layout.name}"
    elif stream.type == "attachment":
        detail = " ".join(filter(None, (stream.metadata.get(k) for k in ("filename", "mimetype"))))
    context, language = stream.codec_context, stream.metadata.get("language")
    return StreamInfo(
        index=stream.index,
        kind=kind,
        codec=context.codec.canonical_name if context is not None else None,
        language=language if language != "und" else None,
        title=stream.metadata.get("title") or stream.metadata.get("name"),  # as mp4 calls it
        duration=stream_duration(stream),
        detail=detail,
    )


def media_info(
    container: av.container.InputContainer, path: Path, video: VideoInfo | None
) -> MediaInfo:
    """Everything that the header of an open file says, beside what is known of the video."""
    microsecond = Fraction(1, av.time_base)
    return MediaInfo(
        path=path,
        container=container.format.name,
        start=_seconds(container.start_time, microsecond) or Fraction(0),
        duration=_seconds(container.duration, microsecond),
        size_bytes=container.size,
        metadata=dict(container.metadata),
        chapters=tuple(
            Chapter(
                chapter["start"] * (chapter["time_base"] or microsecond),
                chapter["end"] * (chapter["time_base"] or microsecond),
                chapter["metadata"].get("title", ""),
            )
            for chapter in container.chapters()
        ),
        video=video,
        streams=tuple(_describe_stream(stream) for stream in container.streams),
    )


def probe(path: str | Path, trust: Trust = TRUST) -> MediaInfo:
    """What a file says of itself; its first frame is decoded, for what only frames tell.

    Args:
        path: of the file.
        trust: what it may cost, and where it may lead.

    Raises:
        MediaError: there is no such file, it is not a media file, or its video cannot be decoded.
    """
    path = Path(path)
    with open_media(path, trust) as container:
        stream = video_stream(container)
        video = None
        if stream is not None:
            video = describe_video(stream, first_frame(container, stream, path, trust))
        return media_info(container, path, video)


def describe(info: MediaInfo | VideoInfo) -> dict[str, Json]:
    """The same as plain values for JSON: fractions as text, `30000/1001`."""
    return {field.name: _json(getattr(info, field.name)) for field in fields(info)}


def _json(value: object) -> Json:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if is_dataclass(value):
        return {field.name: _json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): _json(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_json(entry) for entry in value]
    return str(value)
