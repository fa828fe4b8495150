from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from av.subtitles.subtitle import AssSubtitle

from tests.video.media import SUBTITLES, write_video
from tests.video.rewriting import FAST, frame_times, of_kind, rewrite, tracks
from upreel.video.encoding import Encoding

FONT = bytes(range(256)) * 3
TEXTS = ["Hello there", "<i>General</i> remark"]


def png() -> bytes:
    context = av.CodecContext.create("png", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width = context.height = 16
    context.pix_fmt, context.time_base = "rgb24", Fraction(1)
    frame = av.VideoFrame.from_ndarray(np.full((16, 16, 3), 77, np.uint8))
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def with_extra(
    path: Path, extra: Path, *, tags: Mapping[str, str] | None = None, video: Path | None = None
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


def test_subrip_becomes_mov_text(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = write_video(tmp_path / "in.mkv", subtitles=True, attachment=FONT)
    target = rewrite(source, tmp_path / "out.mp4")
    (track,) = of_kind(target, "subtitle")
    assert (track.codec, track.tags["language"]) == ("mov_text", "eng")
    found = texts(target)
    assert [entry[:2] for entry in found] == [
        (Fraction(4, 100), Fraction(16, 100)),
        (Fraction(24, 100), Fraction(16, 100)),
    ]
    assert [entry[2] for entry in found] == ["Hello there", r"{\i1}General{\i0} remark"]
    assert "stream 2 (attachment, font.ttf) is left out: a .mp4 file cannot hold it" in caplog.text


@pytest.mark.parametrize(("extension", "codec"), [(".mkv", "subrip"), (".webm", "webvtt")])
def test_mov_text_becomes_other_text(tmp_path: Path, extension: str, codec: str) -> None:
    source = write_video(tmp_path / "in.mp4", 3, subtitles=True)
    target = rewrite(source, tmp_path / f"out{extension}", encoding=Encoding(threads=1))
    (track,) = of_kind(target, "subtitle")
    assert track.codec == codec
    assert [data.decode() for data in track.data] == TEXTS
    assert track.pts == [Fraction(4, 100), Fraction(24, 100)]
    assert track.durations == [Fraction(16, 100)] * 2


def test_ass_in_mp4_loses_its_looks_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = tmp_path / "text.srt"
    text.write_text(SUBTITLES)
    with av.open(str(text)) as read, av.open(str(tmp_path / "text.mkv"), "w") as out:
        reader = read.streams.subtitles[0]
        stream = out.add_stream("ass")
        context = stream.codec_context
        assert isinstance(context, av.subtitles.codeccontext.SubtitleCodecContext)
        reader.codec_context.open()
        context.subtitle_header = reader.codec_context.subtitle_header
        context.time_base = Fraction(1, 1000)
        for packet in read.demux(reader):
            if packet.size and (found := reader.codec_context.decode2(packet)):
                made = context.encode_subtitle(found)
                made.stream, made.time_base = stream, packet.time_base
                made.pts = made.dts = packet.pts
                made.duration = packet.duration
                out.mux(made)
    source = with_extra(tmp_path / "in.mkv", tmp_path / "text.mkv")
    assert of_kind(source, "subtitle")[0].codec == "ass"
    kept = rewrite(source, tmp_path / "out.mkv")
    assert of_kind(kept, "subtitle")[0].data == of_kind(source, "subtitle")[0].data
    assert not caplog.records
    target = rewrite(source, tmp_path / "out.mp4")
    assert "ass, und): written as mov_text" in caplog.text.replace("ass)", "ass, und)")
    assert "fonts and positions are lost" in caplog.text
    assert [entry[2] for entry in texts(target)] == ["Hello there", r"{\i1}General{\i0} remark"]


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


def test_sound_that_mp4_cannot_hold_becomes_flac_without_loss(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    extra = sound_file(tmp_path / "sound.mkv", "pcm_u8", "u8")
    source = with_extra(tmp_path / "in.mkv", extra)
    target = rewrite(source, tmp_path / "out.mp4")
    assert of_kind(target, "audio")[0].codec == "flac"
    assert "stream 1 (audio, pcm_u8): a .mp4 file cannot hold it, it is written as flac" in (
        caplog.text
    )
    np.testing.assert_array_equal(samples(target), samples(source))


def test_pcm_is_copied_into_mp4(tmp_path: Path) -> None:
    extra = sound_file(tmp_path / "sound.mkv", "pcm_s16le")
    source = with_extra(tmp_path / "in.mkv", extra)
    target = rewrite(source, tmp_path / "out.mp4")
    assert of_kind(target, "audio")[0].codec == "pcm_s16le"
    np.testing.assert_array_equal(samples(target), samples(source))


def test_webm_gets_opus_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = write_video(tmp_path / "in.mp4", 25, audio=True)
    target = rewrite(source, tmp_path / "out.webm", encoding=Encoding(threads=1))
    (track,) = of_kind(target, "audio")
    assert track.codec == "opus"
    assert "it is written as opus; name the output .mkv to keep it as it is" in caplog.text
    assert abs(track.pts[0]) <= Fraction(3, 100)
    assert abs(track.pts[-1] + track.durations[-1] - 1) < Fraction(3, 100)


def test_sound_from_matroska_is_exact_to_the_sample_in_mp4(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mkv", 100, audio=True)
    (track,) = of_kind(rewrite(source, tmp_path / "out.mp4"), "audio")
    first = track.pts[0] * 48000
    expected = [first + 1024 * index for index in range(len(track.pts))]
    assert [pts * 48000 for pts in track.pts] == expected


def test_sound_before_zero_does_not_move_the_pictures(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 10, audio=True)
    assert of_kind(source, "audio")[0].pts[0] < 0  # the run-in of AAC
    target = rewrite(source, tmp_path / "out.mkv")
    assert frame_times(target) == [Fraction(index, 25) for index in range(10)]
    before, after = of_kind(source, "audio")[0], of_kind(target, "audio")[0]
    assert after.digest == before.digest
    late = [abs(a - b) for a, b in zip(after.pts, before.pts, strict=True)]
    assert max(late) <= Fraction(1, 1000)


@pytest.mark.parametrize("extension", [".mp4", ".mkv"])
def test_a_second_video_with_reordered_frames_is_carried(tmp_path: Path, extension: str) -> None:
    second = write_video(tmp_path / "second.mkv", 25, options={"bf": "3", "b-adapt": "0"})
    source = with_extra(tmp_path / "in.mkv", second)
    with av.open(str(source)) as container:  # this is what makes it hard
        assert any(
            packet.dts is None and packet.size
            for packet in container.demux(container.streams.video[1])
        )
    target = rewrite(source, tmp_path / f"out{extension}")
    before, after = of_kind(source, "video")[1], of_kind(target, "video")[1]
    assert len(after.data) == 25
    assert after.pts == before.pts
    with av.open(str(target)) as container:
        frames = list(container.decode(container.streams.video[1]))
        assert [(frame.pts or 0) * (frame.time_base or 0) for frame in frames] == [
            Fraction(index, 25) for index in range(25)
        ]


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
    for extension, kinds in ((".mp4", ["video", "data"]), (".mkv", ["video"])):
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
    from upreel.video.carry import Carrier
    from upreel.video.encoding import CONTAINERS
    from upreel.video.routes import Cut

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
