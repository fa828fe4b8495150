"""The scripts that `make` and the checks before a merge rely on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from upreel.data.procedural import make_clip

ROOT = Path(__file__).parent.parent
REPORT = """<testsuites><testsuite>
<testcase classname="tests.a" name="test_on_gpu"><skipped message="needs a CUDA device"/></testcase>
<testcase classname="tests.b" name="test_that_runs"/>
{more}
</testsuite></testsuites>"""
OTHER = '<testcase classname="tests.b" name="test_b[1]"><skipped message="no time"/></testcase>'


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("more", "known", "status"),
    [
        ("", "* | needs a CUDA*", 0),
        (OTHER, "* | needs a CUDA*", 1),
        (OTHER, "# both\n* | needs a CUDA*\n\ntests.b.test_b* | no time", 0),
        (OTHER, "* | needs a CUDA*\ntests.b.test_b* | no reason", 1),
    ],
)
def test_a_skip_has_to_be_on_the_list(tmp_path: Path, more: str, known: str, status: int) -> None:
    (tmp_path / "skips.txt").write_text(known)
    (tmp_path / "report.xml").write_text(REPORT.format(more=more))
    done = run("check_skips.py", str(tmp_path / "skips.txt"), str(tmp_path / "report.xml"))
    assert done.returncode == status, done.stderr
    assert "tests.a.test_on_gpu: needs a CUDA device" in done.stdout
    assert "test_that_runs" not in done.stdout
    assert ("not on the list: tests.b.test_b[1]: no time" in done.stdout) == bool(status)


def test_errors_of_flow_are_those_of_the_motion_where_there_is_none() -> None:
    done = run("measure_flow.py", "--clips", "1", "--size", "40x30")
    assert done.returncode == 0, done.stderr
    cells = [[cell.strip() for cell in line.split("|")] for line in done.stdout.splitlines()]
    found = {row[2]: [float(cell) for cell in row[3:7]] for row in cells[2:]}
    clip = make_clip((30, 40), 2)
    speed = np.linalg.norm(clip.forward[0], axis=0)
    expected = [speed.mean(), speed[~clip.hidden_next[0]].mean(), 3 * speed.mean()]
    assert found["zeros"][:3] == pytest.approx(expected, abs=1e-3)
    assert found["variational"][0] < expected[0] / 2


def test_this_python_can_make_an_environment() -> None:
    done = run("check_python.py")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_list_of_skips_is_short() -> None:
    lines = (ROOT / ".ci" / "skips.txt").read_text().splitlines()
    assert sum(1 for line in lines if line and not line.startswith("#")) <= 5
