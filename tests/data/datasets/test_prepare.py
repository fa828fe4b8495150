from __future__ import annotations

import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.data.datasets.trees import (
    make_folder,
    make_hmdb51,
    make_spmcs,
    make_ucf101,
    make_udm10,
    make_vid4,
    make_vimeo,
    touch,
)
from upreel.cli import main
from upreel.data.clips import find_clips
from upreel.data.datasets.index import NAME, read_index
from upreel.data.datasets.prepare import ORIGINS, Origin, extract, fetch, prepare
from upreel.errors import DownloadError, MediaError, UsageError


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


CASES = {
    "vimeo90k": (make_vimeo, {"train": 1, "test": 2}),
    "vid4": (make_vid4, {"test": 4}),
    "udm10": (make_udm10, {"test": 10}),
    "spmcs": (make_spmcs, {"test": 30}),
    "ucf101": (make_ucf101, {"train": 1, "test": 1}),
    "hmdb51": (make_hmdb51, {"train": 1, "test": 1}),
    "folder": (make_folder, {"train": 14, "val": 3, "test": 3}),
}


@pytest.mark.parametrize("dataset", CASES)
def test_a_layout_becomes_an_index(
    tmp_path: Path, dataset: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make, counts = CASES[dataset]
    make(tmp_path)
    assert main(["data", "prepare", dataset, str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert ORIGINS[dataset].page in said and ORIGINS[dataset].licence in said
    index = read_index(tmp_path)
    found = [clip.split for clip in index.clips]
    assert {part: found.count(part) for part in set(found)} == counts
    assert len({clip.name for clip in index.clips}) == len(found)
    for clip in index.clips:
        assert not Path(clip.path).is_absolute() and (tmp_path / clip.path).exists()
    scored = find_clips(tmp_path)  # what `upreel eval --data` reads
    assert len(scored) == counts.get("val", counts["test"])
    if "train" in counts:
        assert len(find_clips(tmp_path, "train")) == counts["train"]


def remove(name: str) -> Callable[[Path], None]:
    return lambda root: (root / name).unlink()


@pytest.mark.parametrize(
    ("dataset", "spoil", "message"),
    [
        ("vimeo90k", remove("sep_testlist.txt"), r"expected sep_testlist\.txt in .*, found none"),
        (
            "vimeo90k",
            remove("sequences/00001/0002/im3.png"),
            r"00001/0002/im3\.png in .*found none",
        ),
        ("vid4", remove("GT/city/00000034.png"), "expected 34 images in .*city, found 33; unpack"),
        ("spmcs", remove("clip00/truth/00000001.png"), "expected 31 images in .*, found 30"),
        ("ucf101", remove("UCF-101/Archery/v_b.avi"), r"expected UCF-101/Archery/v_b\.avi in"),
        ("hmdb51", remove("wave/b.avi"), r"expected wave/b\.avi in"),
    ],
)
def test_what_is_missing_is_said(
    tmp_path: Path, dataset: str, spoil: Callable[[Path], None], message: str
) -> None:
    CASES[dataset][0](tmp_path)
    spoil(tmp_path)
    with pytest.raises(MediaError, match=message):
        prepare(dataset, tmp_path)
    assert not (tmp_path / NAME).exists()


def test_a_folder_without_clips_and_an_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="expected videos or folders of images in"):
        prepare("folder", tmp_path)
    with pytest.raises(MediaError, match=r"expected 10 clips in .* as GT/NAME/.*, found 0"):
        prepare("udm10", tmp_path)
    with pytest.raises(UsageError, match=r"expected one of vimeo90k, reds, .* found 'vid5'"):
        prepare("vid5", tmp_path)


def test_a_damaged_index(tmp_path: Path) -> None:
    for text in ("{", json.dumps({"format": 9}), "[]"):
        (tmp_path / NAME).write_text(text)
        with pytest.raises(MediaError, match="expected an index of format 1 in"):
            read_index(tmp_path)


def test_download_goes_from_an_address_to_an_index(
    tmp_path: Path,
    served: tuple[Path, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, address = served
    make_vid4(tmp_path / "made")
    with zipfile.ZipFile(folder / "v.zip", "w") as archive:
        for path in (tmp_path / "made").rglob("*.png"):
            archive.write(path, "Vid4/" + path.relative_to(tmp_path / "made").as_posix())
    monkeypatch.setitem(ORIGINS, "vid4", Origin("page", "licence", f"{address}/v.zip"))
    root = tmp_path / "root"
    assert main(["data", "prepare", "vid4", str(root), "--download"]) == 0
    said = capsys.readouterr()
    assert "vid4: 0.0 MB, 0.0 MB here already, from http" in said.err and "100 %" in said.err
    assert f"4 clips in {root}: 4 test" in said.out
    assert (root / "GT/calendar/00000001.png").is_file()
    wrong = Origin("page", "licence", f"{address}/v.zip", "0" * 64)
    monkeypatch.setitem(ORIGINS, "vid4", wrong)
    with pytest.raises(DownloadError, match="expected a file with the SHA-256 0000"):
        fetch("vid4", tmp_path / "other")


def test_the_test_clips_alone_are_downloaded(
    tmp_path: Path,
    served: tuple[Path, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, address = served
    make_vimeo(tmp_path / "made")
    with zipfile.ZipFile(folder / "clean.zip", "w") as archive:
        for path in (tmp_path / "made").rglob("*.*"):
            if path.name != "sep_trainlist.txt":
                name = path.relative_to(tmp_path / "made").as_posix()
                archive.write(path, "clean/" + name.replace("sequences", "target"))
    tests = Origin("page", "licence", f"{address}/all.zip", tests=f"{address}/clean.zip")
    monkeypatch.setitem(ORIGINS, "vimeo90k", tests)
    root = tmp_path / "root"
    assert main(["data", "prepare", "vimeo90k", str(root), "--download", "--test-only"]) == 0
    said = capsys.readouterr()
    assert "clean.zip" in said.err and "all.zip" not in said.err
    assert f"2 clips in {root}: 2 test" in said.out
    assert (root / "target/00001/0002/im1.png").is_file()


def test_no_direct_address(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found reds; get it from https://seungjunnah"):
        fetch("reds", tmp_path)
    with pytest.raises(UsageError, match="found folder, which is your own; leave --download away"):
        fetch("folder", tmp_path)
    with pytest.raises(UsageError, match="expected vimeo90k with --test-only, found vid4"):
        fetch("vid4", tmp_path, test_only=True)


def test_test_only_is_about_a_download(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_vimeo(tmp_path)
    assert main(["data", "prepare", "vimeo90k", str(tmp_path), "--test-only"]) == 2
    assert "expected --download with --test-only" in capsys.readouterr().err
    assert not (tmp_path / NAME).exists()


def test_the_index_of_another_data_set_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_vimeo(tmp_path)
    prepare("vimeo90k", tmp_path)
    before = (tmp_path / NAME).read_bytes()
    message = rf"expected no index of another data set in .*, found that of vimeo90k; .*{NAME}"
    for spoil in (lambda: prepare("folder", tmp_path), lambda: fetch("folder", tmp_path)):
        with pytest.raises(UsageError, match=message):
            spoil()
    assert main(["data", "prepare", "folder", str(tmp_path)]) == 2
    assert (tmp_path / NAME).read_bytes() == before
    assert prepare("vimeo90k", tmp_path).dataset == "vimeo90k"
    (tmp_path / NAME).write_text("{")  # nothing is lost
    assert prepare("folder", tmp_path).dataset == "folder"


@pytest.mark.parametrize("name", ["../out.txt", "a/../../out.txt", "/out.txt"])
def test_no_path_leaves_the_folder(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a/in.txt", "")
        archive.writestr(name, "")
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(
        MediaError, match=r"expected names inside .*, found '.*out.txt'; do not use"
    ):
        extract(tmp_path / "a.zip", root)
    assert not list(root.iterdir())


def test_an_archive_that_inflates_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/in.png", bytes(10**6))
    with pytest.raises(MediaError, match=r"claims to hold 1000000 bytes in \d+, .* yourself and"):
        extract(tmp_path / "a.zip", tmp_path / "root")
    assert not (tmp_path / "root").exists()


def test_a_damaged_archive(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"no zip")
    with pytest.raises(MediaError, match=r"expected a zip file in .*, found a damaged one"):
        extract(tmp_path / "a.zip", tmp_path)


def test_what_macs_add_to_an_archive_stays_in_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("set/in.txt", "")
        archive.writestr("__MACOSX/set/._in.txt", "")
    extract(tmp_path / "a.zip", tmp_path / "root")
    assert [path.name for path in (tmp_path / "root").iterdir()] == ["in.txt"]


def test_damage_inside_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", "text " * 1000)
    whole = (tmp_path / "a.zip").read_bytes()
    encrypted, method = bytearray(whole), bytearray(whole)
    encrypted[whole.index(b"PK\1\2") + 8] |= 1
    encrypted[6] |= 1
    method[whole.index(b"PK\1\2") + 10] = method[8] = 99
    deflated = whole[:36] + bytes([255] * 8) + whole[44:]
    for spoilt in (encrypted, method, deflated):
        (tmp_path / "a.zip").write_bytes(spoilt)
        with pytest.raises(MediaError, match=r"expected a zip file in .*, found a damaged one"):
            extract(tmp_path / "a.zip", tmp_path / "root")


def test_a_folder_that_links_to_itself_ends(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.mp4", "b/y.mp4")
    for name in ("a/up", "b/up"):
        (tmp_path / name).symlink_to(tmp_path)
    paths = [clip.path for clip in prepare("folder", tmp_path).clips]
    assert paths == ["a/x.mp4", "b/y.mp4"]


def test_hidden_files_are_no_images(tmp_path: Path) -> None:
    make_vid4(tmp_path)
    (tmp_path / "GT/city/00000034.png").rename(tmp_path / "GT/city/._00000034.png")
    with pytest.raises(MediaError, match=r"expected 34 images in .*city, found 33"):
        prepare("vid4", tmp_path)


@pytest.mark.parametrize(
    ("dataset", "file", "text", "message"),
    [
        ("vimeo90k", "sep_testlist.txt", "\xff", r"expected text in .*sep_testlist\.txt, found"),
        ("hmdb51", "testTrainMulti_7030_splits/wave_test_split1.txt", "a.avi", "found 'a.avi'"),
        ("ucf101", "ucfTrainTestlist/testlist01.txt", "../../b.avi", r"inside .* '.*b\.avi'"),
    ],
)
def test_lists_that_cannot_be(
    tmp_path: Path, dataset: str, file: str, text: str, message: str
) -> None:
    CASES[dataset][0](tmp_path / "root")
    touch(tmp_path, "b.avi")
    (tmp_path / "root" / file).write_text(text, encoding="latin-1")
    with pytest.raises(MediaError, match=message):
        prepare(dataset, tmp_path / "root")


def test_shares_of_nothing(tmp_path: Path) -> None:
    make_folder(tmp_path)
    with pytest.raises(UsageError, match=r"expected shares of which one is above 0, found 0, 0, 0"):
        prepare("folder", tmp_path, shares=(0, 0, 0))


@pytest.mark.parametrize(
    "change", [{"path": "../../etc"}, {"path": "/etc"}, {"name": "../out"}, {"split": "all"}]
)
def test_an_index_of_others_is_not_trusted(tmp_path: Path, change: dict[str, str]) -> None:
    entry = {"name": "a", "path": "a", "split": "test", "group": ""} | change
    index = {"format": 1, "dataset": "d", "licence": "l", "page": "p", "clips": [entry]}
    (tmp_path / NAME).write_text(json.dumps(index))
    with pytest.raises(MediaError, match=r"expected an index of format 1 in"):
        read_index(tmp_path)


@pytest.mark.parametrize("name", [b"\0q", b"\xab\xab"])
def test_an_archive_with_a_name_that_is_none(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("\xe4", b"x")  # two bytes of UTF-8
    path.write_bytes(path.read_bytes().replace("\xe4".encode(), name))
    with pytest.raises(MediaError, match=r"expected a zip file in .*, found a damaged one"):
        extract(path, tmp_path / "root")
