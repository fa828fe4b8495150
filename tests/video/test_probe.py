"""What a file says of itself, and files that say nothing good."""

from __future__ import annotations

import json
import os
import re
from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.video.media import remux, truncated, write_video
from upreel.errors import MediaError
from upreel.video.frame import ColorTags, PixelLayout
from upreel.video.hdr import Hdr
from upreel.video.probe import VideoInfo, describe, probe

HDR10 = (
    "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):"
    "max-cll=1000,400:hdr10=1:log-level=none:pools=1"
)


def video_of(path: Path) -> VideoInfo:
    video = probe(path).video
    assert video is not None
    return video


def test_a_file_is_described(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "a.mkv", 10, audio=True, subtitles=True, attachment=b"font", chapters=True,
        metadata={"title": "A walk"},
    )  # fmt: skip
    info = probe(path)
    assert info.path == path
    assert info.container == "matroska,webm"
    assert info.size_bytes == path.stat().st_size
    assert info.metadata["title"] == "A walk"
    assert [(part.start, part.end, part.title) for part in info.chapters] == [
        (0, Fraction(1, 5), "One"),
        (Fraction(1, 5), Fraction(2, 5), "Two"),
    ]
    assert [(stream.kind, stream.codec, stream.language) for stream in info.streams] == [
        ("video", "h264", None),
        ("audio", "aac", "deu"),
        ("subtitle", "subrip", "eng"),
        ("attachment", None, None),
    ]
    assert [stream.detail for stream in info.streams] == [
        "64x48 yuv420p", "48000 Hz mono", "", "font.ttf application/x-truetype-font",
    ]  # fmt: skip
    assert info.streams[0].duration == Fraction(2, 5)


def test_a_video_is_described(tmp_path: Path) -> None:
    video = video_of(
        write_video(
            tmp_path / "a.mp4", 10, rotation=90, sample_aspect_ratio=Fraction(4, 3),
            color=(1, 1, 1, 1), options={"x264-params": "chromaloc=2"},
        )
    )  # fmt: skip
    assert (video.codec, video.width, video.height) == ("h264", 64, 48)
    assert video.layout == PixelLayout("yuv", 8, (2, 2))
    assert video.colors == ColorTags("tv", "bt709", "bt709", "bt709", "topleft")
    assert video.sample_aspect_ratio == Fraction(4, 3)
    assert video.rotation == 90
    assert video.frame_rate == 25
    assert video.time_base == Fraction(1, 12800)
    assert video.frames == 10
    assert video.duration == Fraction(2, 5)
    assert not video.interlaced
    assert video.hdr is None


def test_what_is_not_said_is_none(tmp_path: Path) -> None:
    video = video_of(write_video(tmp_path / "a.mkv", 3, codec="ffv1"))
    assert video.colors == ColorTags()
    assert video.sample_aspect_ratio is None
    assert video.frames is None


@pytest.mark.parametrize(("rotation", "expected"), [(90, 90), (180, -180), (-90, -90), (0, 0)])
def test_rotation_is_what_the_display_matrix_says(
    tmp_path: Path, rotation: int, expected: int
) -> None:
    assert video_of(write_video(tmp_path / "a.mp4", 2, rotation=rotation)).rotation == expected


@pytest.mark.parametrize(
    ("color", "tags"),
    [
        ((2, 5, 5, 6), ("pc", "bt470bg", "bt470bg", "smpte170m")),
        ((1, 9, 9, 16), ("tv", "bt2020nc", "bt2020", "smpte2084")),
        ((1, 9, 9, 18), ("tv", "bt2020nc", "bt2020", "arib-std-b67")),
    ],
)
def test_colour_tags_have_the_names_of_ffmpeg(
    tmp_path: Path, color: tuple[int, int, int, int], tags: tuple[str, ...]
) -> None:
    colors = video_of(write_video(tmp_path / "a.mp4", 2, color=color)).colors
    assert (colors.range, colors.matrix, colors.primaries, colors.transfer) == tags


def test_full_range_of_jpeg_formats_is_a_tag(tmp_path: Path) -> None:
    video = video_of(write_video(tmp_path / "a.mkv", 2, codec="mjpeg", pixel_format="yuvj420p"))
    assert video.pixel_format == "yuvj420p"
    assert video.layout == PixelLayout("yuv", 8, (2, 2))
    assert video.colors.range == "pc"


def test_hdr10_side_data_are_read(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "a.mp4", 8, pixel_format="yuv420p10le", codec="libx265",
        options={"x265-params": HDR10}, color=(1, 9, 9, 16),
    )  # fmt: skip
    fifty_thousandth = Fraction(1, 50000)
    assert video_of(path).hdr == Hdr(
        red=(34000 * fifty_thousandth, 16000 * fifty_thousandth),
        green=(13250 * fifty_thousandth, 34500 * fifty_thousandth),
        blue=(7500 * fifty_thousandth, 3000 * fifty_thousandth),
        white=(15635 * fifty_thousandth, 16450 * fifty_thousandth),
        min_luminance=Fraction(50, 10000),
        max_luminance=Fraction(1000),
        max_cll=1000,
        max_fall=400,
    )


