"""Frames from a place on are those of a whole read; what lies before them is not decoded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.video.media import (
    Arrays,
    as_av_frame,
    picture,
    remux,
    truncated,
    with_noise,
    write_image,
    write_video,
)
from tests.video.test_captions import said
from tests.video.test_deinterlace import HEIGHT, WIDTH, woven
from upreel.video.captions import with_captions
from upreel.video.decoder import Decoder
from upreel.video.deinterlace import Deinterlace
from upreel.video.frame import Frame
from upreel.video.place import Place
from upreel.video.reader import Reader

COUNT = 96
GROUP = 8
CLOSED = {"g": str(GROUP)}
OPEN = {"x264-params": "open-gop=1:keyint=8:min-keyint=8:bframes=3:b-adapt=0:scenecut=0"}
REFRESHED = {"x264-params": "intra-refresh=1:keyint=8:bframes=0:scenecut=0"}
HEVC = {"x265-params": "log-level=none:keyint=8:min-keyint=8:bframes=3:open-gop=1"}
VP9 = {"g": "8", "cpu-used": "8", "deadline": "realtime", "auto-alt-ref": "1", "lag-in-frames": "9"}
MPEG2 = {"g": "8", "bf": "2"}
PACE = Fraction(1, 25)
UNEVEN = [index * 512 + (index * index * 37) % 400 for index in range(COUNT)]
NUMBERS = (1, 33, 64, 79, 95)


@dataclass
class Seen:
    """What a read gave, and how many frames it decoded for that."""

    frames: list[Frame]
    damage: str | None
    decoded: int
    places: list[Place | None] = field(default_factory=list)


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many frames came out of decoders, in its only entry."""
    decoded = [0]
    frames_of = Decoder._frames_of

    def counted(
        self: Decoder, decoder: av.VideoCodecContext, packet: av.Packet[av.stream.Stream]
    ) -> list[av.VideoFrame]:
        frames = frames_of(self, decoder, packet)
        decoded[0] += len(frames)
        return frames

    monkeypatch.setattr(Decoder, "_frames_of", counted)
    return decoded


def whole(reader: Reader, count: list[int]) -> Seen:
    """All frames, with their places."""
    count[0] = 0
    frames: list[Frame] = []
    places: list[Place | None] = []
    for frame in reader:
        places.append(reader.place_of(len(frames), frames[-1], frame) if frames else None)
        frames.append(frame)
    return Seen(frames, reader.damage, count[0], places)


def since(reader: Reader, place: Place, count: list[int]) -> Seen:
    count[0] = 0
    frames = list(reader.since(place))
    return Seen(frames, reader.damage, count[0])


def assert_same(found: list[Frame], expected: list[Frame]) -> None:
    assert [(frame.pts, frame.duration) for frame in found] == [
        (frame.pts, frame.duration) for frame in expected
    ]
    assert [frame.captions for frame in found] == [frame.captions for frame in expected]
    for one, other in zip(found, expected, strict=True):
        for plane, same in zip(one.planes, other.planes, strict=True):
            np.testing.assert_array_equal(plane, same)


def scenes(size: tuple[int, int] = (64, 48), count: int = COUNT) -> Iterator[Arrays]:
    """Moving pictures, another scene after every 20."""
    for index in range(count):
        arrays = picture(index, *size)
        yield tuple(255 - array for array in arrays) if index // 20 % 2 else arrays


def video(
    codec: str = "libx264",
    *,
    extension: str,
    options: Mapping[str, str] | None = None,
    container_options: Mapping[str, str] | None = None,
    container_format: str | None = None,
    pixel_format: str = "yuv420p",
    pts: Sequence[int] | None = None,
    time_base: Fraction = PACE,
    other_streams: bool = False,
) -> Callable[[Path], Path]:
    """Makes a video of `COUNT` frames in a folder."""
    return lambda folder: write_video(
        folder / f"a.{extension}", scenes(), codec=codec, options=options, pts=pts,
        pixel_format=pixel_format, time_base=time_base, container_options=container_options,
        container_format=container_format, audio=other_streams,
        subtitles=other_streams and extension == "mkv",
    )  # fmt: skip


def interlaced(extension: str, pictures: int = COUNT) -> Callable[[Path], Path]:
    return lambda folder: write_video(
        folder / f"a.{extension}", woven(pictures, 8), size=(WIDTH, HEIGHT), interlaced=True,
        options=CLOSED, time_base=PACE,
    )  # fmt: skip


