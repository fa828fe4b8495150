from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.video.media import SUBTITLES, write_video
from tests.video.rewriting import (
    frame_times,
    of_kind,
    rewrite,
    samples,
    sound_file,
    texts,
    with_extra,
)
from upreel.video.encoding import Encoding

FONT = bytes(range(256)) * 3
TEXTS = ["Hello there", "<i>General</i> remark"]


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


@pytest.mark.parametrize("extension", [".mp4", ".mkv", ".webm", ".mov"])
def test_a_cut_without_any_sound_in_it_is_fine(tmp_path: Path, extension: str) -> None:
    extra = sound_file(tmp_path / "sound.mkv", "pcm_u8", "u8")
    video = write_video(tmp_path / "video.mkv", 75)
    # This file does not tell its frame rate; FFmpeg takes it to be 12800.
    source = with_extra(tmp_path / "in.mkv", extra, video=video)
    cut = rewrite(
        source, tmp_path / f"out{extension}", start=Fraction(2), encoding=Encoding(threads=1)
    )
    assert frame_times(cut) == [Fraction(index, 25) for index in range(25)]
    assert sum(len(track.data) for track in of_kind(cut, "audio")) <= 1


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
