"""Every command that opens what somebody else made has limits, and options that raise them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import signature
from pathlib import Path

import pytest
import typer

import upreel.evaluation.bench
import upreel.evaluation.resets
import upreel.training.trainer
from tests.video.media import write_video
from upreel.cli import app, main
from upreel.data.clips import read_luma
from upreel.data.sources import FileSource
from upreel.evaluation.bench import Case, Timing
from upreel.evaluation.resets import Price
from upreel.training.batches import find_parts
from upreel.training.recipe import Recipe
from upreel.video.trust import Trust

READS_NO_VIDEO = {"doctor", "models get", "data prepare"}


def commands(group: typer.Typer, above: str = "") -> Iterator[tuple[str, set[str]]]:
    """Each command with the names of its arguments."""
    for command in group.registered_commands:
        assert command.callback
        name = command.name or command.callback.__name__
        yield f"{above}{name}", {*signature(command.callback).parameters}
    for inner in group.registered_groups:
        assert inner.typer_instance
        title = inner.name or inner.typer_instance.info.name
        yield from commands(inner.typer_instance, f"{title} ")


def test_no_command_opens_a_video_without_the_options() -> None:
    found = dict(commands(app))
    assert found.keys() > {"upscale", "denoise", "data degrade", *READS_NO_VIDEO}
    assert "max_pixels" in found.pop("denoise")  # scans, which FFmpeg never sees
    for name in found.keys() - READS_NO_VIDEO:
        assert found[name] >= {"max_pixels", "protocols"}, name


def compare(video: Path, folder: Path) -> list[str]:
    return ["compare", str(video), str(video), "--out", str(folder / "report.html")]


def degrade(video: Path, folder: Path) -> list[str]:
    return ["data", "degrade", str(video), str(folder / "low")]


def bench(video: Path, folder: Path) -> list[str]:
    return ["bench", str(video), "--repetitions", "1"]


def evaluate(video: Path, folder: Path) -> list[str]:
    html = str(folder / "scores.html")
    return ["eval", "--model", "lanczos", "--data", str(video.parent), "--html", html, "--no-cache"]


OPENERS = (compare, degrade, bench, evaluate)  # others: tests/video/test_trust.py


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measurements of `bench` take no time."""
    monkeypatch.setattr(
        upreel.evaluation.bench, "run_apart", lambda case, source: Timing(case.frames, 1.0, {}, 1)
    )
    price = Price(1, 0, 0.0, 0.0, 0.0)
    monkeypatch.setattr(upreel.evaluation.resets, "measure_price", lambda upscaler, clip: price)
    monkeypatch.setattr(
        upreel.evaluation.bench, "default_cases", lambda model: (Case(model, (64, 48), 2),)
    )


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command says when it refuses."""
    assert main(arguments) == 1
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("upreel:")]
    assert len(said) == 1, said
    return said[0]


@pytest.mark.parametrize("opener", OPENERS)
def test_the_advice_can_be_followed(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    opener: Callable[[Path, Path], list[str]],
) -> None:
    (tmp_path / "clips").mkdir()
    arguments = opener(write_video(tmp_path / "clips" / "a.mkv", 3), tmp_path)
    said = refusal([*arguments, "--max-pixels", "3071"], capsys)
    assert "a.mkv is 64x48; at most 3071 pixels are read" in said
    advice = said.partition("huge frame: ")[2].partition(" if you trust it")[0].split()
    assert advice == ["--max-pixels", "3072"]
    assert main([*arguments, *advice]) == 0


@pytest.mark.parametrize("opener", OPENERS)
def test_playlists_are_for_those_who_ask(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    opener: Callable[[Path, Path], list[str]],
) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    write_video(clips / "a.mkv", 3)
    playlist = clips / "list.mkv"  # whatever it is called
    playlist.write_text("ffconcat version 1.0\nfile a.mkv\n")
    arguments = opener(playlist, tmp_path)
    said = refusal(arguments, capsys)
    assert "list.mkv is a playlist of other files" in said
    assert said.endswith("--protocols file")
    assert main([*arguments, "--protocols", "file"]) == 0


def test_training_takes_the_advice_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(
        recipe: Recipe,
        *,
        data: Path,
        out: Path,
        cache: Path | None,
        resume: bool,
        trust: Trust,
        device: str,
        compiled: bool,
        progress: Callable[[str], None],
    ) -> Path:
        """Read clips as training does: packed or not."""
        ((clip,),) = (part.train for part in find_parts(recipe, data, trust))
        assert len(list(read_luma(clip))) == len(FileSource(clip).read(range(3))) == 3
        return out

    monkeypatch.setattr(upreel.training.trainer, "train", train)
    write_video(tmp_path / "a.mkv", 3)
    arguments = ["train", "swift-x4-clean", "--data", str(tmp_path), "--out", str(tmp_path / "run")]
    assert "--max-pixels 3072 if" in refusal([*arguments, "--max-pixels", "99"], capsys)
    assert main([*arguments, "--max-pixels", "3072"]) == 0
