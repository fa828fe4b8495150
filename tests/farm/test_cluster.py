"""With Ray itself: two actors make what one process makes; one that dies, a driver that dies."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.inference.test_resume import everything
from tests.video.media import write_video
from upreel.errors import OutputError, UsageError
from upreel.farm.orders import Answer, Event
from upreel.inference.pipeline import Options, upscale

pytest.importorskip("ray")

OPTIONS = Options(scale=2, precision="fp32", segment=8)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Ray on this machine, once for all tests here."""
    from upreel.farm.cluster import connected

    with connected(None, cores=2):
        yield


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two videos, and what one process makes of them in `alone`."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "in").mkdir()
    (folder / "alone").mkdir()
    write_video(folder / "in" / "a.mkv", 30, size=(48, 32), audio=True, subtitles=True)
    write_video(folder / "in" / "b.mp4", 20, size=(48, 32))
    torch.set_num_threads(1)
    for name in ("a.mkv", "b.mp4"):
        upscale(folder / "in" / name, folder / "alone" / name, OPTIONS)
    return folder


def check(videos: Path, out: Path) -> None:
    for name in ("a.mkv", "b.mp4"):
        assert everything(out / name) == everything(videos / "alone" / name)
    assert sorted(path.name for path in out.iterdir()) == ["a.mkv", "b.mp4"]


@pytest.mark.usefixtures("cluster")
def test_two_actors_make_what_one_process_makes(videos: Path, tmp_path: Path) -> None:
    from upreel.farm.running import Crew, run

    events: list[Event] = []
    outcome = run(
        [str(videos / "in")],
        str(tmp_path / "out"),
        OPTIONS,
        crew=Crew(workers=2, threads=1),
        cache=tmp_path / "cache",
        tell=events.append,
    )
    assert not outcome.failed
    assert len({event.worker for event in events if event.event == "segment"}) == 2
    check(videos, tmp_path / "out")


def test_it_says_what_it_waits_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker that no machine has room for never starts, and Ray says nothing."""
    from upreel.farm import cluster

    class Late(cluster.RayPool):
        def __init__(self) -> None:
            self._threads, self._gpus, self.waited = 64, 2.0, 0

        @property
        def free(self) -> int:
            return 0

        def wait(self, seconds: float) -> Sequence[Answer]:
            self.waited += 1
            if self.waited == 3:
                raise OutputError("stopped")
            return []

    monkeypatch.setattr(cluster, "PATIENCE", -1.0)
    with pytest.raises(OutputError, match="stopped"), caplog.at_level(logging.WARNING):
        Late().choose_pins("cpu", "fp32")
    ((_, _, message),) = caplog.record_tuples
    assert "a machine with 64 free cores and 2 GPUs" in message


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_worker_that_is_killed_costs_its_segment(videos: Path, tmp_path: Path) -> None:
    from upreel.farm.running import Crew, run

    events: list[Event] = []

    def kill(event: Event) -> None:
        events.append(event)
        if event.event == "segment" and len([e for e in events if e.event == "segment"]) == 1:
            (found,) = (e for e in events if e.event == "worker" and e.worker != event.worker)
            number = re.search(r"process (\d+)", found.message or "")
            assert number is not None
            os.kill(int(number[1]), signal.SIGKILL)

    outcome = run(
        [str(videos / "in")],
        str(tmp_path / "out"),
        OPTIONS,
        crew=Crew(workers=2, threads=1),
        cache=tmp_path / "cache",
        tell=kill,
    )
    assert not outcome.failed
    lost = [event for event in events if event.event == "lost" and event.source]
    assert len(lost) == 1
    made = [(event.source, event.segment) for event in events if event.event == "segment"]
    assert len(made) == len(set(made)) == 7  # each once
    check(videos, tmp_path / "out")


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_device_that_is_not_there_is_one_line(videos: Path, tmp_path: Path) -> None:
    from upreel.farm.running import Crew, run

    with pytest.raises(UsageError, match="expected GPUs in the cluster"):
        run([str(videos / "in")], str(tmp_path / "out"), OPTIONS, crew=Crew(workers=1, gpus=0.5))
    with pytest.raises(UsageError, match="cuda"):
        run(
            [str(videos / "in")],
            str(tmp_path / "out"),
            replace(OPTIONS, device="cuda:7"),
            crew=Crew(workers=1),
            cache=tmp_path / "cache",
        )


@pytest.mark.slow
def test_a_driver_that_is_killed_goes_on(videos: Path, tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "upreel", "farm", str(videos / "in"), "--out", str(tmp_path / "out"),
        "--scale", "2", "--precision", "fp32", "--segment", "8", "--workers", "2", "--threads", "1",
        "--cache", str(tmp_path / "cache"), "--json",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as first:
        assert first.stdout is not None
        made: list[tuple[str, int]] = []
        workers: list[int] = []
        for line in first.stdout:
            event = json.loads(line)
            if event["event"] == "worker":
                workers.append(int(event["message"].split()[1]))
            if event["event"] == "segment":
                made.append((event["source"], event["segment"]))
                if len(made) == 2:
                    first.kill()
                    break
    assert not any((tmp_path / "out").glob("[!.]*"))
    ends = time.monotonic() + 60
    while any(_lives(pid) for pid in workers) and time.monotonic() < ends:
        time.sleep(0.1)
    assert not any(_lives(pid) for pid in workers)
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=600
    )
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    again = [(event["source"], event["segment"]) for event in events if event["event"] == "segment"]
    assert set(made).isdisjoint(again)
    assert len(made) + len(again) in {7, 8}  # what was on its way when it was killed comes again
    check(videos, tmp_path / "out")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")
