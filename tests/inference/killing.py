"""Kills runs at random instants and starts them again: `python -m tests.inference.killing ...`.

A process of its own, which has imported everything and started no thread, so that each run is a
fork that begins at once.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import upreel.cli.progress
import upreel.inference.status
import upreel.models.swift
from upreel.cli import main

IMPORTED = (upreel.cli.progress, upreel.inference.status, upreel.models.swift)


def run(arguments: list[str], seconds: float | None = None) -> int:
    """Fork, run a command, and kill it after some seconds; its exit status, negative if killed."""
    child = os.fork()
    if not child:
        os._exit(main(arguments))
    ends = None if seconds is None else time.monotonic() + seconds
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if ends is not None and time.monotonic() >= ends:
            os.kill(child, signal.SIGKILL)
            ends = None
        time.sleep(0.001)


def kill_again_and_again(arguments: list[str], target: Path, kills: int, seed: int) -> None:
    """Print a line for each run; end when one has come to its end after so many kills."""
    chance = random.Random(seed)
    began = time.monotonic()
    if run(arguments) != 0:
        sys.exit("the run that nobody disturbs failed")
    whole = time.monotonic() - began
    target.rename(target.with_name(f"whole{target.suffix}"))
    done = 0
    while done < kills:
        status = run(arguments, chance.uniform(0, whole * 1.05))
        done += status == -signal.SIGKILL
        sys.stdout.write(f"{status} {target.exists()}\n")
        if status == 0 or (status == -signal.SIGKILL and target.exists()):
            target.rename(target.with_name(f"{done}-{time.monotonic_ns()}{target.suffix}"))
        elif status != -signal.SIGKILL:
            sys.exit(f"a run ended with {status}")
    if run(arguments) != 0:
        sys.exit("the last run failed")


if __name__ == "__main__":
    given = sys.argv[1:]
    kill_again_and_again(given[3:], Path(given[0]), int(given[1]), int(given[2]))
