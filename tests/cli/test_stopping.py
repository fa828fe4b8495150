"""A process that is asked to stop does so soon, whatever it is in the middle of."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

# In a call that does not return to Python for an hour, in the main thread or in another one that
# the clean-up waits for.
BUSY = "hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)"
SCRIPT = """
import hashlib, sys, threading
from pathlib import Path
from upreel.cli.stopping import stopping_in_time
from upreel.core.files import PendingFile, PendingFolder

def busy():
    {busy}

here = Path(sys.argv[1])
with stopping_in_time([]), PendingFile(here / "out.mp4"), PendingFolder(here / "out") as folder:
    (folder.path / "1.png").touch()
    # Said by another thread, and late, so that the call has begun.
    threading.Timer(0.5, print, ["begun"], {{"flush": True}}).start()
    {work}
"""
WORK = {
    "main": "busy()",
    "another": """
    thread = threading.Thread(target=busy, daemon=True)
    thread.start()
    try:
        threading.Event().wait()
    finally:
        thread.join()
""",
}


@pytest.mark.parametrize(("stop", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("thread", WORK)
def test_a_long_call_is_not_waited_for(
    thread: str, stop: signal.Signals, status: int, tmp_path: Path
) -> None:
    code = SCRIPT.format(busy=BUSY, work=WORK[thread])
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(stop)
        try:
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == status
    assert said.startswith("upreel: stopped")
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_gets_its_cursor_back(tmp_path: Path) -> None:
    """A line that is drawn in place has hidden it, and has no time to clean up."""
    pty = pytest.importorskip("pty")
    terminal, end = pty.openpty()
    work = """
    from rich.console import Console
    with Console(stderr=True).status("working"):
        busy()
"""
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(busy=BUSY, work=work), str(tmp_path)],
        stdout=end,
        stderr=end,
        env={**os.environ, "TERM": "xterm"},
    ) as process:
        os.close(end)
        said = b""
        try:
            while b"begun" not in said:
                said += os.read(terminal, 1 << 12)
            process.send_signal(signal.SIGINT)
            while more := os.read(terminal, 1 << 12):
                said += more
        except OSError:  # what Linux says at the end
            pass
        finally:
            process.kill()
            os.close(terminal)
    hide, show = b"\x1b[?25l", b"\x1b[?25h"
    assert hide in said
    assert show in said[said.rindex(hide) :]
