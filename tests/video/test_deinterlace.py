"""Interlaced frames become progressive ones; nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from tests.video.media import Arrays, decoded, write_video
from upreel.video.reader import Reader

WIDTH, HEIGHT = 96, 64


def field(instant: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """A smooth picture that moves sideways, 0..1."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    return np.asarray(0.5 + 0.4 * np.sin((x - 3 * instant) / 6) * np.cos(y / 9))


def woven(count: int, bits: int, *, bottom_first: bool = False) -> Iterator[Arrays]:
    """Frames of two fields, half a frame apart."""
    for index in range(count):
        first, second = field(index), field(index + 0.5)
        picture = first.copy()
        late = 0 if bottom_first else 1
        picture[late::2] = second[late::2]
        codes = (picture * (2**bits - 1)).round()
        chroma = np.full((HEIGHT // 2, WIDTH // 2), 2 ** (bits - 1))
        if bits == 8:
            yield codes.astype(np.uint8), chroma.astype(np.uint8), chroma.astype(np.uint8)
        else:
            yield codes.astype(np.uint16), chroma.astype(np.uint16), chroma.astype(np.uint16)


def write(path: Path, bits: int = 8, *, order: str = "tff", flagged: bool = True) -> Path:
    return write_video(
        path, woven(8, bits, bottom_first=order == "bff"), size=(WIDTH, HEIGHT),
        pixel_format="yuv420p" if bits == 8 else "yuv420p10le", interlaced=flagged,
        bottom_first=order == "bff", options={"qp": "1"},
        pts=[0, 512, 700, 2048, 2500, 3000, 3001, 9000],
    )  # fmt: skip


def errors(
    path: Path, mode: Literal["auto", "on", "off"], bits: int = 8
) -> tuple[float, list[int]]:
    """Mean distance, of 255, from the pictures at the instants of the first fields; the pts."""
    with Reader(path, deinterlace=mode) as reader:
        frames = list(reader)
    distances = [
        np.abs(frame.planes[0] / (2**bits - 1) - field(index)).mean() * 255
        for index, frame in enumerate(frames)
    ]
    return float(np.mean(distances[1:-1])), [frame.pts for frame in frames]


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("order", ["tff", "bff"])
def test_flagged_frames_become_pictures_of_one_instant(
    tmp_path: Path, bits: int, order: str
) -> None:
    path = write(tmp_path / "a.mp4", bits, order=order)
    woven_error, expected = errors(path, "off", bits)
    error, pts = errors(path, "auto", bits)
    assert woven_error > 5
    assert error < 0.6
    assert pts == expected == [0, 512, 700, 2048, 2500, 3000, 3001, 9000]


def test_ten_bits_stay_ten_bits(tmp_path: Path) -> None:
    with Reader(write(tmp_path / "a.mp4", 10)) as reader:
        assert reader.video.layout.bits == 10
        assert not reader.video.interlaced
        assert reader.media is not None
        assert reader.media.video is not None
        assert reader.media.video.interlaced
        frame = next(iter(reader))
    assert len(np.unique(frame.planes[0] & 3)) == 4


def test_progressive_frames_are_left_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", flagged=False)
    with Reader(path) as reader:
        frames = list(reader)
    for frame, (_, arrays) in zip(frames, decoded(path), strict=True):
        np.testing.assert_array_equal(frame.planes[0], arrays[0])


def test_what_is_not_flagged_is_rebuilt_when_told_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", flagged=False)
    assert errors(path, "auto")[0] > 5
    assert errors(path, "on")[0] < 0.6


def test_off_leaves_interlaced_frames_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4")
    with Reader(path, deinterlace="off") as reader:
        assert reader.video.interlaced
        frames = list(reader)
    for frame, (_, arrays) in zip(frames, decoded(path), strict=True):
        np.testing.assert_array_equal(frame.planes[0], arrays[0])


def test_one_interlaced_frame_is_a_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 1, interlaced=True)
    with Reader(path) as reader:
        assert len(list(reader)) == 1


def test_a_part_of_an_interlaced_file_is_that_part(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "a.mp4", list(woven(60, 8)), size=(WIDTH, HEIGHT), interlaced=True,
        options={"g": "10"},
    )  # fmt: skip
    with Reader(path) as reader:
        whole = list(reader)
    with Reader(path, start=Fraction(50, 25), end=Fraction(55, 25)) as reader:
        part = list(reader)
    assert [frame.pts for frame in part] == [frame.pts for frame in whole[50:55]]
    for one, other in zip(part, whole[50:55], strict=True):
        np.testing.assert_array_equal(one.planes[0], other.planes[0])
