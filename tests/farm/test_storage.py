"""Files elsewhere: fetched once, told from others, and results that go back."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path, PurePosixPath

import fsspec
import pytest

from tests.farm.pools import Here, MemoryStore
from tests.farm.test_driver import OPTIONS, Stopped
from tests.inference.test_resume import everything
from tests.video.media import write_video
from upreel.errors import DownloadError, MediaError, UsageError
from upreel.farm import items
from upreel.farm.driver import Farm
from upreel.farm.items import find_items
from upreel.farm.orders import Event
from upreel.farm.storage import Cache, Mirror, checked_name
from upreel.inference.pipeline import upscale
from upreel.inference.sources import Sources

FAST = replace(OPTIONS, model="bicubic")


def test_a_file_is_fetched_once_and_the_same_everywhere(tmp_path: Path) -> None:
    source = tmp_path / "in" / "a.bin"
    source.parent.mkdir()
    source.write_bytes(b"something")
    address = f"file://{source}"
    one, other = Cache(tmp_path / "one"), Cache(tmp_path / "other")
    found = one.fetch(address)
    assert Path(found).read_bytes() == b"something"
    assert Path(found).name == "a.bin"
    before = Path(found).stat().st_ino
    assert Path(one.fetch(address)).stat().st_ino == before
    identity = Sources(found).identity
    assert Sources(other.fetch(address)).identity == identity
    source.write_bytes(b"Something")
    os.utime(source, (1, 1))
    assert Sources(one.fetch(address)).identity != identity
    assert one.fetch(str(source)) == str(source)  # a path is used where it is


def test_what_cannot_be_fetched_is_one_line(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    with pytest.raises(MediaError, match=r"expected a file at file://.*none\.mp4, found nothing"):
        cache.fetch(f"file://{tmp_path}/none.mp4")
    with pytest.raises(UsageError, match="cannot use nonsense://a"):
        cache.fetch("nonsense://a.mp4")
    with pytest.raises(UsageError, match="one plain address"):
        cache.fetch("zip://a.mp4::file:///b.zip")


@pytest.mark.parametrize("name", ["../../evil.mp4", "a\\..\\evil.mp4", "/etc/evil.mp4"])
def test_names_stay_in_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    class Hostile:
        def find(self, path: str) -> list[str]:
            return [name if name.startswith("/") else f"{path}/{name}"]

    monkeypatch.setattr(items, "open_file_system", lambda address: (Hostile(), "/bucket/in"))
    with pytest.raises(UsageError):
        find_items(["s3://bucket/in"], str(tmp_path))


def test_a_name_is_one(tmp_path: Path) -> None:
    for name in ("..", "", "a/b", "a\\b", "a\0"):
        with pytest.raises(UsageError, match="expected the name of a file"):
            checked_name(name)


def test_weights_are_checked_and_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    data = b"weights"
    digest = hashlib.sha256(data).hexdigest()
    asked: list[int] = []

    def read() -> bytes:
        asked.append(1)
        return data

    assert cache.keep("a.pth", digest, read) == cache.keep("a.pth", digest, read)
    assert asked == [1]
    with pytest.raises(DownloadError, match="did not come as it was sent"):
        cache.keep("b.pth", "0" * 64, read)


def test_what_dead_processes_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "scratch-999999999").mkdir()
    cache = Cache(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [cache.scratch.name]


@pytest.mark.parametrize("scheme", ["file", "memory"])
def test_results_go_where_they_belong_and_work_goes_on_elsewhere(
    tmp_path: Path, scheme: str
) -> None:
    """What one machine has finished, another one has not to make again."""
    there = f"file://{tmp_path}/there" if scheme == "file" else "memory://there"
    source = write_video(tmp_path / "a.mp4", 18, size=(48, 32))
    file_system, root = fsspec.core.url_to_fs(there)
    file_system.makedirs(f"{root}/in", exist_ok=True)
    file_system.put_file(str(source), f"{root}/in/a.mp4")
    # Workers are processes of their own: what this one has in its memory they do not see.
    named = f"{there}/in" if scheme == "file" else str(source)

    def farm(machine: str, tell: list[Event], stop: bool) -> list[int]:
        store, home = MemoryStore(), tmp_path / machine
        (home / "work").mkdir(parents=True, exist_ok=True)
        pool = Here(store, home / "cache")

        def hear(event: Event) -> None:
            tell.append(event)
            if stop and event.event == "segment":
                raise Stopped

        Farm(
            pool, store, items=find_items([named], f"{there}/out"), out=home / "work",
            options=FAST, pins=pool.choose_pins("cpu", "fp32"), cache=home / "cache",
            mirror=Mirror(f"{there}/out"), tell=hear,
        ).run()  # fmt: skip
        return [order.start.number for order in pool.made]

    events: list[Event] = []
    with pytest.raises(Stopped):
        farm("first", events, stop=True)
    (made,) = (event.segment for event in events if event.event == "segment")
    kept = PurePosixPath(root) / "out" / ".a.mp4.upreel"
    names = {PurePosixPath(path).name for path in file_system.find(str(kept))}
    assert names == {f"{made:06d}.packets", "ledger.json"}
    again = farm("second", events, stop=False)
    assert set(again) == {0, 1, 2} - {made}
    assert events[-1].event == "end"
    done = next(event for event in events if event.event == "done")
    assert done.target == f"{there}/out/a.mp4"
    left = [PurePosixPath(path).name for path in file_system.find(f"{root}/out")]
    assert left == ["a.mp4"]
    file_system.get_file(f"{root}/out/a.mp4", str(tmp_path / "result.mp4"))
    upscale(source, tmp_path / "alone.mp4", FAST)
    assert everything(tmp_path / "result.mp4") == everything(tmp_path / "alone.mp4")
    assert farm("third", events, stop=False) == []
    assert events[-2].event == "skipped"
