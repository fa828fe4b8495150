"""What is left when writing does not come to its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from tests.video.media import write_video
from tests.video.rewriting import FAST, frame_times, of_kind, rewrite
from upreel.errors import OutputError
from upreel.video.reader import Reader
from upreel.video.writer import Writer


def test_a_failure_leaves_no_trace(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 30, audio=True)
    target = tmp_path / "out" / "out.mp4"
    target.parent.mkdir()
    target.write_bytes(b"old")
    for error in (ValueError, KeyboardInterrupt):
        with (
            pytest.raises(error),
            Reader(source) as reader,
            Writer(target, source=reader, size=(64, 48), encoding=FAST, overwrite=True) as writer,
        ):
            for number, frame in enumerate(reader):
                writer.write(frame)
                if number == 20:
                    raise error
    assert [path.name for path in target.parent.iterdir()] == ["out.mp4"]
    assert target.read_bytes() == b"old"


def test_nothing_is_written_of_nothing(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 2)
    with pytest.raises(OutputError, match="the source has no frame"):
        rewrite(source, tmp_path / "out.mp4", limit=0)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_partial_results_say_so_and_end_with_their_frames(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 100, audio=True)
    target = rewrite(source, tmp_path / "out.mp4", partial=True, limit=25)
    assert target == tmp_path / "out.partial.mp4"
    assert len(frame_times(target)) == 25
    assert Fraction(95, 100) < of_kind(target, "audio")[0].pts[-1] <= 1
    assert not (tmp_path / "out.mp4").exists()


CHILD = """
import resource, signal, sys, os
from pathlib import Path
from tests.video.rewriting import FAST, rewrite
from upreel.errors import OutputError
source, target, mode = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
if mode == "full":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
    try:
        rewrite(source, target)
    except OutputError as error:
        print(error)
        sys.exit(1)
else:
    from upreel.video.reader import Reader
    from upreel.video.writer import Writer
    with Reader(source) as reader, Writer(
        target, source=reader, size=(64, 48), encoding=FAST
    ) as writer:
        for number, frame in enumerate(reader):
            writer.write(frame)
            if number == 60:
                os.kill(os.getpid(), signal.SIGKILL)
"""


def run_child(source: Path, target: Path, mode: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CHILD, str(source), str(target), mode],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


@pytest.mark.parametrize("extension", [".mp4", ".mkv"])
def test_a_write_that_fails_is_one_sentence(tmp_path: Path, extension: str) -> None:
    source = write_video(tmp_path / "in.mp4", 300, size=(128, 96), audio=True)
    (tmp_path / "out").mkdir()
    done = run_child(source, tmp_path / "out" / f"out{extension}", "full")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.startswith("Cannot write ") and "file too large" in done.stdout
    assert list((tmp_path / "out").iterdir()) == []


def test_a_killed_process_leaves_nothing_that_looks_finished(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 100, audio=True)
    (tmp_path / "out").mkdir()
    done = run_child(source, tmp_path / "out" / "out.mp4", "kill")
    assert done.returncode == -signal.SIGKILL, done.stderr
    (left,) = (tmp_path / "out").iterdir()
    assert left.name.startswith(".out.") and left.name.endswith(".partial.mp4")
