from __future__ import annotations

import io

import av
import pytest
from av.stream import Disposition

from upreel.video.metadata import container_tags, lost_tags, stream_tags, unusual_tags


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
    assert stream_tags({"language": "fra"}, "mov") == {"language": "fra"}
    assert stream_tags({"language": "deu"}, "mp4") == {"language": "deu"}


@pytest.mark.parametrize("language", ["fre", "fra", "ger", "deu", "cze", "swe", "hrv", "zxx"])
def test_a_language_reaches_a_mov_file_or_it_is_known_that_it_does_not(language: str) -> None:
    given = stream_tags({"language": language}, "mov")["language"]
    lost = lost_tags({"language": given}, Disposition(0), "mov", of_file={})
    file = io.BytesIO()
    with av.open(file, "w", format="mov") as container:
        stream = container.add_stream("pcm_s16le", rate=48000, layout="mono")
        stream.metadata["language"] = given
        container.start_encoding()
        packet = av.Packet(bytes(96))
        packet.stream, packet.pts, packet.dts = stream, 0, 0
        container.mux(packet)
    file.seek(0)
    with av.open(file) as container:
        written = container.streams[0].metadata.get("language")
    assert (written, lost) in [(given, []), (None, [f"language {given}"])]


@pytest.mark.parametrize("muxer", ["mp4", "mov", "matroska"])
def test_mp4_keeps_few_tags_of_a_stream_and_matroska_all(muxer: str) -> None:
    tags = {"title": "T", "language": "hrv", "COMMENT": "C", "BPS": "1", "artist": "A"}
    lost = lost_tags(stream_tags(tags, muxer), Disposition(0), muxer, of_file={"artist": "A"})
    assert lost == {"mp4": ["comment"], "mov": ["comment", "language hrv"], "matroska": []}[muxer]


def test_unusual_tags_are_those_that_itunes_has_not() -> None:
    tags = {"TITLE": "T", "major_brand": "isom", "SHELF": "7", "creation_time": "2020"}
    assert unusual_tags(tags, "mp4") == ["shelf"]
