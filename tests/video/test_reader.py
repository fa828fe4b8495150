"""Every frame of every kind of file, at its own instant."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from tests.video.media import (
    Arrays,
    decoded,
    pictures,
    remux,
    truncated,
    with_noise,
    write_video,
)
from upreel.errors import MediaError
from upreel.video.frame import Frame, PixelLayout
from upreel.video.reader import Reader

LOSSLESS = {"qp": "0"}
UNEVEN = [0, 512, 700, 2048, 2500, 3000, 3001, 9000]
OPEN_GOP = {"x264-params": "open-gop=1:keyint=8:min-keyint=8:bframes=3:b-adapt=0:scenecut=0"}


def frames_of(
    path: Path, *, start: Fraction | None = None, end: Fraction | None = None
) -> list[Frame]:
    with Reader(path, start=start, end=end) as reader:
        frames = list(reader)
        assert reader.damage is None
    return frames


def assert_planes(found: Sequence[Frame], expected: Sequence[Arrays]) -> None:
    assert len(found) == len(expected)
    for frame, arrays in zip(found, expected, strict=True):
        for one, other in zip(frame.planes, arrays, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("extension", ["mp4", "mkv", "ts", "mov", "flv"])
@pytest.mark.parametrize("options", [{}, OPEN_GOP, {"bf": "0"}], ids=["b-frames", "open", "none"])
def test_every_frame_comes_once_and_in_order(
    tmp_path: Path, extension: str, options: dict[str, str]
) -> None:
    path = write_video(tmp_path / f"a.{extension}", 30, options=options)
    frames = frames_of(path)
    reference = decoded(path)
    assert len(frames) == 30
    assert [frame.pts for frame in frames] == [pts for pts, _ in reference]
    assert_planes(frames, [arrays for _, arrays in reference])
    instants = [
        frame.pts * frame.time_base - frames[0].pts * frames[0].time_base for frame in frames
    ]
    for index, instant in enumerate(instants):
        assert abs(instant - Fraction(index, 25)) <= Fraction(1, 1000)


def test_pts_of_a_variable_frame_rate_are_those_that_were_muxed(tmp_path: Path) -> None:
    frames = frames_of(write_video(tmp_path / "a.mp4", len(UNEVEN), pts=UNEVEN))
    assert [frame.pts for frame in frames] == UNEVEN
    assert {frame.time_base for frame in frames} == {Fraction(1, 12800)}
    lasting = [later - earlier for earlier, later in pairwise(UNEVEN)]
    assert [frame.duration for frame in frames][:-1] == lasting


def test_matroska_rounds_pts_to_milliseconds(tmp_path: Path) -> None:
    frames = frames_of(write_video(tmp_path / "a.mkv", 5, pts=UNEVEN[:5]))
    assert [frame.pts for frame in frames] == [round(pts * 1000 / 12800) for pts in UNEVEN[:5]]


def test_the_last_frame_lasts_as_long_as_the_file_says(tmp_path: Path) -> None:
    pts, durations = [0, 512, 1024, 1536], [512, 512, 512, 3000]
    path = write_video(tmp_path / "a.mp4", 4, pts=pts, durations=durations, options={"bf": "0"})
    assert [frame.duration for frame in frames_of(path)] == durations


def test_no_two_frames_share_an_instant(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", 20, pts=range(0, 100, 5), options={"bf": "0"})
    pts = [frame.pts for frame in frames_of(path)]
    assert len(pts) == 20
    assert all(earlier < later for earlier, later in pairwise(pts))


@pytest.mark.parametrize(
    ("pixel_format", "layout"),
    [
        ("yuv420p", PixelLayout("yuv", 8, (2, 2))),
        ("yuv420p10le", PixelLayout("yuv", 10, (2, 2))),
        ("yuv422p10le", PixelLayout("yuv", 10, (2, 1))),
        ("yuv444p12le", PixelLayout("yuv", 12)),
        ("gray", PixelLayout("gray")),
        ("yuva420p", PixelLayout("yuv", 8, (2, 2), alpha=True)),
    ],
)
@pytest.mark.parametrize("size", [(64, 48), (65, 49), (1, 1)])
def test_all_bits_of_all_planes_arrive(
    tmp_path: Path, pixel_format: str, layout: PixelLayout, size: tuple[int, int]
) -> None:
    expected = list(pictures(3, *size, pixel_format=pixel_format))
    path = write_video(
        tmp_path / "a.mkv", expected, size=size, pixel_format=pixel_format, codec="ffv1"
    )
    with Reader(path) as reader:
        assert reader.video.layout == layout
        assert_planes(list(reader), expected)
    if layout.bits == 10:
        assert len(np.unique(expected[0][0] & 3)) > 1 or size == (1, 1)


def test_packed_colours_arrive_as_red_green_blue(tmp_path: Path) -> None:
    red, green, blue = (np.full((48, 64), value, np.uint8) for value in (200, 100, 50))
    arrays = (green, blue, red)  # the order of gbrp
    path = write_video(tmp_path / "a.avi", [arrays], pixel_format="gbrp", codec="utvideo")
    (frame,) = frames_of(path)
    assert frame.layout == PixelLayout("rgb")
    assert [int(plane[0, 0]) for plane in frame.planes] == [200, 100, 50]


def test_one_frame_is_a_video(tmp_path: Path) -> None:
    for extension in ("mp4", "mkv"):
        assert len(frames_of(write_video(tmp_path / f"a.{extension}", 1))) == 1


def test_an_edit_list_leaves_out_what_players_leave_out(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mp4", 10, options={"bf": "0", **LOSSLESS})
    path = remux(
        whole,
        tmp_path / "cut.mp4",
        shift=Fraction(-3, 25),
        container_options={"avoid_negative_ts": "disabled", "use_editlist": "1"},
    )
    frames = frames_of(path)
    assert [frame.pts for frame in frames] == [index * 512 for index in range(7)]
    assert_planes(frames, [arrays for _, arrays in decoded(whole)][3:])


def test_pts_that_the_file_leaves_out_are_filled_in(tmp_path: Path) -> None:
    raw = write_video(tmp_path / "a.h264", 12, container_format="h264")
    frames = frames_of(raw)
    assert [frame.pts * frame.time_base for frame in frames] == [Fraction(i, 25) for i in range(12)]


def test_avi_only_counts_its_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", 12, time_base=Fraction(1, 25))
    frames = frames_of(path)
    assert [frame.pts * frame.time_base for frame in frames] == [Fraction(i, 25) for i in range(12)]
    assert_planes(frames, [arrays for _, arrays in decoded(path)])


def test_the_decoder_is_flushed_where_the_video_is_not_the_first_stream(tmp_path: Path) -> None:
    both = write_video(tmp_path / "a.mp4", 30, audio=True)
    path = remux(both, tmp_path / "b.mp4", audio_first=True)
    with Reader(path) as reader:
        assert reader.video.index == 1
        assert len(list(reader)) == 30


def test_other_streams_do_not_disturb(tmp_path: Path) -> None:
    for extension in ("mp4", "mkv"):
        path = write_video(
            tmp_path / f"a.{extension}", 12, audio=True, subtitles=True, chapters=True
        )
        assert len(frames_of(path)) == 12


@pytest.mark.parametrize("options", [{}, OPEN_GOP], ids=["closed", "open"])
@pytest.mark.parametrize("extension", ["mp4", "mkv", "ts", "avi"])
def test_a_part_has_the_frames_of_the_whole(
    tmp_path: Path, extension: str, options: dict[str, str]
) -> None:
    path = write_video(
        tmp_path / f"a.{extension}", 100, size=(32, 32), options={"g": "8", **options},
        time_base=Fraction(1, 25),
    )  # fmt: skip
    whole = frames_of(path)
    zero = whole[0].pts * whole[0].time_base
    for first, last in ((0, 3), (7, 9), (41, 66), (60, 61), (97, 100)):
        part = frames_of(path, start=Fraction(first, 25), end=Fraction(last, 25))
        assert [frame.pts for frame in part] == [frame.pts for frame in whole[first:last]]
        assert_planes(part, [tuple(frame.planes) for frame in whole[first:last]])
        assert part[0].pts * part[0].time_base == zero + Fraction(first, 25)


def test_frames_between_two_instants(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 50, size=(32, 32))
    with Reader(path, start=Fraction(1, 2), end=Fraction(1)) as reader:
        assert reader.frames == 12
        # 0.52 is the first at or after half a second; 1.00 itself is left out.
        assert [float(frame.pts * frame.time_base) for frame in reader][::11] == [0.52, 0.96]
    assert frames_of(path, start=Fraction(9)) == []


def test_reading_can_begin_anew_and_end_early(tmp_path: Path) -> None:
    with Reader(write_video(tmp_path / "a.mp4", 12)) as reader:
        assert next(iter(reader)).pts == 0
        assert len(list(reader)) == len(list(reader)) == reader.frames == 12


def test_the_number_of_frames_is_estimated_where_it_is_not_written(tmp_path: Path) -> None:
    with Reader(write_video(tmp_path / "a.mkv", 12)) as reader:
        assert reader.video.frames is None
        assert reader.frames == 12


@pytest.mark.parametrize(
    ("extension", "words"),
    [
        ("mp4", r"\d+ of 60 frames are missing"),
        ("mkv", r"it ends after [01]\.\d of 2\.4 seconds"),
        ("flv", r"it ends after [01]\.\d of 2\.\d seconds"),
    ],
)
def test_a_truncated_file_gives_what_is_there_and_says_so(
    tmp_path: Path, extension: str, words: str
) -> None:
    options = {"movflags": "faststart"} if extension == "mp4" else {}
    whole = write_video(
        tmp_path / f"whole.{extension}", 60, size=(160, 120), container_options=options
    )
    path = truncated(whole, tmp_path / f"part.{extension}")
    with Reader(path) as reader:
        count = len(list(reader))
        assert 20 < count < 45
        assert reader.damage is not None
        assert re.search(f"is damaged: .*{words}", reader.damage)
    if extension == "mp4":  # all but those that are missing, the half one among them
        missing = re.search(r"(\d+) of 60", reader.damage)
        assert missing is not None
        assert 60 - int(missing[1]) - 1 <= count <= 60 - int(missing[1])


def test_corrupt_packets_are_passed_over_and_counted(tmp_path: Path) -> None:
    options = {"x265-params": "log-level=none:keyint=20"}
    whole = write_video(tmp_path / "whole.mp4", 60, size=(96, 80), codec="libx265", options=options)
    with Reader(with_noise(whole, tmp_path / "noise.mp4", count=60)) as reader:
        frames = list(reader)
        assert 40 < len(frames) < 60
        assert all(one.pts < other.pts for one, other in pairwise(frames))
        assert reader.damage is not None
        assert "corrupt packet" in reader.damage


@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_frames_that_the_decoder_repaired_are_kept_and_counted(
    tmp_path: Path, extension: str
) -> None:
    """A few bytes inside of a picture: its packet is whole, and FFmpeg flags what it made of it."""
    whole = write_video(tmp_path / f"whole.{extension}", 60, size=(96, 80), options={"g": "10"})
    path = with_noise(whole, tmp_path / f"noise.{extension}", count=60)
    with av.open(str(path)) as container:
        flags = [frame.is_corrupt for frame in container.decode(video=0)]
    assert len(flags) == 60
    count = sum(flags)
    assert 0 < count < 10
    with Reader(path) as reader:
        assert len(list(reader)) == 60
        assert reader.damage == (
            f"{path} is damaged: {count} frame{'s' if count > 1 else ''} decoded with errors"
        )


def test_a_picture_that_changes_its_size_is_brought_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    small = write_video(tmp_path / "small.h264", 4, size=(64, 48), container_format="h264")
    large = write_video(tmp_path / "large.h264", 4, size=(96, 80), container_format="h264")
    path = tmp_path / "both.h264"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    with caplog.at_level(logging.WARNING), Reader(path) as reader:
        sizes = [(frame.width, frame.height) for frame in reader]
    assert sizes == [(64, 48)] * 8
    assert [line for line in caplog.messages if "clock" not in line] == [
        "the video changes to 96x80 yuv420p at 0.16 s; it is brought back to 64x48 yuv420p"
    ]


def test_cover_art_is_not_the_video(tmp_path: Path) -> None:
    cover = tmp_path / "cover.png"
    with av.open(str(write_video(tmp_path / "one.mkv", 1, size=(16, 16)))) as container:
        next(container.decode(video=0)).save(str(cover))
    both = write_video(tmp_path / "a.mp4", 6, cover=cover.read_bytes())
    with Reader(both) as reader:
        assert reader.video.codec == "h264"
        assert len(list(reader)) == 6


def test_a_file_without_video_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=8000)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        out.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(MediaError, match=r"sound\.wav has no video stream \(only audio\)"):
        Reader(path).__enter__()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"nothing\.mp4 does not exist; give the path"):
        Reader(tmp_path / "nothing.mp4").__enter__()


@pytest.mark.parametrize("rate", [25, 30])
@pytest.mark.parametrize(("name", "codec"), [("a.264", "libx264"), ("a.hevc", "libx265")])
def test_a_raw_stream_says_which_rate_is_assumed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, codec: str, rate: int
) -> None:
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    path = write_video(
        tmp_path / name, 6, codec=codec, options=options, rate=Fraction(rate),
        time_base=Fraction(1, rate),
    )  # fmt: skip
    with Reader(path) as reader:
        times = [frame.pts * frame.time_base for frame in reader]
        assert reader.video.frame_rate == rate
    assert times == [Fraction(index, rate) for index in range(6)]
    assert caplog.messages == [
        f"{path} has no clock: {rate} frames per second are assumed, as its header says or by "
        "default."
    ]


def test_a_part_far_behind_its_keyframe(tmp_path: Path) -> None:
    options = {"g": "120", "keyint_min": "120", "sc_threshold": "0", "preset": "ultrafast"}
    whole = frames_of(write_video(tmp_path / "a.ts", 370, size=(32, 32), options=options))
    part = frames_of(tmp_path / "a.ts", start=Fraction(350, 25))
    assert [frame.pts for frame in part] == [frame.pts for frame in whole[350:]]
    assert_planes(part, [tuple(frame.planes) for frame in whole[350:]])
