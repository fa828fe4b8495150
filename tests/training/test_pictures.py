from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.clips import draw_clip, write_clips
from upreel.data.clips import find_clips
from upreel.evaluation.baselines import find_baselines
from upreel.evaluation.protocols import find_protocol
from upreel.models.bicubic import Bicubic
from upreel.training.pictures import draw_pictures, write_picture


@pytest.mark.parametrize("name", ["val-bi-y8", "vid4-bi-y"])
def test_low_frame_result_and_truth_stand_side_by_side(tmp_path: Path, name: str) -> None:
    sizes = {"a": (64, 80), "b": (48, 64)}
    write_clips(tmp_path, {key: draw_clip(1, 6, size) for key, size in sizes.items()})
    clips = find_clips(tmp_path)
    picture = draw_pictures(Bicubic(4), find_protocol(name, 4), clips)
    assert picture.shape == (64 + 48, 3 * 64, 3)
    low, result, truth = (picture[:64, 64 * i : 64 * i + 64].astype(int) for i in range(3))
    frame = draw_clip(1, 6, sizes["a"])[4][:, 8:72]  # the fifth, its middle
    assert np.abs(truth - frame[..., None]).max() <= 2
    assert np.array_equal(low[::4, ::4], low[3::4, 3::4])
    assert np.abs(result - truth).mean() < np.abs(low - truth).mean()
    assert not picture[64:, 3 * 48 :].any()  # the smaller clip leaves room


def test_a_frame_that_was_left_out_is_shown(tmp_path: Path) -> None:
    write_clips(tmp_path, {"a": draw_clip(1, 6, (64, 64))})
    protocol = find_protocol("stvsr-vid4")
    average = find_baselines(protocol)["average+bicubic"]
    picture = draw_pictures(average, protocol, find_clips(tmp_path))
    result, truth = (picture[:, 64 * i : 64 * i + 64, 0].astype(int) for i in (1, 2))
    clip = draw_clip(1, 6, (64, 64)).astype(int)
    assert np.abs(truth - clip[3]).max() <= 2
    mean = (clip[2] + clip[4]) / 2
    assert np.abs(result - mean).mean() < np.abs(result - clip[3]).mean()


def test_a_picture_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "pictures" / "0000003.png"
    for level in (10, 20):
        write_picture(np.full((4, 5, 3), (level, 0, 0), np.uint8), path)
    read = cv2.imread(str(path))
    assert read is not None
    assert read[0, 0].tolist() == [0, 0, 20]
    assert [found.name for found in path.parent.iterdir()] == [path.name]
