from __future__ import annotations

import io

import av
import pytest

from upreel.errors import UsageError
from upreel.video.encoding import CONTAINERS, Encoding, holds, pixel_formats, plan
from upreel.video.frame import PixelLayout

YUV8 = PixelLayout("yuv", subsample=(2, 2))
YUV10 = PixelLayout("yuv", 10, (2, 2))


@pytest.mark.parametrize(
    ("extension", "source", "encoder", "pixel_format"),
    [
        (".mp4", YUV8, "libx264", "yuv420p"),
        (".MKV", YUV8, "libx264", "yuv420p"),
        (".mov", YUV10, "libx265", "yuv420p10le"),
        (".mkv", PixelLayout("yuv", 12, (2, 1)), "libx265", "yuv422p12le"),
        (".mp4", PixelLayout("yuv", 8, (1, 1)), "libx264", "yuv444p"),
        (".mp4", PixelLayout("yuv", 8, (4, 1)), "libx264", "yuv422p"),
        (".webm", YUV8, "libvpx-vp9", "yuv420p"),
        (".webm", YUV10, "libsvtav1", "yuv420p10le"),
        (".mp4", PixelLayout("rgb"), "libx264", "yuv420p"),
        (".mp4", PixelLayout("rgb", alpha=True), "libx264", "yuv420p"),
        (".mp4", PixelLayout("rgb", 16), "libx265", "yuv420p10le"),
        (".mp4", PixelLayout("gray"), "libx264", "gray"),
        (".webm", PixelLayout("gray"), "libvpx-vp9", "yuv420p"),
    ],
)
def test_defaults_suit_the_container_and_the_source(
    extension: str, source: PixelLayout, encoder: str, pixel_format: str
) -> None:
    chosen = plan(extension, Encoding(), source)
    assert (chosen.encoder.name, chosen.pixel_format) == (encoder, pixel_format)


@pytest.mark.parametrize(
    ("codec", "source", "pixel_format"),
    [
        ("ffv1", YUV10, "yuv420p10le"),
        ("ffv1", PixelLayout("rgb", 16), "gbrp16le"),
        ("ffv1", PixelLayout("rgb", 8, alpha=True), "bgra"),
        ("ffv1", PixelLayout("gray", 12), "gray12le"),
        ("prores", YUV8, "yuv422p10le"),
        ("prores", PixelLayout("rgb", 8), "yuv444p10le"),
        ("prores", PixelLayout("yuv", 10, (1, 1), alpha=True), "yuva444p10le"),
        ("av1", PixelLayout("yuv", 12, (1, 1)), "yuv420p10le"),
        ("hevc", PixelLayout("yuv", 8, (2, 2), alpha=True), "yuv420p"),
    ],
)
def test_a_codec_gets_the_nearest_format_that_it_takes(
    codec: str, source: PixelLayout, pixel_format: str
) -> None:
    assert plan(".mkv", Encoding(codec), source).pixel_format == pixel_format


def test_what_the_user_wishes_is_done() -> None:
    wish = Encoding("hevc", crf=30, preset="slow", pixel_format="yuv444p10le")
    chosen = plan(".mkv", wish, YUV8)
    assert (chosen.encoder.name, chosen.crf, chosen.preset) == ("libx265", 30, "slow")
    assert chosen.layout == PixelLayout("yuv", 10, (1, 1))
    # Ten bits asked for, so an encoder whose ten bits players show.
    assert plan(".mp4", Encoding(pixel_format="yuv420p10le"), YUV8).encoder.name == "libx265"


def test_defaults_are_fast_and_nearly_transparent() -> None:
    chosen = plan(".mp4", Encoding(), YUV8)
    assert (chosen.crf, chosen.preset) == (18, "veryfast")


@pytest.mark.parametrize(
    ("extension", "encoding", "message"),
    [
        (".avi", Encoding(), r"A video ends in \.mp4, .*not in '\.avi'"),
        ("", Encoding(), r"not in 'nothing'"),
        (".mp4", Encoding("hvec"), r"No video encoder is called 'hvec'; did you mean 'hevc'\?"),
        (".mp4", Encoding("zzzz"), r"No video encoder is called 'zzzz'; common ones: .*h264"),
        (".mp4", Encoding("flac"), r"No video encoder is called 'flac'"),
        (".webm", Encoding("h264"), r"A \.webm file cannot hold h264; name the output \.mp4"),
        (".mp4", Encoding("prores"), r"A \.mp4 file cannot hold prores; .*\.mov, \.mkv"),
        (".mp4", Encoding(pixel_format="nv12x"), r"The pixel format 'nv12x' is unknown"),
        (
            ".mkv",
            Encoding("av1", pixel_format="yuv444p"),
            r"libsvtav1 takes no yuv444p; it takes yuv420p, yuv420p10le",
        ),
        (".mkv", Encoding("ffv1", crf=3), r"ffv1 knows no crf; leave it out"),
        (".mkv", Encoding("ffv1", preset="slow"), r"ffv1 knows no preset; leave it out"),
    ],
)
def test_what_cannot_be_is_one_sentence(extension: str, encoding: Encoding, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan(extension, encoding, YUV8)


@pytest.mark.parametrize("extension", list(CONTAINERS))
def test_every_container_takes_its_own_defaults(extension: str) -> None:
    container = CONTAINERS[extension]
    for encoder in container.video:
        assert holds(container.muxer, encoder)
    with av.open(io.BytesIO(), "w", format=container.muxer) as made:
        names = made.supported_codecs
    assert container.audio in names
    assert container.text in names


def test_formats_that_frames_cannot_be_made_in_are_not_offered() -> None:
    assert "nv12" not in pixel_formats("libx264")
    assert not any(name.startswith("yuvj") for name in pixel_formats("libx264"))
    assert pixel_formats("libx264rgb") == ("bgr0", "rgb24")
