from __future__ import annotations

import io
import logging
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from tests.video.media import write_video
from tests.video.rewriting import (
    FAST,
    frame_times,
    of_kind,
    rewrite,
    sound_file,
    texts,
    tracks,
    with_extra,
)
from upreel.video.carry import Carrier
from upreel.video.encoding import CONTAINERS
from upreel.video.probe import probe
from upreel.video.routes import Cut

FONT = bytes(range(256)) * 3


def png() -> bytes:
    context = av.CodecContext.create("png", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width = context.height = 16
    context.pix_fmt, context.time_base = "rgb24", Fraction(1)
    frame = av.VideoFrame.from_ndarray(np.full((16, 16, 3), 77, np.uint8))
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


@pytest.mark.parametrize("extension", [".mp4", ".mov"])
def test_everything_in_an_mp4_is_carried(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, extension: str
) -> None:
    source = write_video(
        tmp_path / "in.mp4",
        audio=True,
        subtitles=True,
        cover=png(),
        chapters=True,
        metadata={"title": "A title", "artist": "Somebody"},
    )
    target = rewrite(source, tmp_path / f"out{extension}")
    before, after = tracks(source), tracks(target)
    # The titles of chapters come back as a data stream, once.
    kinds = ["video", "audio", "subtitle", "data", "video"]
    assert [track.kind for track in before] == kinds
    if extension == ".mov":
        assert "stream 4 (cover, png) is left out: a .mov file cannot hold it" in caplog.text
        kinds.pop()
    assert [track.kind for track in after] == kinds
    for index in (1, 2, 4)[: len(kinds) - 2]:
        assert after[index].digest == before[index].digest
        assert after[index].pts == before[index].pts
        assert after[index].disposition == before[index].disposition
    assert after[1].durations == before[1].durations
    assert after[1].tags["language"] == {".mp4": "deu", ".mov": "ger"}[extension]
    assert after[2].tags["language"] == "eng"
    with av.open(str(target)) as container:
        assert container.metadata["title"] == "A title"
        assert container.metadata["artist"] == "Somebody"
        titles = [
            (entry["start"] * (entry["time_base"] or 0), entry["metadata"]["title"])
            for entry in container.chapters()
        ]
        assert titles == [(0, "One"), (Fraction(1, 5), "Two")]


def test_everything_in_a_matroska_file_is_carried(tmp_path: Path) -> None:
    source = write_video(
        tmp_path / "in.mkv",
        audio=True,
        subtitles=True,
        attachment=FONT,
        chapters=True,
        metadata={"title": "A title", "SHELF": "7"},
    )
    target = rewrite(source, tmp_path / "out.mkv")
    before, after = tracks(source), tracks(target)
    assert [track.kind for track in after] == ["video", "audio", "subtitle", "attachment"]
    for index in (1, 2):
        assert after[index].digest == before[index].digest
        assert after[index].pts == before[index].pts
        assert after[index].tags["language"] == before[index].tags["language"]
    with av.open(str(target)) as container:
        (font,) = container.streams.attachments
        assert (font.name, font.mimetype) == ("font.ttf", "application/x-truetype-font")
        assert font.data == FONT
        assert container.metadata["title"] == "A title"
        assert container.metadata["SHELF"] == "7"
        assert [entry["metadata"]["title"] for entry in container.chapters()] == ["One", "Two"]


def test_a_cover_becomes_an_attachment_of_matroska_and_back(tmp_path: Path) -> None:
    cover = png()
    source = write_video(tmp_path / "in.mp4", 3, cover=cover)
    middle = rewrite(source, tmp_path / "middle.mkv")
    target = rewrite(middle, tmp_path / "out.mp4")
    for path in (middle, target):
        found = tracks(path)[-1]
        assert found.disposition & Disposition.attached_pic
        assert found.data == [cover]
    assert len(tracks(target)) == 2


def test_unusual_tags_are_kept_in_mp4(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mkv", 2, metadata={"title": "T", "SHELF": "7"})
    with av.open(str(rewrite(source, tmp_path / "out.mp4"))) as container:
        assert (container.metadata["title"], container.metadata["shelf"]) == ("T", "7")


def test_unusual_tags_give_way_to_a_cover_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = write_video(tmp_path / "in.mp4", 2, cover=png())
    middle = rewrite(source, tmp_path / "middle.mkv")
    with av.open(str(tmp_path / "tagged.mkv"), "w") as out, av.open(str(middle)) as read:
        out.metadata["SHELF"] = "7"
        stream = out.add_stream_from_template(read.streams.video[0])
        out.add_attachment("cover.png", "image/png", png())
        for packet in read.demux(read.streams.video[0]):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    target = rewrite(tmp_path / "tagged.mkv", tmp_path / "out.mp4")
    assert "The tags SHELF are left out".lower() in caplog.text.lower()
    assert tracks(target)[-1].disposition & Disposition.attached_pic


def test_the_time_code_of_a_camera_is_kept(tmp_path: Path) -> None:
    made = tmp_path / "in.mov"
    with av.open(str(made), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.metadata["timecode"] = "01:02:03:04"
        for _ in range(3):
            out.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        out.mux(stream.encode(None))
    timed = ["video", "data"]
    for extension, kinds in ((".mp4", timed), (".mov", timed), (".mkv", ["video"])):
        found = tracks(rewrite(made, tmp_path / f"out{extension}"))
        assert [track.kind for track in found] == kinds
        tags = {name.lower(): value for name, value in found[0].tags.items()}
        assert tags["timecode"] == "01:02:03:04"


def test_data_that_no_container_here_holds_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = tmp_path / "in.ts"
    with av.open(str(made), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        data = out.add_data_stream("klv")
        for index in range(5):
            for packet in stream.encode(av.VideoFrame(64, 48, "yuv420p")):
                out.mux(packet)
            packet = av.Packet(b"\x06\x0e\x2b\x34" + bytes(12))
            packet.stream, packet.pts, packet.dts = data, index * 3600, index * 3600
            out.mux(packet)
        out.mux(stream.encode(None))
    rewrite(made, tmp_path / "out.mp4")
    assert "(data, klv) is left out: a .mp4 file cannot hold it" in caplog.text


def test_chapters_and_subtitles_are_cut_with_the_video(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mkv", 10, subtitles=True, chapters=True)
    target = rewrite(source, tmp_path / "out.mkv", start=Fraction(12, 100), end=Fraction(28, 100))
    assert frame_times(target) == [Fraction(index, 25) for index in range(4)]
    with av.open(str(target)) as container:
        found = [
            (entry["start"] * (entry["time_base"] or 0), entry["end"] * (entry["time_base"] or 0))
            for entry in container.chapters()
        ]
    assert found == [(0, Fraction(8, 100)), (Fraction(8, 100), Fraction(16, 100))]
    # One is on show when the cut begins, one when it ends.
    assert [entry[:2] for entry in texts(target)] == [
        (0, Fraction(8, 100)),
        (Fraction(12, 100), Fraction(4, 100)),
    ]


def test_a_source_that_breaks_off_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = write_video(tmp_path / "whole.mkv", 200, audio=True)
    source = tmp_path / "in.mkv"
    source.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    caplog.set_level(logging.WARNING)
    target = rewrite(source, tmp_path / "out.mp4", encoding=FAST)
    assert 10 < len(of_kind(target, "audio")[0].data) < 350


def test_the_source_is_not_read_ahead(tmp_path: Path) -> None:
    """Sound is written as far as the pictures are, not farther: memory stays bounded."""
    source = write_video(tmp_path / "in.mp4", 250, audio=True)
    with (
        av.open(io.BytesIO(), "w", format="mp4") as out,
        Carrier(source, CONTAINERS[".mp4"], extension=".mp4", video_index=0, audio=True) as carrier,
    ):
        carrier.add_streams(out, lambda: out.add_stream("libx264", rate=25), Cut())
        out.start_encoding()
        carrier.begin()
        carrier.carry_until(Fraction(2))
        assert Fraction(19, 10) < carrier.read_until <= 2


@pytest.mark.parametrize("extension", [".mp4", ".mov"])
def test_titles_of_tracks_are_kept_in_mp4_where_players_look(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, extension: str
) -> None:
    tags = {"title": "Director's commentary", "language": "eng"}
    sound = sound_file(tmp_path / "sound.wav", "pcm_s16le")
    source = with_extra(tmp_path / "in.mkv", sound, tags=tags)
    target = rewrite(source, tmp_path / f"out{extension}")
    (found,) = of_kind(target, "audio")
    assert found.tags["name"] == found.tags["handler_name"] == "Director's commentary"
    assert [stream.title for stream in probe(target).streams] == ["Director's commentary"] * 2
    assert "tags" not in caplog.text
    (again,) = of_kind(rewrite(target, tmp_path / "again.mkv"), "audio")
    assert again.tags["title"] == "Director's commentary"
    assert "HANDLER_NAME" not in again.tags


def test_what_an_mp4_cannot_say_of_a_stream_is_named_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sound = sound_file(tmp_path / "sound.wav", "pcm_s16le")
    tags = {"MOOD": "dark", "language": "en-GB"}
    source = with_extra(tmp_path / "in.mkv", sound, tags=tags, mark=Disposition.original)
    rewrite(source, tmp_path / "out.mp4")
    (line,) = caplog.messages
    assert line == (
        "Tags of streams that a .mp4 file cannot hold are left out: language en-GB (stream 0, 1), "
        "mood (stream 0, 1), the mark 'original' (stream 1)."
    )
    caplog.clear()
    rewrite(source, tmp_path / "out.mkv")
    assert not caplog.messages


def test_quicktime_keeps_the_tags_it_has_no_names_for(tmp_path: Path) -> None:
    tags = {"title": "T", "composer": "C"}
    source = write_video(tmp_path / "in.mkv", 2, metadata=tags)
    with av.open(str(rewrite(source, tmp_path / "out.mov"))) as container:
        assert tags.items() <= container.metadata.items()


@pytest.mark.parametrize("language", ["fre", "deu", "cze", "slo", "rum"])
def test_quicktime_keeps_languages(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, language: str
) -> None:
    sound = sound_file(tmp_path / "sound.wav", "pcm_s16le")
    source = with_extra(tmp_path / "in.mkv", sound, tags={"language": language})
    (found,) = of_kind(rewrite(source, tmp_path / "out.mov"), "audio")
    known = {"fre": "fra", "deu": "ger", "cze": "ces", "slo": "slk", "rum": "ron"}
    assert found.tags["language"] == known[language]
    assert not caplog.messages