def late(folder: Path) -> Path:
    """A transport stream whose clock shows 26.4 hours."""
    path = write_video(folder / "early.ts", scenes(), options=OPEN, time_base=PACE)
    return remux(path, folder / "late.ts", shift=Fraction(95_000))


def edited(folder: Path) -> Path:
    """Players leave out the first three frames."""
    path = write_video(folder / "all.mp4", scenes(), options={"bf": "0", **CLOSED})
    options = {"avoid_negative_ts": "disabled", "use_editlist": "1"}
    shift = Fraction(-3, 25)
    return remux(path, folder / "cut.mp4", shift=shift, container_options=options)


def joined(parts: list[Path], path: Path) -> Path:
    """The packets of several videos, one after the other."""
    with av.open(str(path), "w") as out:
        stream: av.VideoStream | None = None
        end = 0
        for part in parts:
            with av.open(str(part)) as container:
                source = container.streams.video[0]
                stream = stream or out.add_stream_from_template(source)
                shift = end - (source.start_time or 0)
                for packet in container.demux(source):
                    if packet.pts is None or packet.dts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    end = max(end, packet.pts + (packet.duration or 0))
                    packet.stream = stream
                    out.mux(packet)
    return path


def images(folder: Path) -> Path:
    for index in range(COUNT):
        write_image(folder / f"{index:03}.png", picture(index)[:1], "gray", "png")
    return folder


def animation(folder: Path) -> Path:
    red = [(arrays[0],) for arrays in scenes((64, 48))]
    return write_video(
        folder / "a.gif", red, codec="gif", pixel_format="gray", time_base=Fraction(1, 100)
    )


SOUGHT = {
    "h264 mp4": video(extension="mp4", options=CLOSED),
    "h264 mp4 open": video(extension="mp4", options=OPEN),
    "h264 mkv open": video(extension="mkv", options=OPEN, other_streams=True),
    "h264 mov open": video(extension="mov", options=OPEN),
    "h264 ts open": video(extension="ts", options=OPEN, other_streams=True),
    "h264 mp4 fragments": video(
        extension="mp4",
        options=CLOSED,
        container_options={"movflags": "frag_keyframe+empty_moov"},
    ),
    "h264 ts late": late,
    "h264 mp4 edited": edited,
    "h264 avi": video(extension="avi", options={"bf": "0", **CLOSED}),
    "hevc mp4": video("libx265", extension="mp4", options=HEVC),
    "hevc ts": video("libx265", extension="ts", options=HEVC),
    "vp9 webm": video("libvpx-vp9", extension="webm", options=VP9),
    "mpeg2 ts": video("mpeg2video", extension="ts", options=MPEG2),
    "mpeg2 mkv": video("mpeg2video", extension="mkv", options=MPEG2),
    "ffv1 mkv": video("ffv1", extension="mkv"),
    "mjpeg avi": video("mjpeg", extension="avi", pixel_format="yuvj420p"),
    "mjpeg mov": video("mjpeg", extension="mov", pixel_format="yuvj420p"),
    "uneven mp4": video(
        extension="mp4", options=OPEN, pts=UNEVEN, time_base=Fraction(1, 12800)
    ),
    "uneven mkv": video(
        extension="mkv", options=OPEN, pts=UNEVEN, time_base=Fraction(1, 12800)
    ),
    "interlaced mp4": interlaced("mp4"),
    "interlaced ts": interlaced("ts"),
}  # fmt: skip

READ = {
    "h264 refreshed": video(extension="mp4", options=REFRESHED),
    "h264 avi with b-frames": video(extension="avi", options=OPEN),
    "h264 raw": video(extension="h264", options=CLOSED, container_format="h264"),
    "h264 one group": video(extension="mp4", options={"g": "1000", "sc_threshold": "0"}),
    "hevc raw": video("libx265", extension="hevc", options=HEVC),
    "h264 flv": video(extension="flv", options=OPEN),
    "mpeg2 mpg": video("mpeg2video", extension="mpg", options=MPEG2),
    "gif": animation,
}


