"""Videos and images: probed, read and enlarged in a child process that may die of them.

FFmpeg is not instrumented, so no coverage leads the way: files of every container we read are
changed at random. A finding is whatever is not one line of ours: another error, a crash, ten
seconds without an answer, or more memory than files of this size have a right to.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import resource
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from types import TracebackType

from fuzz.mutation import mutate
from fuzz.patience import SECONDS, WAITING

CHILD = "--child"
CORPUS = Path(__file__).parent / "corpus" / "media"
MEMORY = 1 << 30
"""Bytes beyond what the process had before."""
_FRAMES = 40
_ENLARGED = 4
"""Every so manieth file goes through the whole command, which takes longer."""
_LIMIT = 4 << 30
"""What the system lets the process have at most, beyond what it had before."""


@dataclass(slots=True)
class Report:
    """What came of a run.

    Attributes:
        files: tried.
        understood: those that could be read, at least in part.
        findings: names of files that did harm, and which.
    """

    files: int = 0
    understood: int = 0
    findings: dict[str, str] = field(default_factory=dict)


def fuzz_media(
    out: Path, *, seconds: float = math.inf, seed: int = 1, files: int | None = None
) -> Report:
    """Try changed files until the time is over.

    Args:
        out: where files go that did harm.
        seconds: at most.
        seed: of the changes.
        files: stop after as many.
    """
    random, report = Random(seed), Report()
    seeds = {path.name: path.read_bytes() for path in sorted(CORPUS.iterdir())}
    others, names = list(seeds.values()), list(seeds)
    deadline = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder, Reading() as child:
        while time.monotonic() < deadline and report.files != files:
            name = names[report.files % len(names)]
            content = mutate(seeds[name], random, others)
            path = Path(folder) / name
            path.write_bytes(content)
            said = child.read(path, enlarge=report.files % (_ENLARGED * len(names)) < len(names))
            path.unlink()
            report.files += 1
            report.understood += said == "read"
            if said not in ("read", "refused"):
                kept = out / f"{seed}-{report.files}-{name}"
                kept.write_bytes(content)
                report.findings[kept.name] = said
    return report


class Reading:
    """A child process that reads files, and is there again after each that kills it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Reading:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def read(self, path: Path, *, enlarge: bool) -> str:
        """Let it read a file.

        Returns:
            `read`, `refused`, or in words what harm was done.
        """
        process = self._process or self._begin()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{'enlarge' if enlarge else 'read'} {path}\n".encode())
        process.stdin.flush()
        deadline, busy = time.monotonic() + WAITING, _busy(process.pid) + SECONDS
        while not select.select([process.stdout], [], [], 0.5)[0]:
            if time.monotonic() > deadline or _busy(process.pid) > busy:
                self._end()
                return f"no answer within {SECONDS:g} s"
        answer = process.stdout.readline().decode().strip()
        if not answer:
            status = process.wait()
            self._end()
            return f"died with status {status}"
        return answer

    def _begin(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fuzz", CHILD], cwd=Path(__file__).parent.parent,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout is not None
        self._process.stdout.readline()  # it is there
        return self._process

    def _end(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait()
        self._process = None


def _busy(process: int) -> float:
    """Seconds that a process has had the processor."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def serve() -> None:
    """What the child does: read each file that it is told, and say one word of it."""
    import upreel.cli
    import upreel.inference.pipeline
    import upreel.video.reader  # noqa: F401

    most = _memory("VmSize") + _LIMIT
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)  # nothing else gets between the answers
        print("ready", file=answers, flush=True)
        for line in sys.stdin:
            kind, _, name = line.rstrip("\n").partition(" ")
            print(_try(Path(name), enlarge=kind == "enlarge"), file=answers, flush=True)


def _try(path: Path, *, enlarge: bool) -> str:
    """What becomes of a file."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory begins anew
    before = _memory("VmRSS")
    try:
        said = _enlarge(path) if enlarge else _read(path)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    used = _memory("VmHWM") - before
    return f"took {used >> 20} MB" if used > MEMORY else " ".join(said.split()) or "nothing said"


def _read(path: Path) -> str:
    from upreel.errors import UpreelError
    from upreel.video.probe import describe, probe
    from upreel.video.reader import Reader

    try:
        with contextlib.suppress(UpreelError):
            describe(probe(path))
        with Reader(path) as reader:
            count = sum(1 for _ in islice(reader, _FRAMES))
            _ = reader.damage, reader.frames
    except UpreelError as error:
        assert "\n" not in str(error), "more than one line"
        return "refused"
    return "read" if count else "refused"


def _enlarge(path: Path) -> str:
    from upreel.cli import main

    target = path.with_name("out.mkv")
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        status = main(["upscale", str(path), str(target), "--model", "bicubic", "--scale", "2",
                       "--end", "2", "--overwrite", "--codec", "ffv1"])  # fmt: skip
    for written in path.parent.glob("out*.mkv"):
        written.unlink()
    lines = said.getvalue()
    if status not in (0, 1, 2) or "mistake in upreel" in lines or "memory" in lines:
        return lines.strip().splitlines()[-1] if lines.strip() else f"status {status}"
    return "refused" if status else "read"


def _memory(name: str) -> int:
    """Bytes of this process, as the system counts them."""
    return next(_counted(name)) * 1024


def _counted(name: str) -> Iterator[int]:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            yield int(line.split()[1])
