"""Transparency: of WebM, where it is a layer of its own, and of others, where it is a plane."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests.video.media import Arrays, picture, plane_arrays, write_video
from tests.video.rewriting import rewrite
from upreel.video.encoding import Encoding
from upreel.video.frame import PixelLayout
from upreel.video.reader import Reader
from upreel.video.transparency import decoder_of, say_unread_layer
from upreel.video.writer import open_writer

VP9 = Encoding(crf=10, threads=1)


def faded(index: int) -> Arrays:
    """A picture that is more transparent on its left."""
    ramp = np.tile(np.linspace(0, 255, 64).round().astype(np.uint8), (48, 1))
    return (*picture(index), ramp)


def opaque(index: int) -> Arrays:
    return (*picture(index), np.full((48, 64), 255, np.uint8))


def layered(path: Path, codec: str = "libvpx-vp9") -> Path:
    options = {"crf": "4", "cpu-used": "8", "auto-alt-ref": "0"}
    return write_video(
        path, [faded(index) for index in range(3)], pixel_format="yuva420p", codec=codec,
        options=options,
    )  # fmt: skip


def alpha_planes(path: Path, decoder: str) -> list[np.ndarray]:
    """As the library of the codec decodes them."""
    with av.open(str(path)) as container:
        context = av.VideoCodecContext.create(decoder, "r")
        assert isinstance(context, av.VideoCodecContext)
        return [
            plane_arrays(frame)[3]
            for packet in container.demux(video=0)
            for frame in context.decode(packet)
        ]


@pytest.mark.parametrize("codec", ["libvpx-vp9", "libvpx"])
def test_the_layer_of_a_webm_is_read(tmp_path: Path, codec: str) -> None:
    with Reader(layered(tmp_path / "in.webm", codec)) as reader:
        frames = list(reader)
    assert reader.video.layout == PixelLayout("yuv", 8, (2, 2), alpha=True)
    assert [frame.pts for frame in frames] == [0, 40, 80]
    for index, frame in enumerate(frames):
        assert np.abs(frame.planes[3].astype(int) - faded(index)[3]).mean() < 4
        assert np.abs(frame.planes[0].astype(int) - faded(index)[0]).mean() < 8


def test_the_layer_of_a_webm_is_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = layered(tmp_path / "in.webm")
    target = rewrite(source, tmp_path / "out.webm", encoding=VP9)
    found = alpha_planes(target, "libvpx-vp9")
    assert len(found) == 3
    assert np.abs(found[2].astype(int) - faded(2)[3]).mean() < 5
    with Reader(target) as reader:
        assert reader.video.layout.alpha
    assert not caplog.messages


@pytest.mark.parametrize("hidden", [True, False])
def test_transparency_that_is_lost_is_named_where_it_hides_something(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, hidden: bool
) -> None:
    pictures = [opaque(0), faded(1) if hidden else opaque(1), opaque(2)]
    source = write_video(tmp_path / "in.mkv", pictures, pixel_format="yuva420p", codec="ffv1")
    with (
        Reader(source) as reader,
        open_writer(tmp_path / "out.mp4", source=reader, size=(64, 48)) as writer,
    ):
        for frame in reader:
            writer.write(frame.with_planes(frame.planes[:3], writer.layout))
        writer.finish()
    lines = ["Transparency is left out, and what it hid is seen: yuv420p has none; "
             "a .webm with VP9 and --codec ffv1 have."]  # fmt: skip
    assert caplog.messages == (lines if hidden else [])


def test_images_without_transparency_say_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = write_video(tmp_path / "in.mkv", [faded(0)], pixel_format="yuva420p", codec="ffv1")
    with (
        Reader(source) as reader,
        open_writer(tmp_path / "out.jpg", source=reader, size=(64, 48)) as writer,
    ):
        for frame in reader:
            writer.write(frame.with_planes((frame.planes[0],) * 3, writer.layout))
        writer.finish()
    (line,) = caplog.messages
    assert line == "Transparency is left out, and what it hid is seen: .jpg has none; .png has."


def test_a_layer_that_cannot_be_read_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with av.open(str(write_video(tmp_path / "in.mkv", 1))) as container:
        stream = container.streams.video[0]
        stream.metadata["alpha_mode"] = "1"  # FFmpeg writes that for VP8 and VP9 alone
        assert decoder_of(stream) is stream.codec_context
    assert not caplog.messages
    say_unread_layer(stream, decoder_of(stream))
    (line,) = caplog.messages
    assert "layer of transparency is left out: FFmpeg reads that of VP8 and VP9" in line
