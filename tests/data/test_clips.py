from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest

from upreel.data.clips import PATHS, Clip, Split, find_clips, has_splits, read_luma
from upreel.errors import MediaError

INDEX = """split\tname\tkind\tframes\twidth\theight\tfps\tMB\thalve\tlicence\tsource\tsha256_16
train\ta.mp4\tvideo\t3\t64\t48\t25\t0\t2\tCC0\tsomebody\t-
val\tb.mp4\tvideo\t3\t64\t48\t25\t0\t1\tMIT\tsomebody else\t-
train\tphotos\tstills\t3\t64\t48\t-\t0\t1\tCC0\tsomebody\t-
"""


def test_the_index_says_which_clips_there_are(tmp_path: Path) -> None:
    (tmp_path / "index.tsv").write_text(INDEX)
    (train,) = find_clips(tmp_path, "train")
    assert train == Clip("a.mp4", tmp_path / "train" / "a.mp4", 2, "CC0, somebody")
    assert [clip.name for clip in find_clips(tmp_path)] == ["b.mp4"]


def test_without_an_index_every_video_and_folder_is_a_clip(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for name in ("b.mkv", "a.webm", "notes.txt"):
        (tmp_path / name).touch()
    assert [clip.name for clip in find_clips(tmp_path)] == ["a.webm", "b.mkv", "frames"]


def test_a_folder_without_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"with val clips, found none in .*nowhere"):
        find_clips(tmp_path / "nowhere")
    with pytest.raises(MediaError, match="folders of images"):
        find_clips(tmp_path)


def test_folders_named_after_the_splits_tell_them_apart(tmp_path: Path) -> None:
    for name in ("train", "val"):
        (tmp_path / name / f"{name}-clip").mkdir(parents=True)
    assert has_splits(tmp_path)
    assert [clip.name for clip in find_clips(tmp_path, "train")] == ["train-clip"]
    assert [clip.name for clip in find_clips(tmp_path)] == ["val-clip"]
    assert not has_splits(tmp_path / "train")


def test_photographs_become_clips_in_which_nothing_is_resampled(tmp_path: Path) -> None:
    (tmp_path / "index.tsv").write_text(INDEX)
    (tmp_path / "train" / "photos").mkdir(parents=True)
    grey = np.random.default_rng(1).integers(0, 256, (330, 400), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "train" / "photos" / "a.png"), np.repeat(grey[..., None], 3, -1))
    _, *clips = find_clips(tmp_path, "train", stills=True)
    assert [clip.name for clip in clips] == [f"photos-a-{n}" for n in range(PATHS)]
    luma = 16 + grey * 219.0 / 255
    for clip in clips:
        frames = list(read_luma(clip))
        assert len(frames) == 16
        for frame in frames[::5]:
            assert frame.shape == (320, 384)
            assert any(
                np.abs(luma[y : y + 320, x : x + 384] - frame).max() < 0.51
                for y in range(11)
                for x in range(17)
            )
        assert len({frame.tobytes() for frame in frames}) > 3


@pytest.mark.parametrize(("name", "side"), [("procedural", 192), ("dead-leaves", 320)])
def test_clips_that_need_no_file(
    name: str, side: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Path(name)
    assert has_splits(data)
    parts = [{clip.name for clip in find_clips(data, part)} for part in get_args(Split)]
    assert sum(map(len, parts)) == len(set().union(*parts))  # nothing is in two of them
    clip = find_clips(data)[0]
    assert clip.drawing is not None
    assert (clip.drawing.size, clip.drawing.frames) == ((side, side), 16)
    few = replace(clip, drawing=replace(clip.drawing, size=(64, 64), frames=4))
    frames, again = list(read_luma(few)), list(read_luma(few))
    assert (len(frames), frames[0].shape) == (4, (64, 64))
    assert all(map(np.array_equal, frames, again))
    assert frames[0].std() > 8 and not np.array_equal(frames[0], frames[1])
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()  # a folder of this name is a folder
    with pytest.raises(MediaError, match=f"found none in {name}"):
        find_clips(data)


@pytest.mark.parametrize("name", ["../../b.mp4", "/etc/b.mp4", "a/../b.mp4", "\0b.mp4"])
def test_an_index_cannot_lead_out_of_its_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "index.tsv").write_text(INDEX.replace("b.mp4", name))
    with pytest.raises(MediaError, match=r"expected a name inside .*, found '.*b.mp4'"):
        find_clips(tmp_path)


@pytest.mark.parametrize("index", ["", "a\tb\n1\t2\n", INDEX.replace("\t1\tMIT", "\tx\tMIT")])
def test_an_index_of_something_else(tmp_path: Path, index: str) -> None:
    (tmp_path / "index.tsv").write_text(index)
    with pytest.raises(MediaError, match=r"expected the columns split, name|found none in"):
        find_clips(tmp_path)
