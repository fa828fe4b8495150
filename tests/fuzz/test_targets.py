"""A short run of what fuzzing does at length: `python -m fuzz`."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from mmap import mmap
from pathlib import Path
from random import Random

import pytest

from fuzz.hearing import DeedError, hearing
from fuzz.limits import OvertimeError, OverweightError, within
from fuzz.media import fuzz_media
from fuzz.mutation import mutate
from fuzz.targets import CORPUS, PLANTED, TARGETS, seeds
from tests.test_readme import ROOT

_CHANGED = 40
"""Files of each target."""
_MANY = {"media": 300, "ledger": 500}
"""Files of each target in the slow test, of others:"""
_MORE = 1500


def try_changed(name: str, *, seed: int, count: int) -> None:
    """Let the readers of a target read changed files; which ones depends on the corpus alone."""
    files, random = list(seeds(name)), Random(seed)
    for number in range(count):
        suffix, content = files[number % len(files)]
        changed = mutate(content, random, [other for _, other in files])
        TARGETS[name].run(changed, suffix)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("ignore")  # readers of others warn of what is odd
def test_nothing_but_our_own_errors_comes_out(name: str) -> None:
    for suffix, content in seeds(name):
        TARGETS[name].run(content, suffix)
    try_changed(name, seed=1, count=_CHANGED)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("ignore")
def test_nothing_but_our_own_errors_comes_out_of_many_files(name: str) -> None:
    try_changed(name, seed=2, count=_MANY.get(name, _MORE))


def test_media_do_no_harm(tmp_path: Path) -> None:
    report = fuzz_media(tmp_path, files=len([*(CORPUS / "media").iterdir()]))
    assert report.findings == {}
    assert report.understood > report.files / 4


@pytest.mark.slow
def test_many_media_do_no_harm(tmp_path: Path) -> None:
    assert fuzz_media(tmp_path, seed=2, files=_MANY["media"]).findings == {}


@pytest.mark.parametrize("hidden", [False, True])
def test_what_has_no_end_is_ended(hidden: bool) -> None:
    with pytest.raises(OvertimeError, match=r"longer than 0.1 s"):  # noqa: SIM117
        with within(0.1):
            with contextlib.suppress(*[OvertimeError] * hidden):
                while True:
                    pass
    assert signal.getitimer(signal.ITIMER_PROF) == (0, 0)


def fill(count: int) -> None:
    """Take bytes of the system, where others might be at hand that were freed before."""
    with mmap(-1, count) as memory:
        for place in range(0, count, 4096):
            memory[place] = 1


def test_what_takes_too_much_memory_is_heard() -> None:
    with pytest.raises(OverweightError, match=r"took (4|5)\d MB"), within(memory=30 << 20):
        fill(50 << 20)
    with within(memory=80 << 20):
        fill(50 << 20)


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
def test_what_leads_fuzzing_finds_a_planted_mistake(tmp_path: Path) -> None:
    """Only that: which files it makes of real readers depends on all code, and on versions."""
    pytest.importorskip("atheris")
    command = [sys.executable, "-m", "fuzz", PLANTED, "--files", "20000", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr[-3000:]
    found, said = sorted((tmp_path / PLANTED).iterdir())
    assert found.name.startswith("ZeroDivisionError-planted-")
    assert found.read_bytes()[:3] == b"bug"
    assert "ZeroDivisionError: planted" in said.read_text()
