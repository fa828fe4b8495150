"""Frames of files are those that are asked for, wherever a file says that they lie."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.video.media import decoded, write_video
from upreel.data.camera import FRAMES, SIZE
from upreel.data.clips import Clip, read_luma
from upreel.data.sources import FileSource
from upreel.errors import MediaError
from upreel.ops.color import ycbcr_to_rgb
from upreel.video.reader import Reader

MILLISECOND = Fraction(1, 1000)
SLOWER = [0, 40, 80, 120, 160, 200, 600, 1000, 1400, 1800, 1840, 1880]
"""Milliseconds: a frame in 40, then one in 400, then one in 40."""


def as_decoded(path: Path, times: list[int]) -> list[np.ndarray]:
    found = decoded(path)
    return [found[time][1][0] for time in times]


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_frames_of_a_variable_rate(tmp_path: Path, name: str) -> None:
    path = write_video(
        tmp_path / name, len(SLOWER), pts=SLOWER, time_base=MILLISECOND, options={"g": "4"}
    )
    source = FileSource(Clip("a", path))
    assert source.measure() == (12, 48, 64)
    for times in ([0, 2, 4], [5, 6, 7], [8, 9, 11], [10, 11]):
        np.testing.assert_array_equal(source.read(times)[:, 0], as_decoded(path, times))


def test_a_tone_that_begins_before_the_pictures_moves_nothing(tmp_path: Path) -> None:
    late = [200 + 40 * index for index in range(10)]
    path = write_video(tmp_path / "a.mkv", 10, pts=late, time_base=MILLISECOND, audio=True)
    source = FileSource(Clip("a", path))
    assert source.measure()[0] == 10
    for times in ([3, 4], [8, 9]):
        np.testing.assert_array_equal(source.read(times)[:, 0], as_decoded(path, times))


def test_a_file_without_times_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "a.264", 9, container_format="h264", options={"g": "3", "bf": "2"}
    )
    source = FileSource(Clip("a", path))
    assert source.measure()[0] == 9
    np.testing.assert_array_equal(source.read([4, 6])[:, 0], as_decoded(path, [4, 6]))


def test_a_clip_that_has_changed(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", 6)
    source = FileSource(Clip("a", path))
    source.measure()
    write_video(path, 3)
    with pytest.raises(MediaError, match=r"expected frame 5 in .*a\.mkv, found none"):
        source.read([2, 5])


@pytest.mark.parametrize("halve", [1, 2])
def test_photographs_move_as_in_the_pack(tmp_path: Path, halve: int) -> None:
    random = np.random.default_rng(1)
    photograph = random.integers(0, 256, (350 * halve, 300 * halve, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), photograph)
    clip = Clip("photos-a-1", tmp_path / "a.png", halve, still=True)
    source = FileSource(clip)
    assert source.measure() == (FRAMES, SIZE[0], 300)
    packed = list(read_luma(clip))
    np.testing.assert_array_equal(source.read([1, 7, 15])[:, 0], [packed[t] for t in (1, 7, 15)])
    if halve == 1:
        (frame,) = FileSource(clip, "rgb").read([0])
        assert frame.shape == (3, SIZE[0], 300)
        rows = {row.tobytes() for row in photograph[..., ::-1].transpose(2, 0, 1)[0]}
        assert {row.tobytes() for row in frame[0]} <= rows  # whole pixels: nothing is resampled


def test_untagged_colors_are_what_the_size_tells(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", 1, size=(1280, 16), options={"qp": "0"})
    with Reader(path) as reader:
        (frame,) = reader
    point = torch.tensor([int(plane[0, 0]) / 255 for plane in frame.planes]).view(3, 1, 1)
    expected = ycbcr_to_rgb(point, "bt709", "tv", 8).clamp(0, 1).flatten() * 255
    found = FileSource(Clip("a", path), "rgb").read([0])[0, :, 0, 0]
    np.testing.assert_allclose(found, expected, atol=0.51)
