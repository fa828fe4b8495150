"""What the tests of writing share: a file written again, and what plain PyAV says of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from av.subtitles.subtitle import AssSubtitle

from tests.video.media import Arrays, plane_arrays, write_video
from upreel.video.encoding import Encoding
from upreel.video.reader import Reader
from upreel.video.writer import open_writer

FAST = Encoding(preset="ultrafast", threads=1)


def rewrite(
    source: Path,
    target: Path,
    *,
    encoding: Encoding = FAST,
    start: Fraction | None = None,
    end: Fraction | None = None,
    audio: bool = True,
    partial: bool = False,
    limit: int | None = None,
) -> Path:
    """Write every frame of a video unchanged into another file; stop after `limit` of them."""
    with (
        Reader(source, start=start, end=end) as reader,
        open_writer(
            target,
            source=reader,
            size=(reader.video.width, reader.video.height),
            encoding=encoding,
            audio=audio,
        ) as writer,
    ):
        for number, frame in enumerate(reader):
            if number == limit:
                break
            writer.write(frame)
        return writer.finish(partial=partial)


@dataclass(frozen=True)
class Track:
    """One stream as plain PyAV reads it; instants in seconds."""

    kind: str
    codec: str | None
    tags: Mapping[str, str]
    disposition: Disposition
    pts: list[Fraction]
    durations: list[Fraction]
    data: list[bytes]

    @property
    def digest(self) -> str:
        return hashlib.md5(b"".join(self.data)).hexdigest()


def tracks(path: Path) -> list[Track]:
    """All streams with all their packets."""
    with av.open(str(path)) as container:
        found = [
            Track(
                stream.type,
                stream.codec_context.codec.canonical_name
                if stream.type not in {"data", "attachment"}
                else stream.name,
                dict(stream.metadata),
                stream.disposition,
                [],
                [],
                [],
            )
            for stream in container.streams
        ]
        for packet in container.demux():
            if packet.size:
                track = found[packet.stream.index]
                pts = packet.pts if packet.pts is not None else 0
                track.pts.append(pts * packet.time_base)
                track.durations.append((packet.duration or 0) * packet.time_base)
                track.data.append(bytes(packet))
        return found


def of_kind(path: Path, kind: str) -> list[Track]:
    return [track for track in tracks(path) if track.kind == kind]


def frame_times(path: Path) -> list[Fraction]:
    """Seconds of every decoded frame of the first video."""
    with av.open(str(path)) as container:
        return [
            (frame.pts or 0) * (frame.time_base or Fraction(0))
            for frame in container.decode(video=0)
        ]


def frame_planes(path: Path) -> list[Arrays]:
    with av.open(str(path)) as container:
        return [plane_arrays(frame) for frame in container.decode(video=0)]


def with_extra(
    path: Path,
    extra: Path,
    *,
    tags: Mapping[str, str] | None = None,
    mark: Disposition | None = None,
    video: Path | None = None,
) -> Path:
    """A file with the streams of another one, video first, packets in the order of time."""
    made = video or write_video(path.with_name("plain.mkv"), 25)
    with av.open(str(made)) as one, av.open(str(extra)) as two, av.open(str(path), "w") as out:
        waiting: list[tuple[float, av.Packet[av.stream.Stream]]] = []
        for container in (one, two):
            targets = {}
            for stream in container.streams:
                targets[stream.index] = out.add_stream_from_template(stream, opaque=True)
                targets[stream.index].metadata.update(stream.metadata)
                targets[stream.index].metadata.update(tags or {})
                if container is two and mark is not None:
                    targets[stream.index].disposition = mark
            for packet in container.demux():
                if packet.size:
                    time = packet.dts if packet.dts is not None else -1
                    packet.stream = targets[packet.stream.index]
                    waiting.append((float(time * packet.time_base), packet))
        for _, packet in sorted(waiting, key=lambda entry: entry[0]):
            if packet.dts is None:
                packet.dts = -1
            out.mux(packet)
    return path


def sound_file(path: Path, codec: str, sample_format: str = "s16") -> Path:
    """A second of noise."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=48000)
        assert isinstance(stream, av.AudioStream)
        stream.layout, stream.format = "stereo", sample_format
        high = 255 if sample_format == "u8" else 20000
        for samples in noise(high, np.uint8 if sample_format == "u8" else np.int16):
            frame = av.AudioFrame.from_ndarray(samples, format=sample_format, layout="stereo")
            frame.sample_rate = 48000
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def noise(high: int, kind: type[np.uint8] | type[np.int16]) -> Iterator[np.ndarray]:
    random = np.random.default_rng(0)
    for _ in range(48):
        yield random.integers(0, high, (1, 2000), dtype=kind)


def samples(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("s32", "stereo", 48000)
        return np.concatenate(
            [
                part.to_ndarray()
                for frame in container.decode(audio=0)
                for part in resampler.resample(frame)
            ],
            axis=1,
        )


def texts(path: Path) -> list[tuple[Fraction, Fraction, str]]:
    """Begin, duration and text of every subtitle, as FFmpeg's own decoder reads them."""
    found = []
    with av.open(str(path)) as container:
        stream = container.streams.subtitles[0]
        for packet in container.demux(stream):
            for subtitle in stream.codec_context.decode2(packet) or () if packet.size else ():
                assert isinstance(subtitle, AssSubtitle)
                # The decoder of mov_text ends a style in its own way.
                text = subtitle.dialogue.decode().replace(r"{\r}", r"{\i0}")
                base = packet.time_base
                found.append(((packet.pts or 0) * base, (packet.duration or 0) * base, text))
    return found
