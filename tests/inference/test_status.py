"""A file that tells other programs how far the work is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from upreel.core.files import discard_pending
from upreel.errors import OutputError
from upreel.inference import status
from upreel.inference.pipeline import Progress
from upreel.inference.status import Status


def read(path: Path) -> dict[str, object]:
    found = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_what_it_tells_and_how_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "INTERVAL", 0.0)
    path = tmp_path / "status.json"
    with Status(path, tmp_path / "out.mp4") as told:
        assert read(path)["state"] == "running"
        told.update(Progress(30, 100, 2.0, 10))
        found = read(path)
        assert found.pop("updated")
        assert found == {
            "state": "running", "target": str(tmp_path / "out.mp4"), "frames": 30, "total": 100,
            "before": 10, "fps": 10.0, "seconds_left": 7.0, "message": None, "pid": os.getpid(),
        }  # fmt: skip
    assert read(path)["state"] == "done"
    assert [file.name for file in tmp_path.iterdir()] == ["status.json"]


@pytest.mark.parametrize(
    ("error", "state", "message"),
    [(OutputError("no room"), "failed", "no room"), (KeyboardInterrupt(), "stopped", None)],
)
def test_it_tells_how_the_work_broke_off(
    tmp_path: Path, error: BaseException, state: str, message: str | None
) -> None:
    path = tmp_path / "status.json"
    with pytest.raises(type(error)), Status(path, tmp_path / "out.mp4"):
        raise error
    assert (read(path)["state"], read(path)["message"]) == (state, message)


def test_a_process_that_ends_at_once_says_so(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    with Status(path, tmp_path / "out.mp4"):
        discard_pending()
        assert read(path)["state"] == "stopped"
    assert read(path)["state"] == "stopped"


def test_updates_are_not_too_many_and_no_reason_to_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    path = folder / "status.json"
    with Status(path, tmp_path / "out.mp4") as told:
        monkeypatch.setattr(status, "INTERVAL", 1e9)
        told.update(Progress(1, 2, 1.0))
        assert read(path)["frames"] == 0
        monkeypatch.setattr(status, "INTERVAL", 0.0)
        path.unlink()
        folder.rmdir()
        told.update(Progress(2, 2, 1.0))
    assert "Cannot write" in caplog.text


def test_a_file_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"^Cannot write .*status\.json: no such file"):
        Status(tmp_path / "nowhere" / "status.json", tmp_path / "out.mp4")
