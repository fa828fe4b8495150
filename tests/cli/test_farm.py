"""`upreel farm`: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.farm.pools import Here, MemoryStore
from tests.inference.test_resume import everything
from tests.video.media import write_video
from upreel.cli import main


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers in this process instead of Ray."""
    pytest.importorskip("ray")
    from upreel.farm import running

    store = MemoryStore()

    @contextmanager
    def connected(address: str | None, *, cores: int) -> Iterator[None]:
        yield

    class Pool(Here):
        def __init__(self, size: int, *, threads: int, gpus: float, cache: Path) -> None:
            super().__init__(store, cache, size=size)

        def __enter__(self) -> Pool:
            return self

        def __exit__(self, *details: object) -> None:
            pass

    monkeypatch.setattr(running, "connected", connected)
    monkeypatch.setattr(running, "RayPool", Pool)
    monkeypatch.setattr(running, "RayStore", lambda: store)
    monkeypatch.setattr(running, "resources", lambda: (2, 0.0))


@pytest.mark.usefixtures("local")
def test_lines_of_json_and_exit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    write_video(tmp_path / "in" / "a.mp4", 9, size=(32, 32))
    out = str(tmp_path / "out")
    command = [
        "farm", str(tmp_path / "in"), "--out", out, "--model", "bicubic", "--scale", "2",
        "--segment", "4", "--json", "--cache", str(tmp_path / "cache"), "--precision", "fp32",
    ]  # fmt: skip
    assert main(command) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    names = [event["event"] for event in events if event["event"] != "progress"]
    assert names[0] == "opened"
    assert names.count("segment") == 3
    assert names[-1] == "end"
    assert events[-1]["frames"] == 9
    assert len(everything(tmp_path / "out" / "a.mp4").frames) == 9
    (tmp_path / "in" / "b.mp4").write_text("no video")
    command.remove("--json")
    assert main(command) == 1
    told = capsys.readouterr()
    assert told.out.startswith("0 done, 1 skipped, 1 failed: 0 frames in ")
    assert "a.mp4: is there already, skipped" in told.err
    assert "b.mp4" in told.err


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.mp4", "--out", "out"], "found nothing at none.mp4"),
        (["a.mp4", "--out", "out", "--container", "avi"], "for --container, found avi"),
        (["a.mp4", "--out", "out", "--gpus-per-worker", "0.5"], "expected GPUs in the cluster"),
        (["a.mp4", "x/a.mp4", "--out", "out"], "would both become out/a.mp4"),
        (["a.mp4", "--out", "out", "--fps", "never"], "expected a frame rate"),
    ],
)
def test_what_cannot_be_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    for name in ("a.mp4", "x/a.mp4"):
        (tmp_path / name).touch()
    assert main(["farm", *arguments, "--cache", "cache"]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_without_ray_a_line_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    for name in ("upreel.farm.cluster", "upreel.farm.running"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert main(["farm", "a.mp4", "--out", str(tmp_path)]) == 2
    assert "pip install 'upreel[farm]'" in capsys.readouterr().err


def test_workers_and_their_cores() -> None:
    pytest.importorskip("ray")
    from upreel.farm.running import Crew

    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"  # Ray reports nothing
    assert Crew().chosen(8, 0, "auto") == (8, 1, 0.0)
    assert Crew(threads=4).chosen(8, 0, "auto") == (2, 4, 0.0)
    assert Crew(workers=3).chosen(8, 0, "auto") == (3, 2, 0.0)
    assert Crew(workers=9).chosen(8, 0, "cpu") == (9, 1, 0.0)
    assert Crew().chosen(16, 2, "auto") == (2, 8, 1.0)
    assert Crew(gpus=0.5).chosen(16, 2, "cuda") == (4, 4, 0.5)
    assert Crew().chosen(16, 2, "cpu") == (16, 1, 0.0)
