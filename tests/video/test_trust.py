"""Files that ask for much, or that lead elsewhere."""

from __future__ import annotations

import base64
import logging
import os
import resource
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import pytest

from tests.video.media import decoded, picture, write_image, write_video
from upreel.cli import main
from upreel.errors import MediaError
from upreel.video.probe import open_media, probe
from upreel.video.reader import Reader
from upreel.video.trust import Trust


def count(source: Path | str, trust: Trust) -> int:
    with Reader(source, trust=trust) as reader:
        return sum(1 for _ in reader)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(
        ">I", zlib.crc32(kind + content)
    )  # fmt: skip


def png(path: Path, width: int, height: int, *more: bytes) -> Path:
    """Black, with other chunks before its pixels."""
    size = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    lines = zlib.compress(bytes((width + 1) * height))
    content = chunk(b"IHDR", size) + b"".join(more) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.mkv"])
def test_frames_of_more_pixels_are_refused_unless_they_are_allowed(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    if path.suffix == ".png":
        png(path, 64, 48)
    else:
        write_video(path, 2)
    with pytest.raises(MediaError, match=r"is 64x48; at most 3071 pixels .* --max-pixels 3072 if"):
        count(path, Trust(max_pixels=3071))
    assert count(path, Trust(max_pixels=3072)) == (1 if path.suffix == ".png" else 2)


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.bmp", "a.tiff"])
def test_the_usual_limit_is_what_can_be_enlarged(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.gif":
        content = b"GIF89a" + struct.pack("<HH", 9000, 9000) + b"\x80\0\0" + bytes(6)
        path.write_bytes(content + b"\x2c" + struct.pack("<4H", 0, 0, 9000, 9000) + b"\0\x02\x01;")
    elif name == "a.png":
        png(path, 9000, 9000)
    else:
        codec = {"a.bmp": "bmp", "a.tiff": "tiff"}[name]
        write_image(path, picture(0, pixel_format="gray"), "gray", codec)
        fields = (
            ((18, "<I"), (22, "<I"))
            if name == "a.bmp"
            else [(place, "<H") for place in _tiff_sizes(path.read_bytes())]
        )
        changed = bytearray(path.read_bytes())
        for place, kind in fields:
            struct.pack_into(kind, changed, place, 9000)
        path.write_bytes(changed)
    with pytest.raises(MediaError, match=r"9000x9000; at most 67108864 pixels|above 67108864 pix"):
        count(path, Trust())


def _tiff_sizes(content: bytes) -> Iterator[int]:
    """Where a little-endian TIFF has its width and its height, tags 256 and 257."""
    (begin,) = struct.unpack_from("<I", content, 4)
    for entry in range(struct.unpack_from("<H", content, begin)[0]):
        place = begin + 2 + 12 * entry
        if struct.unpack_from("<H", content, place)[0] in (256, 257):
            yield place + 8


def test_the_command_takes_the_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_video(tmp_path / "a.mkv", 2)
    command = [str(path), str(tmp_path / "b.mkv"), "--model", "bicubic", "--scale", "2"]
    assert main(["upscale", *command, "--max-pixels", "100"]) == 1
    assert main(["probe", str(path), "--max-pixels", "100"]) == 1
    said = [line for line in capsys.readouterr().err.splitlines() if "upreel:" in line]
    assert len(said) == 2
    assert all("is 64x48; at most 100 pixels are read" in line for line in said)
    assert main(["probe", str(path), "--max-pixels", "3072"]) == 0


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_texts_that_inflate_are_refused_before_they_do(tmp_path: Path, kind: bytes) -> None:
    text = zlib.compress(b"x" * 50_000)
    head = b"Comment\0\1\0en\0\0" if kind == b"iTXt" else b"Comment\0\0"
    path = png(tmp_path / "a.png", 16, 16, *[chunk(kind, head + text)] * 2)
    with pytest.raises(MediaError, match="has more than 99999 bytes of compressed texts, which no"):
        count(path, Trust(max_pixels=99_999))
    assert count(path, Trust(max_pixels=100_000)) == 1
    for ending in (".mkv", ".apng"):  # whatever it is called
        with pytest.raises(MediaError, match="bytes of compressed texts"):
            probe(path.rename(path.with_suffix(ending)), Trust(max_pixels=99_999))
        path = path.with_suffix(ending)


def test_a_colour_profile_with_a_name_does_not_crash(tmp_path: Path) -> None:
    """Its name was freed twice when garbage was collected."""
    profile = chunk(b"iCCP", b"its name\0\0" + zlib.compress(bytes(200)))
    path = png(tmp_path / "a.png", 16, 16, profile)
    script = "import gc, sys; from upreel.video.reader import Reader\n"
    script += "with Reader(sys.argv[1]) as r: print(len(list(r)))\ngc.collect()"
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        env={**os.environ, "MALLOC_PERTURB_": "165"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "1"), done.stderr


def test_an_index_of_what_the_file_cannot_hold_takes_no_memory(tmp_path: Path) -> None:
    """One and a half kilobytes claimed 67 million frames, and took 4.3 GB."""
    path = write_video(tmp_path / "a.mp4", 3)
    content = bytearray(path.read_bytes())
    for name, offset, value in ((b"stsz", 8, 1), (b"stsz", 12, 2**25), (b"stts", 12, 2**25),
                                (b"stsc", 16, 2**25)):  # fmt: skip
        struct.pack_into(">I", content, content.index(name) + offset, value)
    path.write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(MediaError):
        probe(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # KiB
    assert len(decoded(write_video(tmp_path / "b.mp4", 3))) == 3  # the limit is gone again


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two videos inside, a secret one outside."""
    inside = tmp_path / "inside"
    inside.mkdir()
    for name in ("a.ts", "b.ts", "../secret.ts"):
        write_video(inside / name, 3)
    return inside


def m3u8(*names: str) -> str:
    entries = "".join(f"#EXTINF:0.12,\n{name}\n" for name in names)
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{entries}#EXT-X-ENDLIST\n"


def ffconcat(*names: str) -> str:
    return "ffconcat version 1.0\n" + "".join(f"file {name}\n" for name in names)


@pytest.mark.parametrize("name", ["list.m3u8", "film.mp4", "film.mkv", "film.png", "film.txt"])
@pytest.mark.parametrize("make", [m3u8, ffconcat])
def test_a_playlist_is_one_whatever_it_is_called(
    folder: Path, name: str, make: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / name
    path.write_text(make("a.ts", "b.ts"))
    assert main(["upscale", str(path), str(folder / "out.mkv"), "--model", "bicubic"]) == 1
    (said,) = [line for line in capsys.readouterr().err.splitlines() if "upreel:" in line]
    assert "is a playlist of other files; give one of the videos it names, or allow them" in said
    assert not (folder / "out.mkv").exists()


@pytest.mark.parametrize(("name", "make"), [("list.m3u8", m3u8), ("list.txt", ffconcat)])
def test_a_playlist_that_is_allowed_stays_in_its_folder(
    folder: Path, name: str, make: Callable[..., str]
) -> None:
    path, trust = folder / name, Trust(protocols=("file",))
    path.write_text(make("a.ts", "b.ts"))
    assert count(path, trust) > 3
    secret = folder.parent / "secret.ts"
    (folder / "link.ts").symlink_to(secret)
    for entry in ("../secret.ts", str(secret), f"file:{secret}", "link.ts", f"file://{secret}"):
        path.write_text(make("a.ts", entry))
        with pytest.raises(MediaError, match=r"names '.*', which is not in its folder; expected"):
            count(path, trust)


def test_a_playlist_in_a_playlist_stays_there_too(folder: Path) -> None:
    (folder / "inner.m3u8").write_text(m3u8("../secret.ts"))
    path = folder / "outer.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\ninner.m3u8\n")
    with pytest.raises(MediaError, match=r"inner.m3u8 names '../secret.ts', which is not"):
        count(path, Trust(protocols=("file",)))
    keyed = m3u8("a.ts").replace(
        "#EXTINF", '#EXT-X-KEY:METHOD=AES-128,URI="../secret.ts"\n#EXTINF', 1
    )
    path.write_text(keyed)
    with pytest.raises(MediaError, match=r"names '../secret.ts', which is not"):
        count(path, Trust(protocols=("file",)))


SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
SVG = """<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">
<image xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="{}" width="9" height="9"/></svg>"""
DASH = """<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"
mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp4"><Representation
id="1" bandwidth="1"><BaseURL>{}</BaseURL></Representation></AdaptationSet></Period></MPD>"""


@pytest.mark.parametrize("name", ["a.sdp", "a.svg", "a.mpd", "a.mp4", "a.png"])
@pytest.mark.parametrize("text", [SDP, SVG, DASH])
@pytest.mark.parametrize("protocols", [(), ("file",)])
def test_what_names_addresses_is_not_followed(
    folder: Path, name: str, text: str, protocols: tuple[str, ...]
) -> None:
    path = folder / name
    path.write_text(text.format(folder / "a.ts"))
    with pytest.raises(MediaError, match=r"is not a video|is not an image|no picture in"):
        count(path, Trust(protocols=protocols))


def test_a_mov_that_names_another_file_is_not_followed(folder: Path) -> None:
    """`alis`, a data reference: FFmpeg only follows it where it is told to."""
    whole = write_video(folder / "whole.mov", 3, codec="mjpeg", pixel_format="yuvj420p")
    content = whole.read_bytes()
    url = b"url \0\0\0\1"  # in this file
    assert content.count(url) == 1
    (folder / "b.mov").write_bytes(content.replace(url, b"alis\0\0\0\0"))
    assert count(folder / "b.mov", Trust()) in (0, 3)  # from itself or not at all


@pytest.fixture
def addresses(folder: Path) -> Iterator[dict[str, str]]:
    """Addresses of FFmpeg's protocols that reach a video."""
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    a, b = folder / "a.ts", folder / "b.ts"
    size = a.stat().st_size
    text = base64.b64encode(a.read_bytes()).decode()
    yield {
        "http": f"http://127.0.0.1:{server.server_port}/a.ts",
        "concat": f"concat:{a}|{b}",
        "subfile": f"subfile,,start,0,end,{size},,:{a}",
        "data": f"data:video/mp2t;base64,{text}",
        "file": f"file:{a}",
        "cache": f"cache:{a}",
    }
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("protocol", "allowed", "frames"),
    [
        ("http", ("http", "tcp"), 3),
        ("concat", ("concat", "file"), 6),
        ("subfile", ("subfile", "file"), 3),
        ("file", ("file",), 3),
        ("data", (), 0),
        ("cache", (), 0),
    ],
)
def test_addresses_are_refused_unless_their_protocol_is_allowed(
    addresses: dict[str, str], protocol: str, allowed: tuple[str, ...], frames: int
) -> None:
    address = addresses[protocol]
    with av.open(address) as container:  # it is a good one
        assert container.streams.video
    others = tuple({"file", "http", "tcp"} - {protocol})
    for trust in (Trust(), Trust(protocols=others)):
        with pytest.raises(
            MediaError, match=rf"is no file but an address for FFmpeg's protocol '{protocol}'; down"
        ):
            count(address, trust)
    if allowed:
        assert count(address, Trust(protocols=allowed)) == frames


def test_an_address_cannot_use_what_is_not_allowed(addresses: dict[str, str]) -> None:
    for protocol in ("concat", "subfile"):  # without `file`, which they need
        with pytest.raises(MediaError, match="is not a video that FFmpeg can read"):
            count(addresses[protocol], Trust(protocols=(protocol,)))


def test_the_command_takes_protocols(
    folder: Path, addresses: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["upscale", addresses["http"], str(folder / "out.mkv"), "--model", "bicubic"]
    assert main([*command, "--scale", "2"]) == 1
    (said,) = [line for line in capsys.readouterr().err.splitlines() if "upreel:" in line]
    assert "allow that: --protocols http,tcp" in said
    assert main([*command, "--scale", "2", "--protocols", "http, tcp"]) == 0
    assert len(decoded(folder / "out.mkv")) == 3


def test_names_with_a_colon_are_files(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    for name in ("concat:a.ts|b.ts", "http:a.ts", "subfile,,start,0,end,1,,:x.ts", "a:b.ts"):
        path = write_video(folder / name, 3, container_format="mpegts")
        assert count(path, Trust()) == 3
        with open_media(path) as container:
            assert container.streams.video
