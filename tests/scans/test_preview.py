"""Previews show both scans, level, on one scale of heights."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from upreel.errors import OutputError, UsageError
from upreel.scans.preview import draw_beside, write_preview
from upreel.scans.scan import Scan

RISE = np.arange(40, dtype=np.float32)


def tilted(frames: int = 3) -> Scan:
    """A block on a floor that rises to the right, 20 nm a pixel."""
    heights = np.zeros((frames, 50, 40), np.float32)
    heights[:, 20:30, 10:20] = 8
    return Scan(np.asarray(heights + RISE, np.float32), pixel_size=(20, 20), frame_time=0.1)


def flat() -> Scan:
    return replace(tilted(), heights=np.asarray(tilted().heights - RISE, np.float32))


def test_a_tilt_is_not_shown() -> None:
    (picture, *_) = draw_beside({"a": tilted(), "b": flat()})
    left, right = picture[28:, :320], picture[28:, 328:]
    assert picture.shape == (428, 648, 3)
    assert (picture[:, 320:328] == 255).all()
    assert np.abs(left.astype(int) - right.astype(int)).max() <= 3
    assert right[200, 120].min() > 240
    assert right[350, 300].max() < 100


def test_the_bar_has_the_length_that_it_says() -> None:
    (picture, *_) = draw_beside({"a": flat(), "b": flat()})
    # A third of 800 nm: 200 nm is the longest round length, ten pixels drawn eight times larger.
    assert (picture[24, :320] == 0).all(-1).sum() == pytest.approx(80, abs=1)
    unknown = replace(flat(), pixel_size=None)
    (bare, *_) = draw_beside({"a": unknown, "b": unknown})
    assert (bare[24, :320] == 255).all()


def test_one_scale_of_heights_serves_both() -> None:
    half = replace(flat(), heights=np.asarray(flat().heights / 2, np.float32))
    (picture,) = draw_beside({"a": half, "b": flat()}, slice(1))
    block_before, block_after = picture[28 + 200, 120], picture[28 + 200, 328 + 120]
    assert block_after.min() > 240
    assert block_before[2] < 100


@pytest.mark.parametrize(("time", "rate"), [(0.1, 10), (0.04, 25), (256.0, 10), (None, 10)])
def test_a_video_has_every_frame_at_a_pace_to_watch(
    tmp_path: Path, time: float | None, rate: int
) -> None:
    scan = replace(flat(), frame_time=time)
    with av.open(str(write_preview(scan, scan, tmp_path / "a.mp4"))) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
        assert file.streams.video[0].average_rate == Fraction(rate)
    drawn = list(draw_beside({"a": scan, "b": scan}))
    assert len(frames) == 3
    assert np.abs(frames[1].astype(int) - drawn[1]).mean() < 4


def test_a_picture_shows_the_middle_frame(tmp_path: Path) -> None:
    heights = flat().heights.copy()
    heights[1] = heights[1].T.reshape(50, 40)
    scan = replace(flat(), heights=heights)
    written = cv2.imread(str(write_preview(scan, scan, tmp_path / "a.png")))
    assert written is not None
    (drawn,) = draw_beside({"before": scan, "after": scan}, slice(1, 2))
    assert np.array_equal(written[..., ::-1], drawn)


def test_other_endings_and_taken_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"to end in \.mp4 \.mkv \.png, found 'a\.gif'"):
        write_preview(flat(), flat(), tmp_path / "a.gif")
    (tmp_path / "a.png").touch()
    with pytest.raises(UsageError, match="pass --overwrite"):
        write_preview(flat(), flat(), tmp_path / "a.png")
    with pytest.raises(OutputError, match="Cannot write"):
        write_preview(flat(), flat(), tmp_path / "no" / "a.mp4")
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
