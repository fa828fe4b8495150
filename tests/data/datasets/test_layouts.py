"""The ways in which people have public data sets on their disks."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.data.datasets.trees import (
    frames,
    make_hmdb51,
    make_reds,
    make_spmcs,
    make_udm10,
    make_vid4,
    make_vimeo,
    touch,
    write,
)
from upreel.data.datasets import layouts
from upreel.data.datasets.prepare import prepare
from upreel.errors import MediaError


def found(dataset: str, root: Path) -> dict[str, str]:
    """Paths by name."""
    return {clip.name: clip.path for clip in prepare(dataset, root).clips}


def counted(dataset: str, root: Path) -> dict[str, int]:
    parts = [clip.split for clip in prepare(dataset, root).clips]
    return {part: parts.count(part) for part in sorted(set(parts))}


def test_vimeo_has_groups(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_vimeo(tmp_path)
    for group in ("medium", "slow"):
        write(tmp_path, f"{group}_testset.txt", "00001/0002\n" if group == "slow" else "")
    groups = {clip.name: clip.group for clip in prepare("vimeo90k", tmp_path).clips}
    assert groups == {"00001/0001": "", "00001/0002": "slow", "00002/0001": "fast"}
    assert not caplog.messages


@pytest.mark.parametrize("folder", ["sequences", "target"])
def test_vimeo_without_its_training_part(tmp_path: Path, folder: str) -> None:
    make_vimeo(tmp_path)
    (tmp_path / "sep_trainlist.txt").unlink()
    shutil.rmtree(tmp_path / "sequences/00001/0001")
    (tmp_path / "sequences").rename(tmp_path / folder)
    expected = {name: f"{folder}/{name}" for name in ("00001/0002", "00002/0001")}
    assert found("vimeo90k", tmp_path) == expected
    assert counted("vimeo90k", tmp_path) == {"test": 2}


def test_vimeo_says_what_is_odd_about_its_groups(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_vimeo(tmp_path)
    write(tmp_path, "fast_testset.txt", "00001/0001\n00002/0001\n00009/0009\n")
    groups = {clip.name: clip.group for clip in prepare("vimeo90k", tmp_path).clips}
    assert groups == {"00001/0001": "", "00001/0002": "", "00002/0001": "fast"}
    missing, unknown = caplog.messages
    assert caplog.records[0].levelno == logging.WARNING
    assert "no medium_testset.txt, slow_testset.txt in" in missing
    assert "https://github.com/alterzero/RBPN-PyTorch" in missing and "vimeo90k" in missing
    assert "fast_testset.txt names 2 clips that sep_testlist.txt does not" in unknown
    assert "such as 00001/0001" in unknown


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts, "REDS_FRAMES", 1)


OFFICIAL = [("train/train_sharp", range(240)), ("val/val_sharp", range(30))]


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("folders", "val"),
    [
        (OFFICIAL, "val/val_sharp/029"),
        ([("train_sharp", range(240)), ("val_sharp", range(30))], "val_sharp/029"),
        ([("train_sharp", range(270))], "train_sharp/269"),
        ([("train_sharp", range(270)), ("val_sharp", range(30))], "val_sharp/029"),
        ([("train_sharp", range(240))], None),
    ],
)
def test_reds_in_the_ways_it_is_kept(
    tmp_path: Path, folders: list[tuple[str, range]], val: str | None
) -> None:
    for folder, names in folders:
        make_reds(tmp_path, folder, names)
    clips = prepare("reds", tmp_path).clips
    home = folders[0][0]
    assert [(clip.name, clip.path, clip.group) for clip in clips if clip.split == "test"] == [
        (f"train-{name}", f"{home}/{name}", "reds4") for name in ("000", "011", "015", "020")
    ]
    assert sum(clip.split == "train" for clip in clips) == 236
    official = [(clip.name, clip.path) for clip in clips if clip.split == "val"]
    assert len(official) == (0 if val is None else 30)
    assert not official or official[-1] == ("val-029", val)


@pytest.mark.usefixtures("short")
def test_a_part_of_the_validation_clips_of_reds(tmp_path: Path) -> None:
    make_reds(tmp_path, "train_sharp", range(240))
    make_reds(tmp_path, "train_sharp", range(241, 270))
    with pytest.raises(MediaError, match=r"expected 1 images in .*train_sharp/240, found 0"):
        prepare("reds", tmp_path)


def test_clips_of_reds_have_100_frames(tmp_path: Path) -> None:
    make_reds(tmp_path, "train_sharp", range(1), 99)
    with pytest.raises(MediaError, match=r"expected 100 images in .*train_sharp/000, found 99"):
        prepare("reds", tmp_path)


@pytest.mark.parametrize("layout", ["GT/{}", "{}/truth", "{}"])
def test_vid4_in_the_ways_it_is_kept(tmp_path: Path, layout: str) -> None:
    make_vid4(tmp_path, layout)
    touch(tmp_path, "BIx4/calendar/00000001.png", "results/readme.txt")
    names = ("calendar", "city", "foliage", "walk")
    assert found("vid4", tmp_path) == {name: layout.format(name) for name in names}


def test_vid4_in_another_way(tmp_path: Path) -> None:
    make_vid4(tmp_path, "HR/{}")
    message = (
        r"expected calendar in .* as GT/calendar/\*\.png, calendar/truth/\*\.png or "
        r"calendar/\*\.png, found none; unpack the whole data set there"
    )
    with pytest.raises(MediaError, match=message):
        prepare("vid4", tmp_path)


def thin(folder: str) -> Callable[[Path], None]:
    """Leave one frame."""

    def leave_one(root: Path) -> None:
        for path in sorted((root / folder).iterdir())[1:]:
            path.unlink()

    return leave_one


def empty(folder: str) -> Callable[[Path], None]:
    """What is left where a disk was full."""

    def cut(root: Path) -> None:
        for path in (root / folder).iterdir():
            path.write_bytes(b"")

    return cut


@pytest.mark.parametrize(
    ("dataset", "make", "spoil", "message"),
    [
        ("udm10", make_udm10, thin("GT/clip3"), "expected 32 images in .*clip3, found 1; unpack"),
        ("udm10", make_udm10, empty("GT/clip3"), "expected 32 images in .*clip3, found 0"),
        ("spmcs", make_spmcs, thin("clip07/truth"), "expected 31 images in .*truth, found 1"),
        ("vid4", make_vid4, empty("GT/city"), "expected 34 images in .*city, found 0"),
        ("vimeo90k", make_vimeo, empty("sequences/00001/0002"), r"0002/im1\.png in .*found none"),
    ],
)
def test_clips_that_are_not_whole(
    tmp_path: Path,
    dataset: str,
    make: Callable[[Path], None],
    spoil: Callable[[Path], None],
    message: str,
) -> None:
    make(tmp_path)
    spoil(tmp_path)
    with pytest.raises(MediaError, match=message):
        prepare(dataset, tmp_path)


def test_the_32_sequences_of_rbpn_in_both_layouts(tmp_path: Path) -> None:
    make_spmcs(tmp_path)
    touch(tmp_path, *frames("NYVTG_006", 35), *frames("car05_001", 31))
    paths = found("spmcs", tmp_path)
    assert len(paths) == 32
    assert paths["clip00"] == "clip00/truth" and paths["NYVTG_006"] == "NYVTG_006"


@pytest.mark.parametrize(("number", "count"), [(29, 29), (31, 31), (0, 0)])
def test_another_number_of_clips(tmp_path: Path, number: int, count: int) -> None:
    for index in range(number):
        touch(tmp_path, *frames(f"clip{index:02}", 31))
    with pytest.raises(
        MediaError,
        match=r"expected 30 or 32 clips in .* as GT/NAME/\*\.png, .*NAME/\*\.png, found "
        f"{count}",
    ):
        prepare("spmcs", tmp_path)


def test_hmdb51_in_the_folder_of_its_archive(tmp_path: Path) -> None:
    make_hmdb51(tmp_path)
    (tmp_path / "hmdb51_org").mkdir()
    (tmp_path / "wave").rename(tmp_path / "hmdb51_org/wave")
    expected = {f"wave/{name}.avi": f"hmdb51_org/wave/{name}.avi" for name in "ab"}
    assert found("hmdb51", tmp_path) == expected