@pytest.mark.parametrize(("bottom_first", "expected"), [(False, "top"), (True, "bottom")])
def test_interlaced_video_says_which_field_comes_first(
    tmp_path: Path, bottom_first: bool, expected: str
) -> None:
    path = write_video(tmp_path / "a.mp4", 3, interlaced=True, bottom_first=bottom_first)
    video = video_of(path)
    assert video.interlaced
    assert video.field_order == expected


def test_the_description_is_plain_json(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "a.mp4", 5, chapters=True, rate=Fraction(30000, 1001),
        time_base=Fraction(1, 30000),
    )  # fmt: skip
    info = probe(path)
    read = json.loads(json.dumps(describe(info)))
    assert read["video"]["frame_rate"] == "30000/1001"
    assert read["video"]["layout"] == {
        "family": "yuv", "bits": 8, "subsample": [2, 2], "alpha": False,
    }  # fmt: skip
    assert read["chapters"][1]["title"] == "Two"
    assert read["path"] == str(info.path)


def test_metadata_that_is_not_unicode_is_no_error(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", 2, metadata={"title": "Grosse Reise"})
    path.write_bytes(path.read_bytes().replace(b"Grosse", b"Gro\xdfe "))
    assert probe(path).metadata["title"] == "Gro\N{REPLACEMENT CHARACTER}e  Reise"


def refused(path: Path, words: str) -> None:
    with pytest.raises(MediaError, match=f"^{re.escape(str(path))}.*{words}") as caught:
        probe(path)
    assert "\n" not in str(caught.value)


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "none.mp4", "does not exist; give the path of a video file")
    refused(tmp_path, "is a folder")
    refused(Path(os.devnull), "is not a regular file")
    (empty := tmp_path / "empty.mp4").touch()
    refused(empty, r"is empty \(0 bytes\)")
    (noise := tmp_path / "noise.mp4").write_bytes(os.urandom(5000))
    refused(noise, "is not a video that FFmpeg can read")
    (text := tmp_path / "text.txt").write_text("Not a video.\n" * 100)
    refused(text, "is not a video that FFmpeg can read")
    whole = write_video(tmp_path / "whole.mp4", 30)
    refused(truncated(whole, tmp_path / "cut.mp4"), "is not a video .*complete")


@pytest.mark.parametrize(
    "text",
    ["#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.mp4\n", "ffconcat version 1.0\nfile a.mp4\n"],
)
def test_lists_of_other_files_are_refused(tmp_path: Path, text: str) -> None:
    write_video(tmp_path / "a.mp4", 3)
    for name in ("list.m3u8", "list.txt", "list.mp4"):
        path = tmp_path / name
        path.write_text(text)
        refused(path, "is a playlist of other files")
        path.write_text("\n" + text)
        refused(path, "is not a video that FFmpeg can read")


def test_encrypted_files_are_refused(tmp_path: Path) -> None:
    path = remux(
        write_video(tmp_path / "clear.mp4", 5),
        tmp_path / "secret.mp4",
        container_options={
            "encryption_scheme": "cenc-aes-ctr", "encryption_key": "00" * 16,
            "encryption_kid": "11" * 16,
        },
    )  # fmt: skip
    with pytest.raises(MediaError, match="is encrypted; upreel needs a file without DRM"):
        probe(path)


def test_frames_that_are_too_large_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "a.mkv", 1, size=(512, 512), pixel_format="gray", codec="rawvideo"
    )
    width, height = (element + b"\x82" for element in (b"\xb0", b"\xba"))  # of Matroska
    sizes = width + (512).to_bytes(2, "big"), height + (512).to_bytes(2, "big")
    assert all(path.read_bytes().count(size) == 1 for size in sizes)
    wide = path.read_bytes().replace(sizes[0], width + (20000).to_bytes(2, "big"))
    (tmp_path / "wide.mkv").write_bytes(wide)
    refused(tmp_path / "wide.mkv", "is 20000x512; at most 16384x16384 can be read")
    (tmp_path / "huge.mkv").write_bytes(wide.replace(sizes[1], height + (20000).to_bytes(2, "big")))
    with pytest.raises(MediaError, match=r"huge\.mkv .*is unknown or above 67108864 pixels"):
        probe(tmp_path / "huge.mkv")


def test_a_video_of_one_pixel_is_one(tmp_path: Path) -> None:
    video = video_of(write_video(tmp_path / "a.mkv", 1, size=(1, 1), codec="ffv1"))
    assert (video.width, video.height) == (1, 1)


def test_sound_alone_has_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.mka"
    with (
        av.open(str(write_video(tmp_path / "a.mkv", 5, audio=True))) as source,
        av.open(str(path), "w", format="matroska") as out,
    ):
        stream = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    info = probe(path)
    assert info.video is None
    assert [stream.kind for stream in info.streams] == ["audio"]
