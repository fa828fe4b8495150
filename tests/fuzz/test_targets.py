"""A short run of what fuzzing does at length: `python -m fuzz`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from fuzz.hearing import DeedError, hearing
from fuzz.media import fuzz_media
from fuzz.mutation import mutate
from fuzz.targets import CORPUS, TARGETS, seeds
from tests.test_readme import ROOT

_CHANGED = 40
"""Files of each target."""


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("ignore")  # readers of others warn of what is odd
def test_nothing_but_our_own_errors_comes_out(name: str) -> None:
    files, random = list(seeds(name)), Random(1)
    for suffix, content in files:
        TARGETS[name].run(content, suffix)
    for number in range(_CHANGED):
        suffix, content = files[number % len(files)]
        changed = mutate(content, random, [other for _, other in files])
        TARGETS[name].run(changed, suffix)


def test_media_do_no_harm(tmp_path: Path) -> None:
    report = fuzz_media(tmp_path, seconds=120, files=len([*(CORPUS / "media").iterdir()]))
    assert report.findings == {}
    assert report.understood > report.files / 4


def test_deeds_are_heard_even_where_they_are_hidden(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    inside = tmp_path / "inside"
    inside.mkdir()
    for deed in (
        outside.mkdir,
        lambda: outside.write_text("x"),
        lambda: os.system("true"),
        lambda: subprocess.run(["true"], check=True),
    ):
        with pytest.raises(DeedError, match=r"os.mkdir|open|os.system|subprocess.Popen"):  # noqa: SIM117
            with hearing(inside):
                try:
                    deed()
                except Exception:
                    (inside / "well").write_text("x")
    with hearing(inside):
        (inside / "well").unlink()
    assert not outside.exists()


def test_the_corpus_is_small() -> None:
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < 300_000


@pytest.mark.slow
@pytest.mark.parametrize("name", ["media", *TARGETS])
def test_a_minute_of_fuzzing_finds_nothing(name: str, tmp_path: Path) -> None:
    if name != "media":
        pytest.importorskip("atheris")
    command = [sys.executable, "-m", "fuzz", name, "--seconds", "8", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
