"""Small media for the tests, made with PyAV alone: nothing under test helps to make them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Arrays = tuple[NDArray[np.uint8] | NDArray[np.uint16], ...]

SUBTITLES = """1
00:00:00,040 --> 00:00:00,200
Hello there

2
00:00:00,240 --> 00:00:00,400
<i>General</i> remark
"""


def picture(
    index: int, width: int = 64, height: int = 48, *, pixel_format: str = "yuv420p"
) -> Arrays:
    """Planes of a smooth moving pattern, all bits in use; `index` is the number of the frame."""
    made = av.VideoFrame(width, height, pixel_format)
    bits = max(8, made.format.components[0].bits)
    arrays: list[NDArray[np.uint8] | NDArray[np.uint16]] = []
    for number, plane in enumerate(made.planes):
        y, x = np.mgrid[: plane.height, : plane.width].astype(np.float64)
        wave = np.sin((x + 2 * index) / (5 + number)) + np.cos((y - index) / (7 + number))
        values = (0.5 + 0.19 * wave) * (2**bits - 1)
        arrays.append(
            values.round().astype(np.uint8) if bits == 8 else values.round().astype(np.uint16)
        )
    return tuple(arrays)


def as_av_frame(arrays: Arrays, width: int, height: int, pixel_format: str) -> av.VideoFrame:
    """A frame of one of the planar formats."""
    made = av.VideoFrame(width, height, pixel_format)
    for array, plane in zip(arrays, made.planes, strict=True):
        rows = np.zeros((plane.buffer_size // plane.line_size, plane.line_size), np.uint8)
        data = np.ascontiguousarray(array).view(np.uint8)
        rows[: data.shape[0], : data.shape[1]] = data
        plane.update(rows.tobytes().ljust(plane.buffer_size, b"\0"))
    return made


def plane_arrays(frame: av.VideoFrame) -> Arrays:
    """The planes of a frame of one of the planar formats, as the decoder wrote them."""
    wide = frame.format.components[0].bits > 8
    arrays: list[NDArray[np.uint8] | NDArray[np.uint16]] = []
    for plane in frame.planes:
        rows = np.frombuffer(bytes(plane), np.uint16 if wide else np.uint8)
        rows = rows.reshape(-1, plane.line_size // (2 if wide else 1))
        shown = rows[: plane.height, : plane.width]
        arrays.append(shown.astype(np.uint16) if wide else shown.astype(np.uint8))
    return tuple(arrays)


def decoded(path: Path) -> list[tuple[int | None, Arrays]]:
    """What FFmpeg itself makes of the first video stream: (pts, planes) of every frame."""
    with av.open(str(path)) as container:
        return [(frame.pts, plane_arrays(frame)) for frame in container.decode(video=0)]


def pictures(
    count: int, width: int = 64, height: int = 48, *, pixel_format: str = "yuv420p"
) -> Iterator[Arrays]:
    """`count` neighbouring pictures."""
    return (picture(index, width, height, pixel_format=pixel_format) for index in range(count))


def write_video(  # noqa: PLR0912, PLR0915 - one long list of what a file may have
    path: Path,
    frames: Iterable[Arrays] | int = 10,
    *,
    size: tuple[int, int] = (64, 48),
    pixel_format: str = "yuv420p",
    codec: str = "libx264",
    options: Mapping[str, str] | None = None,
    pts: Sequence[int] | None = None,
    durations: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 12800),
    rate: Fraction = Fraction(25),
    container_options: Mapping[str, str] | None = None,
    sample_aspect_ratio: Fraction | None = None,
    rotation: int | None = None,
    mirrored: bool = False,
    color: tuple[int, int, int, int] | None = None,
    interlaced: bool = False,
    bottom_first: bool = False,
    audio: bool = False,
    subtitles: bool = False,
    attachment: bytes | None = None,
    cover: bytes | None = None,
    chapters: bool = False,
    metadata: Mapping[str, str] | None = None,
    container_format: str | None = None,
) -> Path:
    """Encode pictures into a file, with one thread.

    Args:
        path: the file; its extension names the container.
        frames: planes of every frame, or how many of `pictures` to take.
        size: width and height.
        pixel_format: of `frames` and of the file.
        codec: FFmpeg's name of the encoder.
        options: of the encoder.
        pts: of the frames, in `time_base`; evenly spaced at `rate` when left out.
        durations: of the frames, in `time_base`.
        time_base: of the encoder.
        rate: what the header says of the frame rate.
        container_options: of the muxer.
        sample_aspect_ratio: written by the encoder.
        rotation: degrees of a display matrix.
        mirrored: whether that matrix also mirrors, from top to bottom.
        color: range, matrix, primaries, transfer as FFmpeg's numbers.
        interlaced: encode as interlaced, each frame flagged.
        bottom_first: which field of an interlaced frame is the earlier one.
        audio: add a tone of the same length.
        subtitles: add `SUBTITLES` as SubRip (Matroska) or mov_text (mp4).
        attachment: add a font with these bytes (Matroska).
        cover: add a PNG with these bytes as cover art (mp4).
        chapters: add two.
        metadata: of the container.
        container_format: FFmpeg's name of the container where the extension does not say.
    """
    width, height = size
    given = (
        pictures(frames, width, height, pixel_format=pixel_format)
        if isinstance(frames, int)
        else frames
    )
    tick = 1 / (rate * time_base)
    with av.open(
        str(path), "w", format=container_format, container_options=dict(container_options or {})
    ) as out:
        out.metadata.update(metadata or {})
        stream = out.add_stream(codec, rate=rate, options=dict(options or {}))
        assert isinstance(stream, av.VideoStream)
        context = stream.codec_context
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.thread_count = 1
        context.time_base = time_base
        context.flags |= av.codec.context.Flags.frame_duration
        if sample_aspect_ratio is not None:
            context.sample_aspect_ratio = sample_aspect_ratio
        if rotation is not None:
            stream.set_display_rotation(rotation, vflip=mirrored)
        if color is not None:
            context.color_range, context.colorspace = color[:2]
            context.color_primaries, context.color_trc = color[2:]
        if interlaced:
            context.flags |= av.codec.context.Flags.interlaced_dct
            context.flags |= av.codec.context.Flags.interlaced_me
        sound = _add_audio(out) if audio else None
        text_codec = "mov_text" if path.suffix in {".mp4", ".mov"} else "subrip"
        text = out.add_mux_stream(text_codec) if subtitles else None
        if text is not None:
            text.metadata["language"] = "eng"
        art = None
        if cover is not None:
            art = out.add_stream("png", rate=1)
            assert isinstance(art, av.VideoStream)
            art.disposition = av.stream.Disposition.attached_pic
            art.width, art.height, art.pix_fmt = 16, 16, "rgb24"
        if attachment is not None:
            out.add_attachment("font.ttf", "application/x-truetype-font", attachment)
        if chapters:
            millisecond = Fraction(1, 1000)
            out.set_chapters(
                [
                    {"id": 1, "start": 0, "end": 200, "time_base": millisecond,
                     "metadata": {"title": "One"}},
                    {"id": 2, "start": 200, "end": 400, "time_base": millisecond,
                     "metadata": {"title": "Two"}},
                ]
            )  # fmt: skip
        count = 0
        for index, arrays in enumerate(given):
            frame = as_av_frame(arrays, width, height, pixel_format)
            frame.pts = round(index * tick) if pts is None else pts[index]
            frame.time_base = time_base
            frame.duration = round(tick) if durations is None else durations[index]
            if interlaced:
                frame = _flagged(frame, "bff" if bottom_first else "tff")
            if color is not None:
                frame.color_range, frame.colorspace = color[:2]
                frame.color_primaries, frame.color_trc = color[2:]
            out.mux(stream.encode(frame))
            count += 1
        out.mux(stream.encode(None))
        if sound is not None:
            _write_audio(out, sound, float(count / rate))
        if text is not None:
            _write_subtitles(out, text, text_codec)
        if art is not None and cover is not None:
            packet = av.Packet(cover)
            packet.stream, packet.pts, packet.dts = art, 0, 0
            packet.is_keyframe = True
            out.mux(packet)
    return path


def _flagged(frame: av.VideoFrame, order: str) -> av.VideoFrame:
    """The frame with the flags of interlaced video, which PyAV cannot set."""
    graph = av.filter.Graph()
    nodes = (
        graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        ),
        graph.add("setfield", mode=order),
        graph.add("buffersink"),
    )
    graph.link_nodes(*nodes).configure()
    graph.vpush(frame)
    return graph.vpull()


def _add_audio(out: av.container.OutputContainer) -> av.AudioStream:
    stream = out.add_stream("aac", rate=48000)
    assert isinstance(stream, av.AudioStream)
    stream.layout = "mono"
    stream.metadata["language"] = "deu"
    stream.metadata["title"] = "Commentary"
    stream.metadata["comment"] = "by nobody"
    return stream


def _write_audio(out: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    samples = np.sin(np.arange(round(seconds * 48000)) / 20).astype(np.float32)[None] / 2
    for start in range(0, samples.shape[1], 1024):
        piece = np.ascontiguousarray(samples[:, start : start + 1024])
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def _write_subtitles(
    out: av.container.OutputContainer, stream: av.stream.Stream, codec: str
) -> None:
    with av.open(io.BytesIO(SUBTITLES.encode()), mode="r", format="srt") as source:
        for packet in source.demux(subtitles=0):
            if packet.size == 0:
                continue
            text = bytes(packet)
            if codec == "mov_text":
                text = len(text).to_bytes(2, "big") + text
            copied = av.Packet(text)
            copied.stream, copied.time_base = stream, packet.time_base
            copied.pts, copied.dts, copied.duration = packet.pts, packet.pts, packet.duration
            out.mux(copied)


def remux(
    source: Path,
    path: Path,
    *,
    audio_first: bool = False,
    shift: Fraction = Fraction(0),
    container_options: Mapping[str, str] | None = None,
) -> Path:
    """Copy the streams of a file, with all instants moved by `shift` seconds."""
    options = dict(container_options or {})
    with av.open(str(source)) as inp, av.open(str(path), "w", container_options=options) as out:
        streams = sorted(inp.streams, key=lambda stream: stream.type, reverse=not audio_first)
        made = {stream.index: out.add_stream_from_template(stream) for stream in streams}
        for packet in inp.demux():
            if packet.size == 0:
                continue
            ticks = round(shift / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
            packet.stream = made[packet.stream.index]
            out.mux(packet)
    return path


def truncated(source: Path, path: Path, *, keep: float = 0.6) -> Path:
    """The first part of a file."""
    data = source.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def with_noise(source: Path, path: Path, *, at: float = 0.5, count: int = 600) -> Path:
    """A file with bytes in the middle replaced by others."""
    data = bytearray(source.read_bytes())
    begin = int(len(data) * at)
    data[begin : begin + count] = np.random.default_rng(0).bytes(count)
    path.write_bytes(data)
    return path


def write_image(
    path: Path, arrays: Arrays, pixel_format: str, codec: str, *, width: int | None = None
) -> Path:
    """One image; its bytes are what the encoder makes. Give the width of packed pixels."""
    context = av.VideoCodecContext.create(codec, "w")
    assert isinstance(context, av.VideoCodecContext)
    height, width = arrays[0].shape[0], width or arrays[0].shape[1]
    context.width, context.height, context.pix_fmt = width, height, pixel_format
    context.time_base = Fraction(1, 25)
    frame = as_av_frame(arrays, width, height, pixel_format)
    frame.color_range = context.color_range = 2
    frame.pts = 0
    packets = [*context.encode(frame), *context.encode(None)]
    path.write_bytes(b"".join(bytes(packet) for packet in packets))
    return path


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """A JPEG with an EXIF segment that says how it is to be turned (1 to 8)."""
    tags = b"MM\0*\0\0\0\x08\0\x01" + b"\x01\x12\0\x03\0\0\0\x01" + bytes([0, orientation, 0, 0])
    exif = b"Exif\0\0" + tags + b"\0\0\0\0"
    return jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
