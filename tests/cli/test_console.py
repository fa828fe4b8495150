from __future__ import annotations

import logging

import pytest

from upreel.cli.console import set_up_logging


def test_a_message_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("upreel.video.reader")
    for _ in range(2):  # two runs of the command in one process
        set_up_logging()
        for name in ("a.mp4", "a.mp4", "b.mp4"):
            log.warning("%s has no clock", name)
    lines = ["upreel: a.mp4 has no clock", "upreel: b.mp4 has no clock"]
    assert capsys.readouterr().err.splitlines() == lines * 2
