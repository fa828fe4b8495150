"""Places in files that are damaged, or where one frame is easily taken for another."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.video.media import picture, remux, truncated, with_noise, write_video
from tests.video.test_place import (
    CLOSED,
    COUNT,
    GROUP,
    PACE,
    assert_same,
    count,
    scenes,
    since,
    video,
    whole,
)
from upreel.video.frame import Frame
from upreel.video.reader import Reader

__all__ = ["count"]


def noisy(extension: str) -> Callable[[Path], Path]:
    """A video with a few bytes changed in the middle."""

    def make(folder: Path) -> Path:
        sound = write_video(
            folder / f"a.{extension}", scenes((96, 80)), size=(96, 80), options=CLOSED
        )
        return with_noise(sound, folder / f"b.{extension}", at=0.4, count=60)

    return make


def cut_off(extension: str) -> Callable[[Path], Path]:
    """A video of which the end is missing."""

    def make(folder: Path) -> Path:
        options = {"movflags": "faststart"} if extension == "mp4" else {}
        sound = write_video(
            folder / f"a.{extension}", scenes(), options=CLOSED, container_options=options
        )
        return truncated(sound, folder / f"b.{extension}", keep=0.8)

    return make


def with_a_seam(folder: Path) -> Path:
    """Two transport streams, one after the other: the packet between them is counted as corrupt."""
    path = write_video(folder / "a.ts", scenes(count=48), options=CLOSED, time_base=PACE)
    later = remux(path, folder / "b.ts", shift=Fraction(48, 25))
    path.write_bytes(path.read_bytes() + later.read_bytes())
    return path


DAMAGED = {
    "noise mp4": noisy("mp4"),
    "noise mkv": noisy("mkv"),
    "end mp4": cut_off("mp4"),
    "end mkv": cut_off("mkv"),
    "seam ts": with_a_seam,
}


SPOILED = range(24, 48)
"""Where noise can be: what FFmpeg's threads make of it is not the same each time."""


def clear(frames: list[Frame], name: str, first: int) -> list[Frame]:
    """Without those that noise has spoiled; `first` is the number of the first frame."""
    noise = SPOILED if "noise" in name else ()
    return [frame for number, frame in enumerate(frames, first) if number not in noise]


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_told_as_in_a_whole_read(tmp_path: Path, count: list[int], name: str) -> None:
    path = DAMAGED[name](tmp_path)
    with Reader(path) as reader:
        everything = whole(reader, count)
    assert everything.damage is not None
    saved = 0
    for number in (33, 46, 57, 66):
        place = everything.places[number]
        assert place is not None
        with Reader(path) as reader:
            part = since(reader, place, count)
        assert_same(
            clear(part.frames, name, number), clear(everything.frames[number:], name, number)
        )
        assert part.damage == everything.damage
        saved += part.decoded < everything.decoded - GROUP
    assert saved >= 3  # what is repaired of a keyframe has another look after another frame


def test_what_was_not_opaque_before_a_place_is_known(tmp_path: Path, count: list[int]) -> None:
    opaque = [(*picture(index), np.full((48, 64), 255, np.uint8)) for index in range(40)]
    opaque[3] = (*opaque[3][:3], np.zeros((48, 64), np.uint8))
    path = write_video(tmp_path / "a.mkv", opaque, pixel_format="yuva420p", codec="ffv1")
    with Reader(path) as reader:
        everything = whole(reader, count)
    place = everything.places[30]
    assert place is not None
    with Reader(path) as reader:
        assert len(since(reader, place, count).frames) == 10
        assert reader.transparent


def test_a_clock_that_begins_anew_has_no_places(tmp_path: Path, count: list[int]) -> None:
    """Black frames all through: one cannot be told from another."""
    black = tuple(np.full_like(plane, 128) for plane in picture(0))
    part = write_video(tmp_path / "part.ts", [black] * COUNT, options=CLOSED, time_base=PACE)
    path = tmp_path / "a.ts"
    path.write_bytes(part.read_bytes() * 2)
    with Reader(path) as reader:
        everything = whole(reader, count)
    assert len(everything.frames) == 2 * COUNT
    assert everything.places[COUNT + 2 :] == [None] * (COUNT - 2)
    place = everything.places[60]
    assert place is not None
    with Reader(path) as reader:
        assert_same(list(reader.since(place)), everything.frames[60:])


def test_instants_that_are_filled_in_have_no_places(tmp_path: Path, count: list[int]) -> None:
    path = write_video(
        tmp_path / "a.mkv", scenes(), pts=range(0, 5 * COUNT, 5), options={"bf": "0", **CLOSED}
    )
    with Reader(path) as reader:
        everything = whole(reader, count)
    assert len({frame.pts for frame in everything.frames}) == COUNT
    for place in everything.places[40:60]:
        if place is not None:
            with Reader(path) as reader:
                assert_same(list(reader.since(place)), everything.frames[place.frame :])


def test_another_frame_with_the_same_pts_is_not_taken_for_it(
    tmp_path: Path, count: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    path = video(extension="mp4", options=CLOSED)(tmp_path)
    with Reader(path) as reader:
        everything = whole(reader, count)
    place = everything.places[60]
    assert place is not None
    with caplog.at_level(logging.INFO, "upreel"), Reader(path) as reader:
        part = since(reader, replace(place, checksum=place.checksum ^ 1), count)
    assert_same(part.frames, everything.frames[60:])
    assert part.decoded > everything.decoded
    assert caplog.messages == [f"{path} cannot be sought; it is read from its beginning"]
