from __future__ import annotations

from upreel.video.metadata import container_tags, stream_tags, unusual_tags


def test_what_a_muxer_says_of_its_work_is_not_carried() -> None:
    tags = {"major_brand": "isom", "encoder": "Lavf", "title": "T", "DURATION": "1"}
    assert container_tags(tags, "matroska") == {"title": "T"}
    stale = {"BPS-eng": "1", "NUMBER_OF_FRAMES": "9", "_STATISTICS_TAGS": "BPS", "language": "deu"}
    assert stream_tags(stale, "matroska") == {"language": "deu"}


def test_names_follow_the_container() -> None:
    assert container_tags({"ARTIST": "A", "com.apple.make": "B"}, "mp4") == {
        "artist": "A",
        "com.apple.make": "B",
    }
    assert stream_tags({"name": "Commentary", "handler_name": "SoundHandler"}, "matroska") == {
        "title": "Commentary"
    }
    assert stream_tags({"handler_name": "Mine"}, "mp4") == {"handler_name": "Mine"}


def test_quicktime_has_its_own_codes_of_languages() -> None:
    assert stream_tags({"language": "deu"}, "mov") == {"language": "ger"}
    assert stream_tags({"language": "eng"}, "mov") == {"language": "eng"}
    assert stream_tags({"language": "deu"}, "mp4") == {"language": "deu"}


def test_unusual_tags_are_those_that_itunes_has_not() -> None:
    tags = {"TITLE": "T", "major_brand": "isom", "SHELF": "7", "creation_time": "2020"}
    assert unusual_tags(tags, "mp4") == ["shelf"]
