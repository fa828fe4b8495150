"""The command line changes the logging of the process; tests leave it as it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("", "upreel", "py.warnings")]
    before = [(logger.level, list(logger.handlers)) for logger in loggers]
    yield
    logging.captureWarnings(False)
    for logger, (level, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers
