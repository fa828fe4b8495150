from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from av.sidedata.sidedata import SideData, Type

from tests.video.media import decoded, write_video
from tests.video.rewriting import (
    frame_planes,
    frame_times,
    of_kind,
    rewrite,
    tracks,
)
from upreel.errors import UsageError
from upreel.video.encoding import Encoding
from upreel.video.image_writer import ImageWriter
from upreel.video.reader import Reader
from upreel.video.writer import Writer, check_target, open_writer

FFV1 = Encoding("ffv1", threads=1)
# Two frames a ninetieth of a millisecond apart, a long pause, and B-frames over all of it.
UNEVEN = [0, 3000, 4500, 9001, 9002, 20000, 30000, 31000, 34003, 35000, 36001, 90000]
LASTING = [b - a for a, b in pairwise(UNEVEN)] + [4321]
NINETY = Fraction(1, 90000)


def uneven(path: Path, *, first: int = 0, codec: str = "libx264") -> Path:
    return write_video(
        path,
        len(UNEVEN),
        codec=codec,
        pts=[first + pts for pts in UNEVEN],
        durations=LASTING,
        time_base=NINETY,
        container_options={"movie_timescale": "90000"},
    )


@pytest.mark.parametrize("first", [0, 1805])
@pytest.mark.parametrize("extension", [".mp4", ".mov"])
def test_uneven_instants_are_identical(tmp_path: Path, extension: str, first: int) -> None:
    source = uneven(tmp_path / "in.mp4", first=first)
    target = rewrite(source, tmp_path / f"out{extension}", encoding=Encoding(threads=1))
    expected = [(first + pts) * NINETY for pts in UNEVEN]
    assert frame_times(source) == expected
    assert frame_times(target) == expected
    with av.open(str(target)) as container:  # B-frames make this hard: there have to be some
        assert container.streams.video[0].codec_context.has_b_frames


def test_durations_are_kept(tmp_path: Path) -> None:
    source = uneven(tmp_path / "in.mp4", codec="ffv1")
    target = rewrite(source, tmp_path / "out.mp4", encoding=FFV1)
    assert of_kind(target, "video")[0].durations == [ticks * NINETY for ticks in LASTING]


def test_matroska_rounds_to_milliseconds_and_keeps_frames_apart(tmp_path: Path) -> None:
    source = uneven(tmp_path / "in.mp4")
    times = frame_times(rewrite(source, tmp_path / "out.mkv"))
    # 9001 and 9002 are both 100 ms.
    milliseconds = [0, 33, 50, 100, 101, 222, 333, 344, 378, 389, 400, 1000]
    assert times == [Fraction(value, 1000) for value in milliseconds]


def test_sixty_frames_a_second_do_not_collide_in_matroska(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 30, rate=Fraction(60000, 1001))
    times = frame_times(rewrite(source, tmp_path / "out.mkv"))
    exact = [index * Fraction(1001, 60000) for index in range(30)]
    assert len(set(times)) == 30
    assert max(abs(a - b) for a, b in zip(times, exact, strict=True)) <= Fraction(1, 1000)


@pytest.mark.parametrize(
    "pixel_format", ["yuv420p", "yuv420p10le", "yuv422p", "yuv444p10le", "gray", "gbrp12le"]
)
def test_every_bit_of_every_frame_arrives(tmp_path: Path, pixel_format: str) -> None:
    source = write_video(tmp_path / "in.mkv", 7, codec="ffv1", pixel_format=pixel_format)
    target = rewrite(source, tmp_path / "out.mkv", encoding=FFV1)
    with av.open(str(target)) as container:
        assert container.streams.video[0].codec_context.pix_fmt == pixel_format
    before, after = frame_planes(source), frame_planes(target)
    assert len(before) == len(after) == 7
    for one, other in zip(before, after, strict=True):
        for plane, again in zip(one, other, strict=True):
            np.testing.assert_array_equal(plane, again)


def test_rgb_of_8_bits_arrives_unchanged(tmp_path: Path) -> None:
    options = {"x265-params": "lossless=1:log-level=error"}
    source = write_video(
        tmp_path / "in.mkv", 3, codec="libx265", pixel_format="gbrp", options=options
    )
    with av.open(str(rewrite(source, tmp_path / "out.mkv", encoding=FFV1))) as container:
        after = [frame.to_ndarray(format="gbrp") for frame in container.decode(video=0)]
    with av.open(str(source)) as container:
        before = [frame.to_ndarray(format="gbrp") for frame in container.decode(video=0)]
    np.testing.assert_array_equal(after, before)


def test_the_last_frames_are_not_lost_to_the_encoder(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 50)
    target = rewrite(source, tmp_path / "out.mp4", encoding=Encoding(preset="medium", threads=1))
    assert len(frame_times(target)) == 50
    last, again = decoded(source)[-1], decoded(target)[-1]
    error = last[1][0].astype(float) - again[1][0]
    assert np.mean(error**2) < 9  # it is this frame, not an earlier one


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_frames_are_a_video(tmp_path: Path, count: int, pixel_format: str) -> None:
    source = write_video(tmp_path / "in.mkv", count, codec="ffv1", pixel_format=pixel_format)
    for extension in (".mp4", ".mkv"):
        times = frame_times(rewrite(source, tmp_path / f"out{extension}"))
        assert times == [Fraction(index, 25) for index in range(count)]


