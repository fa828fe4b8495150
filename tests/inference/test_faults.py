"""Faults by small real means: each ends in one clear line, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.inference.test_resume import (
    FRAMES,
    begin,
    everything,
)
from tests.video.media import write_video
from upreel.errors import MediaError, OutputError
from upreel.inference import job
from upreel.inference.pipeline import Options, Progress, upscale
from upreel.inference.work import folder_of
from upreel.models.bicubic import Bicubic
from upreel.models.upscaler import State, Upscaler, Window

OPTIONS = Options(model="bicubic", scale=2, segment=8)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_video(tmp_path / "in.mkv", FRAMES, audio=True, size=(48, 32))


@pytest.fixture
def whole(source: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "whole"
    folder.mkdir()
    return upscale(source, folder / "out.mp4", OPTIONS).path


class Disk:
    """A file system of its own, in memory."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def mount(self, *options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(self.place)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def remount(self, *options: str) -> None:
        subprocess.run(["mount", "-o", ",".join(("remount", *options)), self.place], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    place = tmp_path / "disk"
    place.mkdir()
    made = Disk(place)
    if sys.platform != "linux" or os.geteuid() != 0 or not made.mount("size=64k"):
        pytest.skip("only root can make a file system")
    yield made
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_keeps_what_is_finished(source: Path, whole: Path, disk: Disk) -> None:
    target = disk.place / "out.mp4"
    # The last of three pages goes to the ledger.
    (disk.place / "ballast").write_bytes(bytes(40_000))
    with pytest.raises(OutputError, match=r"^Cannot write .*out\.mp4: no space left on device"):
        upscale(source, target, OPTIONS)
    assert not target.exists()
    (disk.place / "ballast").unlink()
    disk.remount("size=1m")
    assert upscale(source, target, OPTIONS).before >= 0
    assert everything(target) == everything(whole)
    assert [path.name for path in disk.place.iterdir()] == ["out.mp4"]


def test_a_disk_that_can_only_be_read(source: Path, disk: Disk) -> None:
    target = disk.place / "out.mp4"
    disk.remount("size=1m")
    begin(source, target, OPTIONS)
    disk.remount("ro")
    with pytest.raises(OutputError, match=r"^Cannot write .*out\.mp4: read-only file system"):
        upscale(source, target, OPTIONS)
    disk.remount("rw")
    assert upscale(source, target, OPTIONS).before == 16


def test_a_folder_that_can_only_be_read(tmp_path: Path, source: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("root may write everywhere")
    with pytest.raises(OutputError, match=r"^Cannot write .*out\.mp4: permission denied"):
        upscale(source, folder / "out.mp4", OPTIONS)


@pytest.mark.parametrize("how", ["replaced", "changed", "removed"])
def test_a_source_that_does_not_stay_as_it_is(tmp_path: Path, source: Path, how: str) -> None:
    target, other = tmp_path / "out.mp4", tmp_path / "other.mkv"
    write_video(other, 12, size=(48, 32), audio=True)

    def meddle(progress: Progress) -> None:
        if progress.frames != 12:
            return
        if how == "replaced":
            other.replace(source)
        elif how == "changed":
            with source.open("ab") as file:
                file.write(b"more")
        else:
            source.unlink()

    with pytest.raises(MediaError, match=r"in\.mkv was changed, replaced or removed while it was"):
        upscale(source, target, OPTIONS, progress=meddle)
    assert not target.exists()
    if how == "replaced":
        assert upscale(source, target, OPTIONS).frames == 12
        assert not folder_of(target).exists()


def test_clocks_may_go_wrong(
    tmp_path: Path, source: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.mp4"
    monkeypatch.setattr(time, "time", lambda: 4e9)
    begin(source, target, OPTIONS)
    for file in folder_of(target).iterdir():
        os.utime(file, (0, 0))
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert upscale(source, target, OPTIONS).before == 16
    assert everything(target) == everything(whole)


def test_two_runs_for_one_output(tmp_path: Path, source: Path, whole: Path) -> None:
    target = tmp_path / "out.mp4"
    said: list[str] = []

    def again(progress: Progress) -> None:
        if progress.frames in {3, 20}:
            for options in (OPTIONS, replace(OPTIONS, resume=False)):
                with pytest.raises(OutputError) as caught:
                    upscale(source, target, options)
                said.append(str(caught.value))

    upscale(source, target, OPTIONS, progress=again)
    assert (
        said
        == [f"Another upreel is writing {target}. Wait for it, stop it, or name another file."] * 4
    )
    assert everything(target) == everything(whole)


CHILD = """
import resource, sys
import upreel.cli.progress, upreel.inference.status, upreel.models.swift
from upreel.cli import main
which, room = int(sys.argv[1]), int(sys.argv[2])
if which == resource.RLIMIT_AS:
    for line in open("/proc/self/status"):
        if line.startswith("VmSize"):
            room += int(line.split()[1]) * 1024
resource.setrlimit(which, (room, room))
sys.exit(main(sys.argv[3:]))
"""


def run_limited(which: int, room: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process that may use so much of something."""
    command = [sys.executable, "-c", CHILD, str(which), str(room), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)


def test_a_limit_on_the_size_of_files(tmp_path: Path, source: Path, whole: Path) -> None:
    resource = pytest.importorskip("resource")
    target = tmp_path / "out.mp4"
    wishes = ["--model", "bicubic", "--scale", "2", "--segment", "8"]
    room = whole.stat().st_size * 3 // 4  # for each segment, but not for all together
    done = run_limited(resource.RLIMIT_FSIZE, room, "upscale", str(source), str(target), *wishes)
    assert done.returncode == 1
    *_, failed, kept = done.stderr.splitlines()
    assert failed.startswith(f"upreel: Cannot write {target}: file too large")
    assert kept == (
        f"upreel: 25 frames of {target} are finished and kept; to go on: "
        f"upreel upscale {source} {target} {' '.join(wishes)}"
    )
    assert not target.exists()
    assert upscale(source, target, OPTIONS).before == FRAMES
    assert everything(target) == everything(whole)


@pytest.mark.slow
def test_a_limit_on_memory(tmp_path: Path) -> None:
    """One line; or a library in C++ ends the process, which is as if it were killed."""
    resource = pytest.importorskip("resource")
    source, target = write_video(tmp_path / "in.mp4", 6, size=(320, 240)), tmp_path / "out.mp4"
    done = run_limited(
        resource.RLIMIT_AS, 40 << 20, "upscale", str(source), str(target), "--segment", "2"
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    if done.returncode > 0:
        lines = [line for line in done.stderr.splitlines() if "memory does not suffice" in line]
        assert len(lines) == 1
    assert not target.exists()
    assert upscale(source, target, Options(segment=2, precision="fp32")).frames == 6


class Moody(Bicubic):
    """Runs out of memory now and then, and gives values that are not finite."""

    def __init__(self, scale: int, *, broken: bool) -> None:
        super().__init__(scale)
        self.steps = 0
        self.broken = broken

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        self.steps += 1
        if self.steps in {5, 13} and max(window.clip.shape[-2:]) > 120:
            raise MemoryError
        high, state = super().step(window, state)
        if self.broken and self.steps % 7 == 3:
            high[..., 0, 0] = float("inf")
        return high, state


class Small(Bicubic):
    """Has no memory for frames larger than `most`; says how large those were that it got."""

    def __init__(self, scale: int, most: int, seen: list[int]) -> None:
        super().__init__(scale)
        self.most = most
        self.seen = seen

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        if max(window.clip.shape[-2:]) > self.most:
            raise MemoryError
        self.seen.append(max(window.clip.shape[-2:]))
        return super().step(window, state)


def test_tiles_that_memory_sufficed_for_stay_when_a_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = write_video(tmp_path / "in.mkv", 20, size=(160, 120)), tmp_path / "out.mp4"
    seen: list[int] = []

    def small(model: str, scale: int, *, device: object, dtype: torch.dtype) -> Upscaler:
        return Small(scale, most, seen)

    most = 120
    monkeypatch.setattr(job, "load", small)
    begin(source, target, OPTIONS, frame=12)
    assert max(seen) <= most
    seen.clear()
    most = 1000
    assert upscale(source, target, OPTIONS).before == 8
    assert max(seen) <= 120


def test_networks_that_fail_lose_no_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = write_video(tmp_path / "in.mkv", 20, size=(160, 120))

    def moody(model: str, scale: int, *, device: object, dtype: torch.dtype) -> Upscaler:
        return Moody(scale, broken=dtype == torch.bfloat16)

    options = replace(OPTIONS, precision="bf16")
    upscale(source, tmp_path / "well.mp4", options)
    monkeypatch.setattr(job, "load", moody)
    result = upscale(source, tmp_path / "out.mp4", options)
    assert "out of memory: trying again with tiles of 80 pixels" in caplog.text
    assert "computing in fp32" in caplog.text
    assert result.frames == 20
    assert everything(tmp_path / "out.mp4") == everything(tmp_path / "well.mp4")
