"""Packets in a file of their own: they come back as they were, or not at all."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest

from tests.video.media import write_video
from upreel.errors import MediaError
from upreel.video.packets import PacketWriter, checksum_of, read_packets
from upreel.video.routes import Packet

BASE = Fraction(1, 12800)


def made(count: int = 5) -> list[Packet]:
    packets = []
    for index in range(count):
        packet = av.Packet(bytes([index + 1]) * (index + 1) * 100)
        packet.pts, packet.dts, packet.duration = index * 512, index * 512 - 1024, 512
        packet.is_keyframe = index == 0
        packet.time_base = BASE
        packets.append(packet)
    return packets


def facts(packet: Packet) -> tuple[object, ...]:
    return (
        bytes(packet), packet.pts, packet.dts, packet.duration, packet.is_keyframe,
        packet.time_base,
    )  # fmt: skip


def write(path: Path, packets: list[Packet]) -> int:
    with PacketWriter(path, BASE) as writer:
        for packet in packets:
            writer.write((packet,))
        return writer.finish()


def test_packets_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "a.packets"
    packets = made()
    packets[2].dts = None
    checksum = write(path, packets)
    assert [facts(packet) for packet in read_packets(path)] == [facts(each) for each in packets]
    assert checksum_of(path) == checksum


def test_packets_of_an_encoder_decode_to_the_same_frames(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 12, options={"bf": "2"})
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        assert packets[0].time_base == BASE
        write(tmp_path / "a.packets", cast("list[Packet]", packets))
        decoder = av.CodecContext.create("h264", "r")
        assert isinstance(decoder, av.VideoCodecContext)
        decoder.extradata = stream.codec_context.extradata
        found = [
            frame.to_ndarray()
            for packet in (*read_packets(tmp_path / "a.packets"), None)
            for frame in decoder.decode(packet)
        ]
    with av.open(str(source)) as container:
        expected = [frame.to_ndarray() for frame in container.decode(video=0)]
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("place", [0, 20, 30, 60, 400, -30, -10, -1])
def test_a_byte_that_is_wrong_is_noticed(tmp_path: Path, place: int) -> None:
    path = tmp_path / "a.packets"
    write(path, made())
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(bytes(data))
    for look in (checksum_of, lambda path: list(read_packets(path))):
        with pytest.raises(MediaError, match="is not as it was written"):
            look(path)


@pytest.mark.parametrize("keep", [0, 5, 20, 45, 500, -1, -12])
def test_a_file_that_ends_early_is_noticed(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "a.packets"
    write(path, made())
    path.write_bytes(path.read_bytes()[:keep])
    for look in (checksum_of, lambda path: list(read_packets(path))):
        with pytest.raises(MediaError, match="is not as it was written"):
            look(path)


def test_a_file_that_is_another_one_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.packets"
    write(path, made())
    checksum = checksum_of(path)
    assert len(list(read_packets(path, checksum))) == len(list(read_packets(path)))
    with pytest.raises(MediaError, match="is not as it was written"):
        list(read_packets(path, checksum ^ 1))