@pytest.mark.parametrize("name", SOUGHT)
def test_frames_from_a_place_on_are_those_of_the_whole(
    tmp_path: Path, count: list[int], name: str
) -> None:
    path = SOUGHT[name](tmp_path)
    with Reader(path) as reader:
        everything = whole(reader, count)
    assert everything.damage is None
    total = len(everything.frames)
    saved = 0
    for number in NUMBERS:
        if number >= total:
            continue
        place = everything.places[number]
        assert place is not None
        with Reader(path) as reader:
            part = since(reader, place, count)
        assert_same(part.frames, everything.frames[number:])
        assert part.damage is None
        saved += part.decoded < everything.decoded - GROUP
    assert saved >= 3


@pytest.mark.parametrize("name", READ)
def test_where_nothing_can_be_sought_all_is_read(
    tmp_path: Path, count: list[int], name: str
) -> None:
    path = READ[name](tmp_path)
    with Reader(path) as reader:
        everything = whole(reader, count)
    for number in NUMBERS[1::3]:
        place = everything.places[number]
        if place is None:
            continue
        with Reader(path) as reader:
            part = since(reader, place, count)
        assert_same(part.frames, everything.frames[number:])
        assert part.decoded >= everything.decoded


@pytest.mark.parametrize("extension", ["mp4", "mkv", "ts"])
def test_a_part_of_a_file_has_places_too(tmp_path: Path, count: list[int], extension: str) -> None:
    path = video(extension=extension, options=OPEN)(tmp_path)
    start, end = Fraction(30, 25), Fraction(90, 25)
    with Reader(path, start=start, end=end) as reader:
        everything = whole(reader, count)
    assert len(everything.frames) == 60
    for number in (1, 20, 47, 59):
        place = everything.places[number]
        assert place is not None
        with Reader(path, start=start, end=end) as reader:
            assert_same(since(reader, place, count).frames, everything.frames[number:])


@pytest.mark.parametrize("mode", ["auto", "on", "off"])
@pytest.mark.parametrize("first", ["interlaced", "progressive"])
def test_every_frame_is_deinterlaced_as_in_a_whole_read(
    tmp_path: Path, count: list[int], mode: Deinterlace, first: str
) -> None:
    """Of two parts only one is flagged as interlaced, as in a recording from the air."""
    flags = (True, False) if first == "interlaced" else (False, True)
    path = joined(
        [
            write_video(
                tmp_path / f"{flag}.ts", woven(24, 8), size=(WIDTH, HEIGHT), codec="mpeg2video",
                interlaced=flag, options=MPEG2, time_base=PACE,
            )
            for flag in flags
        ],
        tmp_path / "a.mkv",
    )  # fmt: skip
    with Reader(path, deinterlace=mode) as reader:
        everything = whole(reader, count)
    assert len(everything.frames) == 48
    for number in (18, 23, 24, 25, 40):
        place = everything.places[number]
        assert place is not None
        with Reader(path, deinterlace=mode) as reader:
            part = since(reader, place, count)
        assert_same(part.frames, everything.frames[number:])


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_captions_come_with_the_same_frames(tmp_path: Path, count: list[int], codec: str) -> None:
    path = tmp_path / "a.ts"
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options=MPEG2)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index, planes in enumerate(scenes()):
            frame = with_captions(as_av_frame(planes, 64, 48, "yuv420p"), said(index % 20))
            frame.pts, frame.time_base = index, PACE
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with Reader(path) as reader:
        everything = whole(reader, count)
    assert everything.frames[50].captions == said(10)
    place = everything.places[50]
    assert place is not None
    with Reader(path) as reader:
        part = since(reader, place, count)
    assert_same(part.frames, everything.frames[50:])
    assert part.decoded < 70


def test_images_are_read_from_their_number_on(tmp_path: Path) -> None:
    with Reader(images(tmp_path), start=Fraction(5, 25)) as reader:
        frames = list(reader)
        place = reader.place_of(60, frames[59], frames[60])
        assert place is not None
        for path in sorted(tmp_path.iterdir())[:60]:
            path.write_bytes(b"nothing")
        assert_same(list(reader.since(place)), frames[60:])


def noisy(extension: str) -> Callable[[Path], Path]:
    """A video with a few bytes changed in the middle."""

    def make(folder: Path) -> Path:
        sound = write_video(
            folder / f"a.{extension}", scenes((96, 80)), size=(96, 80), options=CLOSED
        )
        return with_noise(sound, folder / f"b.{extension}", at=0.4, count=60)

    return make


