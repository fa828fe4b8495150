from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from upreel.core.files import PendingFile, PendingFolder, partial_name
from upreel.errors import OutputError, UsageError


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_file_gets_its_name_when_complete(tmp_path: Path) -> None:
    with PendingFile(tmp_path / "out.mp4") as pending:
        pending.path.write_bytes(b"whole")
        assert not (tmp_path / "out.mp4").exists()
        assert pending.path.parent == tmp_path
        assert pending.path.name.startswith(".out.") and pending.path.suffix == ".mp4"
        assert pending.commit() == tmp_path / "out.mp4"
    assert names(tmp_path) == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"whole"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_no_trace(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "out.mp4").write_bytes(b"old")
    with pytest.raises(error), PendingFile(tmp_path / "out.mp4", overwrite=True) as pending:
        pending.path.write_bytes(b"half")
        raise error
    assert names(tmp_path) == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"old"


def test_partial_results_have_another_name(tmp_path: Path) -> None:
    assert partial_name(tmp_path / "a.b.mkv") == tmp_path / "a.b.partial.mkv"
    with PendingFile(tmp_path / "out.mkv") as pending:
        assert pending.commit(partial=True) == tmp_path / "out.partial.mkv"
    assert names(tmp_path) == ["out.partial.mkv"]


def test_a_name_that_was_taken_meanwhile_is_left_alone(tmp_path: Path) -> None:
    with PendingFile(tmp_path / "out.mp4") as pending:
        (tmp_path / "out.mp4").write_bytes(b"somebody's")
        with pytest.raises(UsageError, match=r"out\.mp4 exists already.*--overwrite"):
            pending.commit()
    assert names(tmp_path) == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"somebody's"


def test_a_folder_that_is_missing_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"Cannot write .*no such file or directory"):
        PendingFile(tmp_path / "missing" / "out.mp4").__enter__()
    with pytest.raises(OutputError, match=r"Cannot write .*not a directory"):
        (tmp_path / "file").touch()
        PendingFolder(tmp_path / "file" / "out").__enter__()


def test_long_names_are_no_obstacle(tmp_path: Path) -> None:
    target = tmp_path / ("ü" * 120 + ".mp4")
    with PendingFile(target) as pending:
        pending.commit()
    assert target.exists()


def test_files_have_the_rights_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with PendingFile(tmp_path / "out.mp4") as pending:
        pending.commit()
    assert (tmp_path / "out.mp4").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_folder_appears_at_once(tmp_path: Path) -> None:
    with PendingFolder(tmp_path / "out") as pending:
        (pending.path / "1.png").write_bytes(b"1")
        assert not (tmp_path / "out").exists()
        assert pending.commit() == tmp_path / "out"
    assert names(tmp_path) == ["out", "out/1.png"]


def test_a_folder_keeps_what_it_holds(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in ("notes.txt", "1.png", "2.png"):
        (out / name).write_bytes(b"old")
    with PendingFolder(out) as pending:
        (pending.path / "1.png").write_bytes(b"new")
        with pytest.raises(UsageError, match="exists already"):
            pending.commit()
    assert names(out) == ["1.png", "2.png", "notes.txt"]
    replaces = re.compile(r"\d+\.png")
    with PendingFolder(out, overwrite=True, replaces=replaces) as pending:
        (pending.path / "1.png").write_bytes(b"new")
        pending.commit()
    assert names(out) == ["1.png", "notes.txt"]
    assert (out / "1.png").read_bytes() == b"new"


def test_a_folder_leaves_no_trace_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), PendingFolder(tmp_path / "out") as pending:
        (pending.path / "1.png").write_bytes(b"1")
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_a_killed_process_leaves_nothing_that_looks_finished(tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib; from upreel.core.files import PendingFile\n"
        "with PendingFile(pathlib.Path(sys.argv[1])) as pending:\n"
        "    pending.path.write_bytes(b'half'); print('ready', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "out.mp4")], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        os.kill(process.pid, signal.SIGKILL)
    assert all(re.fullmatch(r"\.out\.\w+\.partial\.mp4", name) for name in names(tmp_path))
