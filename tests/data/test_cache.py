from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from upreel.data.cache import Packing, find_flow, open_pack, pack
from upreel.data.clips import Clip
from upreel.data.degradations import CHAINS, Noise, degrade
from upreel.errors import MediaError

BI = CHAINS["BI"]
PACKING = Packing({"bi": BI}, scale=2, frames=4, smallest=16)


def low_of(high: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    return degrade(high[:, None], BI, scale=scale)[:, 0]


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    grey = np.random.default_rng(1).integers(0, 256, (7, 50, 60), dtype=np.uint8)
    for name, frames in (("a", grey), ("small", grey[:, :20, :20])):
        (tmp_path / name).mkdir()
        for index, frame in enumerate(frames):
            cv2.imwrite(str(tmp_path / name / f"{index}.png"), np.repeat(frame[..., None], 3, -1))
    return [Clip("a", tmp_path / "a"), Clip("small", tmp_path / "small")]


def luma(clip: Clip) -> NDArray[np.float64]:
    frames = [cv2.imread(str(path)) for path in sorted(clip.path.iterdir())]
    green = [frame[..., 1] for frame in frames if frame is not None]
    return 16 + np.stack(green) * 219.0 / 255


def test_low_frames_belong_to_their_truth(tmp_path: Path, clips: list[Clip]) -> None:
    made = list(pack(clips, tmp_path / "cache", PACKING))
    assert made == ["a.high.npy", "a.bi-x2", "small.high.npy"]
    (version,) = open_pack(clips, tmp_path / "cache", PACKING)
    assert version.low.shape == (4, 25, 30)
    frames = luma(clips[0])
    begin = [b for b in range(4) if np.abs(frames[b : b + 4] - version.high).max() < 0.51]
    assert len(begin) == 1
    assert np.array_equal(low_of(version.high, 2), version.low)
    assert np.array_equal(find_flow(np.asarray(version.low), 2), version.flow)


def test_a_side_that_is_no_multiple_of_the_scale_is_cut(tmp_path: Path, clips: list[Clip]) -> None:
    packing = replace(PACKING, scale=4, smallest=8)
    list(pack(clips[:1], tmp_path / "cache", packing))
    (version,) = open_pack(clips[:1], tmp_path / "cache", packing)
    assert version.low.shape == (4, 12, 15)
    expected = low_of(version.high[:, :48, :60], 4)
    assert np.array_equal(version.low, expected)


def test_what_is_there_is_not_made_again(tmp_path: Path, clips: list[Clip]) -> None:
    cache = tmp_path / "cache"
    list(pack(clips, cache, PACKING))
    assert list(pack(clips, cache, PACKING)) == []
    (cache / "a.bi-x2.json").unlink()  # as after a crash before the end
    assert list(pack(clips, cache, PACKING)) == ["a.bi-x2"]
    noisy = replace(PACKING, degradations={"bi": (*BI, Noise((2.0,)))})
    assert list(pack(clips, cache, noisy)) == ["a.bi-x2"]
    assert not list(cache.glob("*.partial*"))


def test_flow_points_to_the_frames_before_and_after() -> None:
    soft = gaussian_filter(np.random.default_rng(2).random((80, 120)), 2)
    texture = (255 * (soft - soft.min()) / np.ptp(soft)).astype(np.uint8)
    clip = np.stack([texture[:64, 2 * t : 2 * t + 96] for t in range(4)])  # moves 2 to the left
    flow = find_flow(clip, 2).astype(np.float32)
    assert flow.shape == (4, 2, 2, 64, 96, 2)
    inner = flow[:, :, :, 16:-16, 16:-16]
    for stride in (1, 2):
        back, ahead = (
            np.median(inner[2, stride - 1, 0], (0, 1)),
            np.median(inner[1, stride - 1, 1], (0, 1)),
        )
        assert back == pytest.approx((2 * stride, 0), abs=0.2)
        assert ahead == pytest.approx((-2 * stride, 0), abs=0.2)
    assert not flow[0, 0, 0].any()
    assert not flow[3, 0, 1].any()
    assert not flow[2, 1, 1].any()


def test_without_a_clip_that_is_large_enough(tmp_path: Path, clips: list[Clip]) -> None:
    packing = replace(PACKING, smallest=100)
    list(pack(clips, tmp_path / "cache", packing))
    with pytest.raises(MediaError, match="clips of at least 200x200 pixels, found none"):
        open_pack(clips, tmp_path / "cache", packing)


def test_clips_of_an_index_lie_in_folders(tmp_path: Path, clips: list[Clip]) -> None:
    nested = [replace(clips[0], name=name) for name in ("00001/0001", "00002/0001")]
    made = list(pack(nested, tmp_path / "cache", PACKING))
    assert made[1::2] == ["00001/0001.bi-x2", "00002/0001.bi-x2"]
    versions = open_pack(nested, tmp_path / "cache", PACKING)
    assert [version.name for version in versions] == made[1::2]