def cut_off(extension: str) -> Callable[[Path], Path]:
    """A video of which the end is missing."""

    def make(folder: Path) -> Path:
        options = {"movflags": "faststart"} if extension == "mp4" else {}
        sound = write_video(
            folder / f"a.{extension}", scenes(), options=CLOSED, container_options=options
        )
        return truncated(sound, folder / f"b.{extension}", keep=0.8)

    return make


def with_a_seam(folder: Path) -> Path:
    """Two transport streams, one after the other: the packet between them is counted as corrupt."""
    path = write_video(folder / "a.ts", scenes(count=48), options=CLOSED, time_base=PACE)
    later = remux(path, folder / "b.ts", shift=Fraction(48, 25))
    path.write_bytes(path.read_bytes() + later.read_bytes())
    return path


DAMAGED = {
    "noise mp4": noisy("mp4"),
    "noise mkv": noisy("mkv"),
    "end mp4": cut_off("mp4"),
    "end mkv": cut_off("mkv"),
    "seam ts": with_a_seam,
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_told_as_in_a_whole_read(tmp_path: Path, count: list[int], name: str) -> None:
    path = DAMAGED[name](tmp_path)
    with Reader(path) as reader:
        everything = whole(reader, count)
    assert everything.damage is not None
    saved = 0
    for number in (33, 46, 57, 66):
        place = everything.places[number]
        assert place is not None
        with Reader(path) as reader:
            part = since(reader, place, count)
        assert_same(part.frames, everything.frames[number:])
        assert part.damage == everything.damage
        saved += part.decoded < everything.decoded - GROUP
    assert saved >= 3  # what is repaired of a keyframe has another look after another frame


def test_what_was_not_opaque_before_a_place_is_known(tmp_path: Path, count: list[int]) -> None:
    opaque = [(*picture(index), np.full((48, 64), 255, np.uint8)) for index in range(40)]
    opaque[3] = (*opaque[3][:3], np.zeros((48, 64), np.uint8))
    path = write_video(tmp_path / "a.mkv", opaque, pixel_format="yuva420p", codec="ffv1")
    with Reader(path) as reader:
        everything = whole(reader, count)
    place = everything.places[30]
    assert place is not None
    with Reader(path) as reader:
        assert len(since(reader, place, count).frames) == 10
        assert reader.transparent


def test_a_clock_that_begins_anew_has_no_places(tmp_path: Path, count: list[int]) -> None:
    """Black frames all through: one cannot be told from another."""
    black = tuple(np.full_like(plane, 128) for plane in picture(0))
    part = write_video(tmp_path / "part.ts", [black] * COUNT, options=CLOSED, time_base=PACE)
    path = tmp_path / "a.ts"
    path.write_bytes(part.read_bytes() * 2)
    with Reader(path) as reader:
        everything = whole(reader, count)
    assert len(everything.frames) == 2 * COUNT
    assert everything.places[COUNT + 2 :] == [None] * (COUNT - 2)
    place = everything.places[60]
    assert place is not None
    with Reader(path) as reader:
        assert_same(list(reader.since(place)), everything.frames[60:])


def test_instants_that_are_filled_in_have_no_places(tmp_path: Path, count: list[int]) -> None:
    path = write_video(
        tmp_path / "a.mkv", scenes(), pts=range(0, 5 * COUNT, 5), options={"bf": "0", **CLOSED}
    )
    with Reader(path) as reader:
        everything = whole(reader, count)
    assert len({frame.pts for frame in everything.frames}) == COUNT
    for place in everything.places[40:60]:
        if place is not None:
            with Reader(path) as reader:
                assert_same(list(reader.since(place)), everything.frames[place.frame :])


def test_another_frame_with_the_same_pts_is_not_taken_for_it(
    tmp_path: Path, count: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    path = video(extension="mp4", options=CLOSED)(tmp_path)
    with Reader(path) as reader:
        everything = whole(reader, count)
    place = everything.places[60]
    assert place is not None
    with caplog.at_level(logging.INFO), Reader(path) as reader:
        part = since(reader, replace(place, checksum=place.checksum ^ 1), count)
    assert_same(part.frames, everything.frames[60:])
    assert part.decoded > everything.decoded
    assert caplog.messages == [f"{path} cannot be sought; it is read from its beginning"]
