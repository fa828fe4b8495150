from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.clips import draw_clip, write_clips
from upreel.cli import main
from upreel.models.weights import read

TINY = (
    "network.arguments={channels=4, blocks=1, hidden=2}",
    "stages=[{steps=2, batch=1, crop=12, frames=2}]",
)


def test_one_command_makes_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_clips(tmp_path / "clips", {"a": draw_clip(1, 3)})
    arguments = ["train", "swift-x4-clean", "--data", str(tmp_path / "clips"), "--threads", "1"]
    arguments += ["--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]
    for change in TINY:
        arguments += ["--set", change]
    assert main(arguments) == 0
    output = capsys.readouterr()
    assert Path(output.out.strip()) == tmp_path / "run" / "swift-x4-clean.safetensors"
    assert "step 2/2, loss" in output.err
    assert read(Path(output.out.strip()))[0].name == "swift:clean"
    assert (tmp_path / "cache" / "a.high.npy").exists()
    assert main(arguments) == 2
    assert "Pass --resume" in capsys.readouterr().err
    assert main([*arguments, "--resume"]) == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["sharp"], "a recipe out of"),
        (["swift-x4-clean", "--set", "data.frame=2"], "did you mean 'frames'?"),
        (["swift-x4-clean"], "expected a folder with videos"),
    ],
)
def test_mistakes_get_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    folders = ["--data", str(tmp_path / "none"), "--out", str(tmp_path / "run")]
    assert main(["train", *arguments, *folders]) in {1, 2}
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def test_a_recipe_without_sets_asks_for_clips(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "swift-x4-clean", "--out", str(tmp_path / "run")]) == 2
    assert "pass --data FOLDER, or --data procedural" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
