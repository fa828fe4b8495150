"""What holds for all tests: those marked `gpu` run where there is one."""

from __future__ import annotations

import signal

import pytest
import torch


def pytest_configure() -> None:
    """Hear Ctrl-C also where a shell started the tests in the background, with SIGINT ignored.

    What they start inherits that, and could not be asked to stop.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
