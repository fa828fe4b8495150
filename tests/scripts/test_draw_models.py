"""docs/models.md is what its command draws of the manifest and the measurements."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

import scripts.draw_models
import scripts.measure_models
from scripts.draw_models import (
    DOCS,
    compare,
    compose,
    describe_compression,
    describe_measured,
    read_measured,
)
from scripts.measure_models import Candidate, Measured, Scored, Timed, merge, plan
from upreel.errors import UsageError
from upreel.models.weights import manifest

SHIPPED = next(w for w in manifest() if w.path.name == "swift-x4-real.safetensors")


def scored(
    model: str, psnr: float, *, protocol: str = "val-codec24-y8", a: float | None = None
) -> Scored:
    """Two clips, of which the first may be another than the mean."""
    sha256 = SHIPPED.sha256 if model == "swift:real" else ""
    clips = {"a": psnr if a is None else a, "b": psnr}
    means = {"psnr": psnr, "ssim": 0.9, "tof": 1.5}
    return Scored(protocol, 4, model, sha256, 7, means, clips, 3.0)


def timed(model: str, milliseconds: float) -> Timed:
    sha256 = SHIPPED.sha256 if model == "swift:real" else ""
    return Timed(model, 4, sha256, (320, 180), milliseconds, 30.0, 5 * 10**8)


def test_the_page_and_its_plots_are_what_the_command_draws() -> None:
    drawn = compose()
    for name, text in drawn.items():
        found = (DOCS / name).read_text(encoding="utf-8")
        assert found == text, "run: python -m scripts.draw_models"
    plots = {f"models/{path.name}" for path in (DOCS / "models").glob("*")}
    assert plots == drawn.keys() - {"models.md"}


def test_every_file_has_a_card_with_its_size_and_its_checksum() -> None:
    page = (DOCS / "models.md").read_text(encoding="utf-8")
    for weights in manifest():
        header = weights.provenance
        card = page.partition(f"### {header.name} x{header.scale}\n\n")[2].partition("###")[0]
        assert f"{weights.path.stat().st_size:,} bytes" in card
        assert weights.sha256 in card
        assert f"{weights.parameters:,} weights" in card


def test_pictures_are_there_and_small() -> None:
    named: set[str] = set()
    for page in ("models.md", "gallery.md"):
        named |= set(re.findall(r"\]\((gallery/.*?)\)", (DOCS / page).read_text(encoding="utf-8")))
    files = {f"gallery/{path.name}" for path in (DOCS / "gallery").glob("*.jpg")}
    assert named == files
    assert sum((DOCS / name).stat().st_size for name in files) < 1_500_000


def test_measurements_of_files_that_do_not_ship_any_more_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (scored("bicubic", 28.0), scored("swift:real", 29.0), scored("rlsp", 30.0))
    stale = replace(rows[1], sha256="other")
    linear = replace(rows[0], model="linear", sha256="other")
    text = scripts.measure_models.ADAPTER.dump_json(Measured(scores=(*rows, stale, linear)))
    monkeypatch.setattr(scripts.draw_models, "DOCS", tmp_path)
    (tmp_path / "models.json").write_bytes(text)
    assert read_measured().scores == rows


def test_what_is_beaten_is_not_on_the_front() -> None:
    measured = Measured(
        scores=(scored("swift:real", 29.0), scored("bicubic", 28.0), scored("slower", 28.5)),
        speeds=(timed("swift:real", 20.0), timed("bicubic", 10.0), timed("slower", 30.0)),
    )
    parts, plot = compare("val-codec24-y8", 4, measured)
    lines = [line for line in parts[-1].splitlines() if "| 7 |" in line]
    assert [(line.split(" | ")[0], "yes" in line) for line in lines] == [
        ("| bicubic", True), ("| slower", False), ("| swift:real", True)
    ]  # fmt: skip
    assert plot.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert plot.count("<circle") == 3
    card = "\n".join(describe_measured("swift:real", 4, measured))
    assert "29.00 dB, +1.00 dB over bicubic" in card
    assert "50.0 frames per second, 500 MB" in card


def test_a_clip_that_is_worse_than_bicubic_is_named() -> None:
    assert list(describe_compression(Measured())) == []
    good = (scored("bicubic", 28.0), scored("swift:real", 29.0))
    assert "Worse than bicubic: no clip" in "\n".join(describe_compression(Measured(scores=good)))
    bad = (
        scored("bicubic", 26.0, protocol="val-hevc36-y8"),
        scored("swift:real", 26.5, protocol="val-hevc36-y8", a=25.75),
    )
    text = "\n".join(describe_compression(Measured(scores=(*good, *bad))))
    assert "Worse than bicubic: a at CRF 36 of H.265, -0.25 dB." in text
    assert "| 36 | 26.00, 26.50 | +0.50 | a -0.25 | 1.5, 1.5 |" in text


def test_models_for_compressed_video_are_scored_over_its_strength() -> None:
    clean = Candidate("a", "a", 4, ("val-bi-y8",), "1")
    real = Candidate("b", "b", 4, ("val-codec24-y8",), "2")
    linear = Candidate("linear:codec24", "linear:codec24", 4, ("val-codec24-y8",), "3")
    tasks = {name: models for name, _, models, _ in plan([clean, real, linear])}
    assert tasks["val-bi-y8"] == (clean,)
    assert tasks["val-codec24-y8"] == (real, linear)
    assert tasks["val-codec36-y8"] == tasks["val-hevc18-y8"] == (real,)
    assert len(tasks) == 1 + 7 + 4


def test_what_is_measured_again_replaces_what_was() -> None:
    before = (scored("a", 28.0), scored("b", 28.0))
    assert merge(before, [scored("b", 29.0)]) == (before[0], scored("b", 29.0))


def test_a_model_without_words_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts.draw_models, "read_words", dict)
    with pytest.raises(UsageError, match=r"expected words on \S+ in docs/models.toml, found none"):
        compose()