@pytest.mark.parametrize("extension", [".mp4", ".mkv", ".mov"])
def test_aspect_rotation_and_colours_are_kept(tmp_path: Path, extension: str) -> None:
    source = write_video(
        tmp_path / "in.mp4",
        3,
        sample_aspect_ratio=Fraction(16, 15),
        rotation=90,
        color=(2, 5, 5, 6),
    )
    target = rewrite(source, tmp_path / f"out{extension}")
    with av.open(str(target)) as container:
        stream = container.streams.video[0]
        frame = next(container.decode(stream))
        assert stream.sample_aspect_ratio == Fraction(16, 15)
        assert frame.rotation == 90
        found = (frame.color_range, frame.colorspace, frame.color_primaries, frame.color_trc)
        assert [int(value) for value in found] == [2, 5, 5, 6]


@pytest.mark.parametrize(("degrees", "hflip"), [(0, True), (90, True), (-90, True), (180, False)])
def test_mirrors_stay_mirrors(tmp_path: Path, degrees: int, hflip: bool) -> None:
    """Cameras that face their owner write them."""
    plain = write_video(tmp_path / "plain.mp4", 2)
    with av.open(str(plain)) as read, av.open(str(tmp_path / "in.mp4"), "w") as out:
        stream = out.add_stream_from_template(read.streams.video[0])
        stream.set_display_rotation(degrees, hflip=hflip)
        for packet in read.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    target = rewrite(tmp_path / "in.mp4", tmp_path / "out.mp4")
    assert display_matrix(target) == display_matrix(tmp_path / "in.mp4")


def display_matrix(path: Path) -> bytes:
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        data = frame.side_data[Type.DISPLAYMATRIX]  # type: ignore[typeddict-item]
        return bytes(cast(SideData, data))


@pytest.mark.parametrize("extension", [".mkv", ".webm"])
def test_an_aspect_that_cannot_be_said_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, extension: str
) -> None:
    source = write_video(tmp_path / "in.mp4", 2, sample_aspect_ratio=Fraction(4, 3))
    rewrite(source, tmp_path / f"out{extension}", encoding=Encoding("av1", threads=1))
    assert "Pixels are 4/3 as wide as high" in caplog.text


@pytest.mark.parametrize(
    ("encoding", "codec", "pixel_format"),
    [
        (Encoding(threads=1, preset="ultrafast"), "hevc", "yuv420p10le"),
        (Encoding("h264", threads=1), "h264", "yuv420p10le"),
        (Encoding("av1", threads=1), "av1", "yuv420p10le"),
    ],
)
def test_hdr10_is_kept(tmp_path: Path, encoding: Encoding, codec: str, pixel_format: str) -> None:
    parameters = (
        "log-level=error:chromaloc=2:max-cll=1000,400:"
        "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    )
    source = write_video(
        tmp_path / "in.mp4",
        3,
        codec="libx265",
        pixel_format="yuv420p10le",
        options={"preset": "ultrafast", "x265-params": parameters},
        color=(1, 9, 9, 16),
    )
    target = rewrite(source, tmp_path / "out.mkv", encoding=encoding)

    def light(path: Path) -> tuple[bytes, np.ndarray[tuple[int], np.dtype[np.float64]]]:
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
            sides = cast("list[SideData]", list(frame.side_data))
            data = {side.type.name: bytes(side) for side in sides}
            pairs = np.frombuffer(data["MASTERING_DISPLAY_METADATA"][:80], np.int32).reshape(10, 2)
            return data["CONTENT_LIGHT_LEVEL"][:8], pairs[:, 0] / pairs[:, 1]

    with av.open(str(target)) as container:
        context = container.streams.video[0].codec_context
        assert context.codec.canonical_name == codec
        frame = next(container.decode(video=0))
        assert frame.format.name == pixel_format
        assert [int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc)] == [
            9,
            9,
            16,
        ]
    (light_before, display_before), (light_after, display_after) = light(source), light(target)
    assert light_before == light_after
    np.testing.assert_allclose(display_after, display_before, rtol=3e-3)  # AV1 has coarse units


def test_lost_hdr10_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = write_video(
        tmp_path / "in.mp4",
        3,
        codec="libx265",
        pixel_format="yuv420p10le",
        options={"preset": "ultrafast", "x265-params": "log-level=error:max-cll=1000,400"},
    )
    rewrite(source, tmp_path / "out.mkv", encoding=FFV1)
    assert "HDR10 metadata is left out: the encoder ffv1 writes none" in caplog.text


