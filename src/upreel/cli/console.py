"""Messages to the person at the terminal: one line each, on stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Annotated

import typer


class _StderrHandler(logging.Handler):
    """Writes each message once, to what stderr is then: a progress bar may stand before it."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = self.format(record)
        if message not in self._said:  # training reads the same odd file again and again
            self._said.add(message)
            say(message)


def say(message: str) -> None:
    """Write one line to stderr, with the program's name before it."""
    sys.stderr.write(f"upreel: {' '.join(message.split())}\n")
    sys.stderr.flush()


def show_download(name: str, address: str, licence: str) -> Callable[[int, int | None], None]:
    """What tells of a download: its size before anything comes, then each tenth of it."""
    told = -1

    def show(done: int, total: int | None) -> None:
        nonlocal told
        if told < 0:
            size = "of a size that is not told" if total is None else f"{total / 1e6:.1f} MB"
            say(f"{name}: {size}, {done / 1e6:.1f} MB here already, from {address}")
            say(licence)
        tenth = done * 10 // total if total else 0
        if tenth > max(told, 0):
            say(f"{done / 1e6:.1f} MB, {10 * tenth} %")
        told = max(told, tenth)

    return show


def set_up_logging() -> None:
    """Send Upreel's warnings, and with `-v` its information, to stderr; Python's own need `-v`."""
    logging.captureWarnings(True)
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, _StderrHandler)]:
        root.removeHandler(handler)
    root.addHandler(_StderrHandler())
    set_verbose(False)


def set_verbose(verbose: bool) -> bool:
    """Show more, or less; the argument is given back, as an option's callback has to."""
    logging.getLogger("upreel").setLevel(logging.INFO if verbose else logging.WARNING)
    logging.getLogger("py.warnings").setLevel(logging.WARNING if verbose else logging.ERROR)
    return verbose


def is_verbose() -> bool:
    """Whether `-v` was given."""
    return logging.getLogger("upreel").isEnabledFor(logging.INFO)


Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Say more: what was found and chosen; after an unexpected error, where it happened.",
        callback=set_verbose,
        is_eager=True,
        show_default=False,
    ),
]
"""Every command takes this; its callback has done the work before the command begins."""
