"""Ctrl-C and SIGTERM: a clean end at once, or else a quick one."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from upreel.cli.console import say
from upreel.core.files import Pending, discard_pending

GRACE = 0.5
"""Seconds in which a command can clean up by itself before the process is ended."""
STATUS: dict[int, int] = {signal.SIGINT: 130, signal.SIGTERM: 143}
"""The exit status for each signal, as shells count them."""


class Terminated(BaseException):
    """Another process asked this one to end; it cleans up as after Ctrl-C."""


def say_stopped() -> None:
    """What a command says that was stopped."""
    say("stopped; nothing that is not finished has the name of the result")


def say_kept(arguments: Sequence[str]) -> None:
    """The last line of a command that did not come to its end but kept finished work."""
    for target, frames in Pending.kept.items():
        command = shlex.join(["upreel", *arguments])
        say(f"{frames} frames of {target} are finished and kept; to go on: {command}")


@contextmanager
def stopping_in_time(arguments: Sequence[str]) -> Iterator[None]:
    """End this process soon after a signal, even in the middle of a call that takes long.

    The signal becomes an exception in the main thread, and what was begun is cleaned up on its way.
    But a step of a network, or an encoder that is flushed, can take seconds, and Python sees the
    signal only when it returns. A thread of our own hears of it at once: where `GRACE` was too
    short, it removes what is not finished and ends the process.

    Args:
        arguments: what follows the program's name in the command.
    """
    before = signal.signal(signal.SIGTERM, _terminate)
    heard, bell = socket.socketpair()
    bell.setblocking(False)
    bell_before = signal.set_wakeup_fd(bell.fileno(), warn_on_full_buffer=False)
    ended = threading.Event()
    threading.Thread(
        target=_watch, args=(heard, ended, arguments), name="stopping", daemon=True
    ).start()
    try:
        yield
    finally:
        ended.set()
        signal.set_wakeup_fd(bell_before)
        bell.close()
        signal.signal(signal.SIGTERM, before)


def _show_cursor() -> None:
    """Undo what a line that is drawn in place has done to a terminal."""
    from rich.console import Console

    Console(stderr=True).show_cursor()


def _watch(heard: socket.socket, ended: threading.Event, arguments: Sequence[str]) -> None:
    with heard:
        while number := heard.recv(1):
            status = STATUS.get(number[0])
            if status is not None and not ended.wait(GRACE):
                discard_pending()
                say_stopped()
                say_kept(arguments)
                _show_cursor()
                os._exit(status)


def _terminate(signal_number: int, frame: object) -> None:
    raise Terminated
