from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from upreel.errors import OutputError, UsageError
from upreel.video.target import check_place, image_target, names_like


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("out.mp4", None),
        ("out.avi", None),
        ("out.PNG", "image"),
        ("out.webp", "image"),
        ("out%04d.png", "pattern"),
        ("out%d.mp4", "pattern"),
        ("out", "folder"),
        ("out.mp4/", "folder"),
        ("100% done.mp4", None),
    ],
)
def test_the_name_tells_what_is_meant(tmp_path: Path, name: str, kind: str | None) -> None:
    assert image_target(f"{tmp_path}/{name}") == kind


def test_a_folder_that_exists_is_one_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "out.mp4").mkdir()
    assert image_target(tmp_path / "out.mp4") == "folder"


def test_names_of_a_pattern() -> None:
    like = names_like("a.b_%03d.png")
    assert like.fullmatch("a.b_001.png") and like.fullmatch("a.b_12345.png")
    assert not like.fullmatch("aXb_001.png") and not like.fullmatch("a.b_x.png")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.mp4"
    path.write_bytes(b"video")
    return path


def check(target: Path, source: Path, *, overwrite: bool = False) -> None:
    check_place(target, image_target(target), source, overwrite=overwrite)


def test_free_places_are_fine_and_stay_free(tmp_path: Path, source: Path) -> None:
    for name in ("out.mp4", "out.png", "frames", "f%03d.png"):
        check(tmp_path / name, source)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_the_input_is_not_overwritten(tmp_path: Path, source: Path) -> None:
    (tmp_path / "soft.mp4").symlink_to(source)
    os.link(source, tmp_path / "hard.mp4")
    for name in ("in.mp4", "soft.mp4", "hard.mp4", "../" + tmp_path.name + "/in.mp4"):
        with pytest.raises(UsageError, match="is the input itself"):
            check(tmp_path / name, source, overwrite=True)


def test_existing_files_are_not_overwritten_unasked(tmp_path: Path, source: Path) -> None:
    (tmp_path / "out.mp4").touch()
    with pytest.raises(UsageError, match=r"out\.mp4 exists already.*--overwrite"):
        check(tmp_path / "out.mp4", source)
    check(tmp_path / "out.mp4", source, overwrite=True)


def test_a_device_is_never_replaced(source: Path) -> None:
    with pytest.raises(UsageError, match="is not a regular file"):
        check_place(Path(os.devnull), None, source, overwrite=True)


def test_the_current_folder_is_a_folder(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here" / "deeper").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here" / "deeper")
    for name in (".", "..", "../deeper"):
        check(Path(name), source)
    assert not any((tmp_path / "here" / "deeper").iterdir())


def test_a_file_is_no_folder(tmp_path: Path, source: Path) -> None:
    (tmp_path / "frames").touch()
    for path in (Path(os.devnull), tmp_path / "frames"):
        with pytest.raises(UsageError, match=r"is not a folder\. Name a folder for images, or"):
            check_place(path, "folder", source, overwrite=True)
    with pytest.raises(UsageError, match="is not a folder"):
        check_place(tmp_path / "frames" / "f%03d.png", "pattern", source, overwrite=True)


def test_a_missing_folder_is_one_sentence(tmp_path: Path, source: Path) -> None:
    for name in ("out.mp4", "frames", "frames/f%03d.png"):
        with pytest.raises(OutputError, match=r"missing does not exist"):
            check(tmp_path / "missing" / name, source)


def test_images_do_not_mix_with_others(tmp_path: Path, source: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    check(frames, source)
    (frames / "000007.png").touch()
    with pytest.raises(UsageError, match=r"holds images named %06d\.png already"):
        check(frames, source)
    with pytest.raises(UsageError, match=r"holds images named %d\.png already"):
        check(frames / "%d.png", source)
    check(frames, source, overwrite=True)
    check(frames / "other_%d.png", source)


def test_the_folder_of_the_input_is_not_overwritten(tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    (frames / "000001.png").touch()
    for source in (frames, frames / "%06d.png", frames / "000001.png"):
        with pytest.raises(UsageError, match="is the folder of the input"):
            check(frames, source, overwrite=True)


def test_a_read_only_place_is_one_sentence(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OutputError, match=r"Cannot write .*read-only file system\. Make room"):
        check(tmp_path / "out.mp4", source)


def test_the_folder_of_a_pattern_may_be_new(tmp_path: Path, source: Path) -> None:
    check(tmp_path / "frames" / "%03d.png", source)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


@pytest.mark.parametrize("name", ["-", ".mp4", ".MKV", ".png"])
def test_what_is_no_name_is_refused(tmp_path: Path, source: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"expected .* as the output, found "):
        check(tmp_path / name, source)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_a_hidden_folder_is_a_name(tmp_path: Path, source: Path) -> None:
    check(tmp_path / ".frames", source)
