from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from upreel.core.lock import Lock

CHILD = """
import sys, time
from pathlib import Path
from upreel.core.lock import Lock
print(Lock(Path(sys.argv[1])).acquire(), flush=True)
sys.stdin.read()
"""


def test_one_at_a_time_also_among_processes(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    one, other = Lock(path), Lock(path)
    assert one.acquire()
    assert not other.acquire()
    one.release()
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        assert not other.acquire()
        process.kill()  # the system lets go of what a dead process held
    assert other.acquire()
    other.release()


def test_a_file_that_its_owner_removed_is_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    one, other = Lock(path), Lock(path)
    assert one.acquire()
    path.unlink()
    assert other.acquire()
    one.release()
    assert not Lock(path).acquire()
    other.release()
