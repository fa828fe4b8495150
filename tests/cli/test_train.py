"""`upreel train`: one short run, and what stands in the way of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.video.media import write_video
from upreel.cli import main
from upreel.models.weights import build, read


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A folder with one clip."""
    folder = tmp_path / "clips"
    folder.mkdir()
    write_video(folder / "a.mp4", 6, size=(96, 64))
    return folder


def test_a_run_ends_with_weights_that_can_be_used(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = ["stages=[{steps=2, batch=1, crop=10, frames=2}]", "data.frames=4", "data.strides=1"]
    changes = [word for change in short for word in ("--set", change)]
    arguments = ["train", "swift-x4-clean", "--data", str(clips), "--out", str(tmp_path / "run")]
    assert main([*arguments, *changes]) == 0
    captured = capsys.readouterr()
    assert "step 2/2" in captured.err
    weights = Path(captured.out.splitlines()[-1])
    assert read(weights)[0].name == "swift:clean"
    assert build(weights).spec.scale == 4
    assert main([*arguments, *changes]) == 2
    assert "--resume" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("recipe", "change", "message"),
    [
        ("swift-x5", "seed=1", "expected a .toml file or a recipe out of"),
        ("swift-x4-clean", "optimizer.speed=1", "unknown key 'speed' in optimizer"),
        ("swift-x4-clean", "seed", "expected KEY=VALUE"),
    ],
)
def test_a_wrong_recipe_is_a_sentence(
    recipe: str,
    change: str,
    message: str,
    clips: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--data", str(clips), "--out", str(tmp_path / "run"), "--set", change]
    assert main(["train", recipe, *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_no_clips_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    arguments = ["--data", str(tmp_path / "empty"), "--out", str(tmp_path / "run")]
    assert main(["train", "swift-x4-clean", *arguments]) == 1
    assert "upreel: expected" in capsys.readouterr().err
