"""Closed captions inside of pictures: the media are made with the packets of FFmpeg's encoders."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.sidedata.sidedata import Type

from tests.video.media import as_av_frame, pictures
from tests.video.rewriting import rewrite
from upreel.video.captions import captions_of, with_captions
from upreel.video.encoding import Encoding
from upreel.video.reader import Reader
from upreel.video.tags import side_data_of
from upreel.video.writer import open_writer


def said(index: int) -> bytes:
    """A pair of letters, as CEA-608 in a field of CEA-708."""
    return bytes([0xFC, 0x41 + index, 0x42])


def captioned(path: Path, codec: str) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index, planes in enumerate(pictures(5)):
            frame = with_captions(as_av_frame(planes, 64, 48, "yuv420p"), said(index))
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def found(path: Path) -> list[bytes | None]:
    with av.open(str(path)) as container:
        return [side_data_of(frame, Type.A53_CC) for frame in container.decode(video=0)]


def test_captions_do_not_touch_the_picture() -> None:
    frame = as_av_frame(next(pictures(1)), 64, 48, "yuv420p")
    made = with_captions(frame, said(0))
    assert captions_of(made) == said(0)
    assert [bytes(plane) for plane in made.reformat(format="yuv420p").planes] == [
        bytes(plane) for plane in frame.reformat(format="yuv420p").planes
    ]


@pytest.mark.parametrize("source_codec", ["libx264", "mpeg2video"])
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_closed_captions_are_carried(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, source_codec: str, codec: str
) -> None:
    source = captioned(tmp_path / "in.mkv", source_codec)
    wanted = [said(index) for index in range(5)]
    assert found(source) == wanted
    encoding = Encoding(codec=codec, preset="ultrafast", threads=1)
    assert found(rewrite(source, tmp_path / "out.mp4", encoding=encoding)) == wanted
    assert "aptions" not in caplog.text


def test_captions_that_are_lost_are_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = captioned(tmp_path / "in.mkv", "libx264")
    rewrite(source, tmp_path / "out.mkv", encoding=Encoding(codec="ffv1"))
    with (
        Reader(source) as reader,
        open_writer(tmp_path / "images", source=reader, size=(64, 48)) as writer,
    ):
        for frame in reader:
            writer.write(frame.with_planes((frame.planes[0],) * 3, writer.layout))
        writer.finish()
    assert caplog.messages == [
        "Closed captions are left out: the encoder ffv1 writes none; libx264 and libx265 do.",
        "Closed captions are left out: images hold none.",
    ]