def test_hevc_in_mp4_is_marked_as_apple_wants_it(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mkv", 2, codec="ffv1", pixel_format="yuv420p10le")
    with av.open(str(rewrite(source, tmp_path / "out.mp4"))) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


def test_odd_sizes_lose_their_last_row_and_column(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = write_video(
        tmp_path / "in.mkv", 3, size=(63, 47), codec="ffv1", options={"level": "3"}
    )
    target = rewrite(source, tmp_path / "out.mkv", encoding=FFV1)
    assert caplog.text.count("63x47 is made even, 62x46") == 1
    before, after = frame_planes(source), frame_planes(target)
    np.testing.assert_array_equal(after[2][0], before[2][0][:46, :62])
    np.testing.assert_array_equal(after[2][1], before[2][1][:23, :31])


def test_odd_sizes_stay_where_chroma_is_whole(tmp_path: Path) -> None:
    source = write_video(
        tmp_path / "in.mkv", 2, size=(63, 47), codec="ffv1", pixel_format="yuv444p"
    )
    with av.open(str(rewrite(source, tmp_path / "out.mp4"))) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.pix_fmt) == (63, 47, "yuv444p")


def test_the_cut_begins_at_zero_and_stays_in_sync(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 100, audio=True, chapters=True)
    target = rewrite(source, tmp_path / "out.mp4", start=Fraction(1), end=Fraction(2))
    assert frame_times(target) == [Fraction(index, 25) for index in range(25)]
    before, after = of_kind(source, "audio")[0], of_kind(target, "audio")[0]
    shifted = {
        data: pts - 1 for data, pts in zip(before.data, before.pts, strict=True) if 1 <= pts < 2
    }
    assert len(after.data) == len(shifted) == 47
    for data, pts in zip(after.data, after.pts, strict=True):
        assert pts == shifted[data]


def test_a_clock_that_starts_anywhere_is_set_to_zero(tmp_path: Path) -> None:
    source = write_video(
        tmp_path / "in.ts", 10, audio=True, container_options={"output_ts_offset": "5000"}
    )
    target = rewrite(source, tmp_path / "out.mp4")
    before, after = frame_times(source), frame_times(target)
    assert before[0] >= 5000 and 0 <= after[0] < 1
    assert {b - a for a, b in zip(after, before, strict=True)} == {before[0] - after[0]}
    sound, again = of_kind(source, "audio")[0], of_kind(target, "audio")[0]
    late = (again.pts[3] - after[0]) - (sound.pts[3] - before[0])
    assert abs(late) <= Fraction(1, 48000)


def test_streams_are_interleaved_in_the_file(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 150, audio=True)
    target = rewrite(source, tmp_path / "out.mp4")
    with av.open(str(target)) as container:
        packets = sorted(
            (packet.pos or 0, packet.stream.type, float(packet.dts * packet.time_base))
            for packet in container.demux()
            if packet.size and packet.dts is not None
        )
    latest = {"video": 0.0, "audio": 0.0}
    for _, kind, time in packets:
        latest[kind] = time
        assert abs(latest["video"] - latest["audio"]) < 1.1


def test_a_frame_of_another_size_is_refused(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 2)
    with (
        Reader(source) as reader,
        Writer(tmp_path / "out.mp4", source=reader, size=(128, 96)) as writer,
        pytest.raises(ValueError, match=r"a frame of 128x96 .* was expected, found 64x48"),
    ):
        writer.write(next(iter(reader)))


def test_stretched_pictures_get_other_pixels(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 1, sample_aspect_ratio=Fraction(4, 3))
    with (
        Reader(source) as reader,
        Writer(tmp_path / "out.mp4", source=reader, size=(32, 48)) as writer,
    ):
        frame = next(iter(reader))
        halves = tuple(plane[:, ::2] for plane in frame.planes)
        writer.write(frame.with_planes(halves, frame.layout))
        writer.finish()
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(8, 3)


def test_the_name_decides_who_writes(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 1)
    with Reader(source) as reader:
        for name, kind in (("a.mkv", Writer), ("a.png", ImageWriter), ("a", ImageWriter)):
            assert isinstance(open_writer(tmp_path / name, source=reader, size=(64, 48)), kind)


def test_settings_that_an_encoder_refuses_are_found_early(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 1)

    def check(name: str, encoding: Encoding) -> None:
        check_target(tmp_path / name, source, overwrite=False, encoding=encoding)

    with pytest.raises(UsageError, match=r"libx264 refuses .*preset quick"):
        check("out.mp4", Encoding(preset="quick"))
    with pytest.raises(UsageError, match="ffv1 knows no crf"):
        check("out.mkv", Encoding("ffv1", crf=12))
    with pytest.raises(UsageError, match=r"A video ends in .*not in '\.avi'"):
        check("out.avi", Encoding())
    check("out.mp4", Encoding(crf=30, preset="slow"))
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_sound_can_be_left_out(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 5, audio=True, subtitles=True)
    target = rewrite(source, tmp_path / "out.mp4", audio=False)
    assert [track.kind for track in tracks(target)] == ["video", "subtitle"]
