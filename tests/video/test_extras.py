from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.video.media import write_video
from tests.video.rewriting import rewrite
from upreel.video.probe import probe

_CAPTIONS = bytes.fromhex("b50031") + b"GA94" + bytes.fromhex("0341fffc9420ff")
"""ATSC A/53: country, provider, one pair of bytes of CEA-608."""


def test_a_plain_video_has_none(tmp_path: Path) -> None:
    info = probe(write_video(tmp_path / "in.mp4"))
    assert info.video is not None and info.video.extras == ()


def test_closed_captions_are_seen_and_their_loss_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = tmp_path / "in.h264"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = Fraction(1, 25)
        gray = np.full((72, 64), 128, np.uint8)
        for index in range(3):
            frame = av.VideoFrame.from_ndarray(gray, format="yuv420p")
            frame.pts = index
            container.mux([_with_captions(packet) for packet in stream.encode(frame)])
        container.mux([_with_captions(packet) for packet in stream.encode(None)])
    info = probe(source)
    assert info.video is not None and info.video.extras == ("closed captions",)
    rewrite(source, tmp_path / "out.mkv")
    assert "has closed captions: left out, FFmpeg cannot write it again." in caplog.text


def _with_captions(packet: av.Packet[av.VideoStream]) -> av.Packet[av.stream.Stream]:
    """Put an SEI message before the picture of an H.264 packet (Annex B)."""
    message = bytes([0, 0, 0, 1, 6, 4, len(_CAPTIONS)]) + _CAPTIONS + b"\x80"
    made = av.Packet(message + bytes(packet))
    made.stream, made.pts, made.dts, made.time_base = (
        packet.stream, packet.pts, packet.dts, packet.time_base,
    )  # fmt: skip
    made.is_keyframe = packet.is_keyframe
    return made


def test_the_transparency_of_vp9_is_seen(tmp_path: Path) -> None:
    source = tmp_path / "in.webm"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libvpx-vp9", rate=25, options={"cpu-used": "8"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuva420p"
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 4), 99, np.uint8), format="rgba")
        frame = frame.reformat(format="yuva420p")
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    info = probe(source)
    assert info.video is not None and info.video.extras == ("a layer of transparency",)
