"""What the tests of writing share: a file written again, and what plain PyAV says of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.stream import Disposition

from tests.video.media import Arrays, plane_arrays
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
