"""The command line changes logging and a signal of the process; tests leave both as they were."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    terminate = signal.getsignal(signal.SIGTERM)
    loggers = [logging.getLogger(name) for name in ("", "upreel", "py.warnings")]
    before = [(logger.level, list(logger.handlers)) for logger in loggers]
    yield
    signal.signal(signal.SIGTERM, terminate)
    logging.captureWarnings(False)
    for logger, (level, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers
