"""Messages to the person at the terminal: one line each, on stderr."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer


class _StderrHandler(logging.Handler):
    """Writes to whatever stderr is at that moment: a progress bar may have put itself before it."""

    def emit(self, record: logging.LogRecord) -> None:
        say(self.format(record))


def say(message: str) -> None:
    """Write one line to stderr, with the program's name before it."""
    sys.stderr.write(f"upreel: {' '.join(message.split())}\n")
    sys.stderr.flush()


def set_up_logging() -> None:
    """Send Upreel's warnings, and with `-v` its information, to stderr; Python's own need `-v`."""
    logging.captureWarnings(True)
    root = logging.getLogger()
    if not any(isinstance(handler, _StderrHandler) for handler in root.handlers):
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
