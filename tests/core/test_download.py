"""Downloads, from a server on this machine that can break off."""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Iterator
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from upreel.core.download import download
from upreel.errors import DownloadError, OutputError

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT at every address; `breaks_after` many bytes of it."""

    breaks_after = len(CONTENT)
    knows_ranges = True
    length = str(len(CONTENT))
    off = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[str | None] = []
        self.address = f"http://127.0.0.1:{self.server_address[1]}/trunk.pth"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers["Range"]
        self.server.ranges.append(wanted)
        begin = int(wanted[6:-1]) if wanted and self.server.knows_ranges else 0
        if self.path == "/none":
            self.send_error(404)
            return
        if begin >= len(CONTENT):
            self.send_error(416)
            return
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "http://[elsewhere/")
            self.end_headers()
            return
        self.send_response(206 if begin else 200)
        if begin:
            first, last = begin + self.server.off, len(CONTENT) - 1
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(CONTENT)}")
            self.send_header("Content-Length", str(len(CONTENT) - begin))
        else:
            self.send_header("Content-Length", self.server.length)
        self.end_headers()
        self.wfile.write(CONTENT[begin : max(begin, self.server.breaks_after)])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_file_arrives_and_its_size_is_told_first(server: Server, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    target = tmp_path / "new" / "trunk.pth"
    found = download(
        server.address, target, sha256=SHA256, progress=lambda *state: told.append(state)
    )
    assert found == target
    assert target.read_bytes() == CONTENT
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [path.name for path in target.parent.iterdir()] == ["trunk.pth"]
    download(server.address, target, sha256=SHA256)
    assert len(server.ranges) == 1  # it is here: nobody is asked


def test_what_broke_off_goes_on(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "trunk.pth"
    server.breaks_after = 1000
    with pytest.raises(DownloadError, match=r"1000 of 102400 bytes came.*goes on where it stopped"):
        download(server.address, target, sha256=SHA256[:8])
    assert not target.exists()
    server.breaks_after = len(CONTENT)
    download(server.address, target, sha256=SHA256[:8])
    assert target.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=1000-"]


def test_a_server_without_ranges_begins_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".trunk.pth.part").write_bytes(b"begun")
    server.knows_ranges = False
    target = download(server.address, tmp_path / "trunk.pth", sha256=SHA256)
    assert target.read_bytes() == CONTENT


def test_all_of_it_may_lie_there_without_its_name(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".trunk.pth.part").write_bytes(CONTENT)
    target = download(server.address, tmp_path / "trunk.pth", sha256=SHA256)
    assert target.read_bytes() == CONTENT


def test_another_checksum_gets_no_name(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"expected a file with the SHA-256 0000.*found "):
        download(server.address, tmp_path / "trunk.pth", sha256="00000000")
    assert list(tmp_path.iterdir()) == []


def test_refusals_are_one_line(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"/none answers 404 Not Found$"):
        download(server.address.replace("trunk.pth", "none"), tmp_path / "a", sha256=SHA256)
    with pytest.raises(DownloadError, match=r"begins with https://, found file:"):
        download("file:///etc/hosts", tmp_path / "a", sha256=SHA256)
    with pytest.raises(DownloadError, match=r"cannot fetch http://127.0.0.1:9/a: .*refused"):
        download("http://127.0.0.1:9/a", tmp_path / "a", sha256=SHA256)


def test_a_length_that_is_no_number_is_not_told(server: Server, tmp_path: Path) -> None:
    server.length = "much"
    told: list[tuple[int, int | None]] = []
    download(
        server.address, tmp_path / "a", sha256=SHA256, progress=lambda *state: told.append(state)
    )
    assert told[0] == (0, None)
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_another_part_than_was_asked_for_is_not_appended(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".a.part").write_bytes(CONTENT[:1000])
    server.off = 5
    with pytest.raises(
        DownloadError, match=r"expected bytes from 1000 on of .*, found bytes 1005-"
    ):
        download(server.address, tmp_path / "a", sha256="")
    assert (tmp_path / ".a.part").read_bytes() == CONTENT[:1000]


def test_a_connection_that_fails_is_not_a_full_disk(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(answer: HTTPResponse, amount: int | None = None) -> bytes:
        raise ssl.SSLError(1, "bad record")

    monkeypatch.setattr(HTTPResponse, "read", fail)
    with pytest.raises(DownloadError, match=r"cannot fetch http.*bad record"):
        download(server.address, tmp_path / "a", sha256=SHA256)


def test_a_redirection_to_nowhere(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"cannot fetch http.*IPv6"):
        download(server.address.replace("trunk.pth", "moved"), tmp_path / "a", sha256=SHA256)


def test_a_folder_in_its_place(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(OutputError, match=r"Cannot write .*a: is a directory"):
        download(server.address, tmp_path / "a", sha256=SHA256)
