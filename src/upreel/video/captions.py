"""Closed captions (CEA-708, with CEA-608 in it), which travel inside of the coded pictures."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, cast

import av
from av.packet import PacketSideData, packet_sidedata_type_from_literal
from av.sidedata.sidedata import Type

from upreel.video.tags import side_data_of

if TYPE_CHECKING:
    from collections.abc import Callable


def captions_of(frame: av.VideoFrame) -> bytes | None:
    """The captions that come with a frame: `cc_data` of ATSC A/53, three bytes each."""
    return side_data_of(frame, Type.A53_CC)


def with_captions(frame: av.VideoFrame, captions: bytes) -> av.VideoFrame:
    """The picture with captions beside it; it has no instant and no colour tags.

    PyAV sets side data of packets only, so the picture becomes a packet and a picture again.
    """
    encoder = av.VideoCodecContext.create("rawvideo", "w")
    decoder = av.VideoCodecContext.create("rawvideo", "r")
    for context in (encoder, decoder):
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height, context.pix_fmt = (
            frame.width,
            frame.height,
            frame.format.name,
        )
    encoder.time_base = Fraction(1, 25)
    (packet,) = encoder.encode(frame)
    make = cast("Callable[[int, int], PacketSideData]", PacketSideData)  # its stub has no arguments
    data = make(packet_sidedata_type_from_literal("a53_cc"), len(captions))
    data.update(captions)
    packet.set_sidedata(data)
    (made,) = decoder.decode(packet)
    return made
