"""`upreel denoise` from arguments to files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from upreel.cli import main
from upreel.scans.corrections import correct
from upreel.scans.readers import read_scan

HEIGHTS = np.random.default_rng(0).normal(0, 1, (3, 20, 24)).astype(np.float32)


@pytest.fixture
def source(tmp_path: Path) -> str:
    np.save(tmp_path / "in.npy", HEIGHTS)
    return str(tmp_path / "in.npy")


def test_a_scan_goes_in_and_comes_out(
    tmp_path: Path, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, preview = tmp_path / "out.npz", tmp_path / "both.png"
    arguments = [source, str(out), "--kind", "afm", "--method", "rows-median+plane"]
    assert main(["denoise", *arguments, "--preview", str(preview)]) == 0
    assert np.array_equal(read_scan(out).heights, correct(HEIGHTS, "rows-median+plane"))
    said = capsys.readouterr().out
    assert "out.npz: 3 frames of 24x20, pixels of unknown size, heights in an unknown unit" in said
    assert f"{preview}: before and after" in said
    assert preview.exists()
    assert main(["denoise", *arguments]) == 2
    assert "pass --overwrite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["out.npz"], "--kind"),
        (["out.npz", "--kind", "stm"], "afm"),
        (["out.mp4", "--kind", "afm"], "expected OUT to end in .gwy .npz .tif"),
        (["out.npz", "--kind", "afm", "--method", "blur"], "found 'blur'"),
        (["out.npz", "--kind", "afm", "--burst", "0"], "--burst"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    tmp_path: Path,
    source: str,
    arguments: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target, *options = arguments
    assert main(["denoise", source, str(tmp_path / target), *options]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert len(list(tmp_path.iterdir())) == 1
