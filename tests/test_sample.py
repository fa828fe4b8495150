"""The bundled sample is what the issue of a demonstration asks for."""

from __future__ import annotations

from pathlib import Path

import av

import upreel.errors

SAMPLE = Path(upreel.errors.__file__).parent / "sample" / "sample.mp4"


def test_the_sample_is_small_and_has_everything_to_carry() -> None:
    assert SAMPLE.stat().st_size < 1_000_000
    with av.open(str(SAMPLE)) as container:
        video = container.streams.video[0]
        assert (video.width, video.height, video.codec_context.name) == (320, 180, "h264")
        assert container.streams.audio[0].codec_context.name == "aac"
        assert container.streams.subtitles[0].codec_context.name == "mov_text"
        titles = [chapter["metadata"]["title"] for chapter in container.chapters()]
        assert titles == ["Coffee", "Chelsea", "Eileen Collins"]
        assert container.metadata["title"] == "Upreel sample"
        assert sum(1 for _ in container.decode(video=0)) == 192


def test_the_sample_says_where_its_pictures_come_from() -> None:
    licence = SAMPLE.with_name("LICENCE.md").read_text(encoding="utf-8")
    assert "CC0" in licence
    assert "NASA" in licence
