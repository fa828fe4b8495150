"""Metadata of high dynamic range that change from scene to scene."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.video.media import write_video
from tests.video.rewriting import FAST, rewrite
from upreel.video.probe import probe

PREFIX = b"\0\0\0\1"


def escaped(payload: bytes) -> bytes:
    """With the bytes that keep start codes out of a unit."""
    out = bytearray()
    for byte in payload:
        if out[-2:] == b"\0\0" and byte <= 3:
            out.append(3)
        out.append(byte)
    return bytes(out)


def hdr10_plus() -> bytes:
    """An SEI message of SMPTE ST 2094-40 with one window and no curve."""
    fields = [
        (1, 2), (400, 27), (0, 1), (17, 17), (18, 17), (19, 17), (20, 17), (0, 4), (3, 10),
        (0, 1), (0, 1), (0, 1),
    ]  # fmt: skip
    bits = "".join(f"{value:0{size}b}" for value, size in fields)
    bits += "0" * (-len(bits) % 8)
    body = int(bits, 2).to_bytes(len(bits) // 8, "big")
    message = b"\xb5\x00\x3c\x00\x01\x04\x01" + body
    return b"\x4e\x01" + escaped(bytes([4, len(message)]) + message + b"\x80")


def exp_golomb(value: int) -> str:
    bits = f"{value + 1:b}"
    return "0" * (len(bits) - 1) + bits


def dolby_vision() -> bytes:
    """A unit of Dolby Vision whose curves leave everything as it is: y = 0 + 1 x."""
    zero, one = exp_golomb(0), "010"
    curve = zero + zero + "0" + zero + "0" * 23 + one + "0" * 23
    pivots = zero + f"{0:010b}{1023:010b}"
    bits = f"{2:06b}{18:011b}{1:04b}{0:04b}"  # type, format, profile, level
    bits += "1000" + exp_golomb(23) + "010"  # coefficients of 23 bits
    bits += exp_golomb(2) + exp_golomb(2) + exp_golomb(4) + "000001"  # 10, 10 and 12 bits
    bits += "00" + zero * 3 + pivots * 3 + zero * 2 + curve * 3
    bits += "0" * (-len(bits) % 8)
    body = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return b"\x7c\x01" + escaped(b"\x19" + body + bytes(4) + b"\x80")


def with_units(path: Path, before: bytes = b"", after: bytes = b"") -> Path:
    """Raw HEVC of key frames, with a unit before or after the picture of each."""
    parameters = "log-level=none:repeat-headers=1:keyint=1:aud=1"
    plain = write_video(
        path.with_name("plain.hevc"), 3, codec="libx265", pixel_format="yuv420p10le",
        options={"x265-params": parameters, "preset": "ultrafast"},
    )  # fmt: skip
    delimiter = PREFIX + b"\x46\x01\x10"  # begins each picture
    parts = plain.read_bytes().split(delimiter)[1:]
    assert len(parts) == 3
    before = PREFIX + before if before else b""
    after = PREFIX + after if after else b""
    path.write_bytes(b"".join(delimiter + before + part + after for part in parts))
    return path


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [("HDR10+", hdr10_plus(), b""), ("Dolby Vision", b"", dolby_vision())],
)
def test_metadata_that_nothing_writes_are_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, before: bytes, after: bytes
) -> None:
    source = with_units(tmp_path / "in.hevc", before, after)
    video = probe(source).video
    assert video is not None and video.dynamic_hdr == (name,)
    rewrite(source, tmp_path / "out.mp4", encoding=FAST)
    lines = [line for line in caplog.messages if "left out" in line]
    assert lines == [f"{name} metadata is left out: nothing here can write it."]
