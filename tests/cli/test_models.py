"""`upreel models` shows the manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from upreel.cli import main
from upreel.cli.models import describe_context, describe_scores
from upreel.core.download import Progress
from upreel.models.upscaler import Spec, StateSpec
from upreel.models.weights import manifest


def test_every_file_of_weights_is_in_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["models"]) == 0
    shown = capsys.readouterr().out
    assert "bicubic" in shown
    for weights in manifest():
        assert weights.provenance.name in shown
        assert f"{weights.parameters:,}" in shown


def test_json_has_what_the_files_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [entry["sha256"] for entry in listed] == [entry.sha256 for entry in manifest()]
    for entry, weights in zip(listed, manifest(), strict=True):
        assert entry["bytes"] == weights.path.stat().st_size
        assert entry["scale"] == weights.provenance.scale


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (Spec(4, "luma"), "luma, 1 frame"),
        (Spec(4, "rgb", past=2, future=1), "rgb, 1 frame, 2 before + 1 after"),
        (Spec(4, "rgb", past=1, future=5, step=15), "rgb, 15 frames, 1 before + 5 after"),
        (
            Spec(4, "luma", past=1, state={"h": StateSpec(8)}),
            "luma, 1 frame, 1 before, what it remembers",
        ),
    ],
)
def test_context_in_words(spec: Spec, words: str) -> None:
    assert describe_context(spec) == words


def test_scores_keep_their_protocol() -> None:
    scores = {"val-bi-y8": {"psnr": 31.25, "ssim": 0.875}, "val-codec24-y8": {"psnr": 28.5}}
    assert describe_scores(scores) == "val-bi-y8: psnr 31.25, ssim 0.875\nval-codec24-y8: psnr 28.5"


def test_get_tells_the_size_and_prints_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fetch(address: str, target: Path, *, sha256: str, progress: Progress) -> Path:
        assert address.endswith("/vgg19-dcbb9e9d.pth")
        assert sha256.startswith("dcbb9e9d") and len(sha256) == 64
        progress(2_000_000, 8_000_000)
        return target

    monkeypatch.setenv("UPREEL_CACHE", str(tmp_path))
    monkeypatch.setattr("upreel.models.backbones.download", fetch)
    assert main(["models", "get", "vgg19"]) == 0
    shown = capsys.readouterr()
    assert shown.out.strip() == str(tmp_path / "vgg19-dcbb9e9d.pth")
    assert "vgg19: 8.0 MB, 2.0 MB here already, from https://" in shown.err


def test_get_refuses_what_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "get", "resnet"]) == 2
    assert "expected weights out of vgg16, vgg19, alexnet" in capsys.readouterr().err
