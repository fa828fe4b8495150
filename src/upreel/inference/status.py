"""How far a job is, in a file for other programs."""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Literal

from upreel.core.files import Pending, replace_text
from upreel.errors import OutputError
from upreel.inference.pipeline import Progress

log = logging.getLogger(__name__)

INTERVAL = 0.5
"""Seconds between two updates, at least."""

State = Literal["running", "done", "failed", "stopped"]


class Status(Pending):
    """A JSON file that is replaced as a whole, so that it can be read at any time.

    Use it as a context manager: an error that passes through is written down. Its keys: `state`
    (`running`, `done`, `failed` or `stopped`), `target`, `frames` (written so far), `total` (or
    null), `before` (frames of `frames` that an earlier run has written), `fps`, `seconds_left` (or
    null), `message` (or null), `pid`, and `updated` (seconds since 1970).
    """

    def __init__(self, path: Path, target: Path) -> None:
        """Write that the job runs.

        Args:
            path: of the file.
            target: the output of the job.

        Raises:
            OutputError: the file cannot be written.
        """
        self.path = path
        self.target = target
        self._state: State = "running"
        self._message: str | None = None
        self._progress = Progress(0, None, 0.0)
        self._written = time.monotonic()
        replace_text(path, self._text())
        self.begun.add(self)

    def update(self, progress: Progress) -> None:
        """Write how far the job is, unless that was done a moment ago."""
        self._progress = progress
        if time.monotonic() - self._written >= INTERVAL:
            self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        try:
            replace_text(self.path, self._text())
        except OutputError as error:  # no reason to give up the job
            log.warning("%s", error)

    def _text(self) -> str:
        now = self._progress
        told = {
            "state": self._state,
            "target": str(self.target),
            "frames": now.frames,
            "total": now.total,
            "before": now.before,
            "fps": round(now.fps, 3),
            "seconds_left": None if now.remaining is None else round(now.remaining, 1),
            "message": self._message,
            "pid": os.getpid(),
            "updated": round(time.time(), 3),
        }
        return json.dumps(told, indent=1) + "\n"

    def _end(self, state: State, message: str | None = None) -> None:
        if self._state == "running":
            self._state, self._message = state, message
            self._write()

    def discard(self) -> None:
        """Write that the job was stopped, if it has not come to an end."""
        self._end("stopped")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write how it ended."""
        if kind is None:
            self._end("done")
        elif issubclass(kind, Exception):
            self._end("failed", str(error) or kind.__name__)
        super().__exit__(kind, error, trace)
