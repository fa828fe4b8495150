"""Which results are made of which inputs."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from upreel.errors import OutputError, UsageError
from upreel.farm.film import place_of
from upreel.farm.items import find_items


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_folders_are_expanded_and_keep_their_shape(tmp_path: Path) -> None:
    inputs = tmp_path / "in"
    touch(
        inputs / "b.mp4", inputs / "sub" / "a.avi", inputs / "sub" / "notes.txt",
        inputs / ".hidden.mp4", inputs / ".a.upreel" / "x.mp4", inputs / "out" / "old.mp4",
    )  # fmt: skip
    found = find_items([str(inputs)], str(inputs / "out"))
    assert [(Path(item.source).name, str(item.name)) for item in found] == [
        ("b.mp4", "b.mp4"),
        ("a.avi", "sub/a.mkv"),
    ]
    found = find_items([str(inputs / "b.mp4")], "out", extension=".webm")
    assert [item.name for item in found] == [PurePosixPath("b.webm")]


def test_two_results_with_one_name_are_refused(tmp_path: Path) -> None:
    touch(tmp_path / "x" / "a.mp4", tmp_path / "y" / "A.mp4", tmp_path / "x" / "a.avi")
    with pytest.raises(UsageError, match=r"x/a\.mp4 and .*y/A\.mp4 would both become out/A\.mp4"):
        find_items([str(tmp_path / "x" / "a.mp4"), str(tmp_path / "y" / "A.mp4")], "out/")
    one = str(tmp_path / "x" / "a.mp4")
    assert len(find_items([one, one, str(tmp_path / "x")], "out")) == 2
    with pytest.raises(UsageError, match="different names"):
        find_items([str(tmp_path / "x")], "out", extension=".mkv")


def test_inputs_below_the_folder_of_results_are_inputs(tmp_path: Path) -> None:
    touch(tmp_path / "new" / "a.mp4")
    found = find_items([str(tmp_path / "new")], str(tmp_path))
    assert [str(item.name) for item in found] == ["a.mp4"]


def test_a_result_is_never_its_own_input(tmp_path: Path) -> None:
    """It would be taken for a result that is there, and skipped."""
    touch(tmp_path / "a.mp4")
    for source in (tmp_path, tmp_path / "a.mp4"):
        with pytest.raises(UsageError, match=r"another folder for --out, found that of .*a\.mp4"):
            find_items([str(source)], f"{tmp_path}/")
    with pytest.raises(UsageError, match="another folder for --out"):
        find_items(["memory://in/a.mp4"], "memory://in/")
    assert find_items([str(tmp_path)], str(tmp_path), extension=".mkv")


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"found nothing at .*none\.mp4"):
        find_items([str(tmp_path / "none.mp4")], "out")
    with pytest.raises(UsageError, match=r"expected videos in the folder .*, found none"):
        find_items([str(tmp_path)], "out")


def test_nothing_is_written_outside_of_the_folder_of_results(tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / "sub").symlink_to(elsewhere)
    with pytest.raises(OutputError, match="leads out of"):
        place_of(out / "sub" / "a.mp4", out)
    assert place_of(out / "new" / "a.mp4", out).parent.is_dir()
