"""Layers of transparency, and whether they hide anything."""

from __future__ import annotations

import logging

import av

from upreel.video.frame import PixelLayout, Plane

log = logging.getLogger(__name__)

# FFmpeg's own decoders of these skip the layer, which comes beside the packets of the picture.
_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


def decoder_of(stream: av.VideoStream) -> av.VideoCodecContext:
    """The decoder of a stream: one that reads its layer of transparency, if there is one."""
    context = stream.codec_context
    name = _DECODERS.get(context.codec.canonical_name) if _has_layer(stream) else None
    if name is None:
        return context
    decoder = av.VideoCodecContext.create(name, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    # What the container says of the colours is not repeated in the packets.
    decoder.color_range, decoder.colorspace = context.color_range, context.colorspace
    decoder.color_primaries, decoder.color_trc = context.color_primaries, context.color_trc
    return decoder


def say_unread_layer(stream: av.VideoStream, decoder: av.VideoCodecContext) -> None:
    """Warn of a layer that the decoder of a stream does not read."""
    if _has_layer(stream) and decoder is stream.codec_context:
        log.warning(
            "The layer of transparency is left out: FFmpeg reads that of VP8 and VP9, not of %s.",
            decoder.codec.canonical_name,
        )


def _has_layer(stream: av.VideoStream) -> bool:
    return stream.metadata.get("alpha_mode") == "1"  # a tag of Matroska and WebM


def is_transparent(planes: tuple[Plane, ...], layout: PixelLayout) -> bool:
    """Whether a picture is not opaque everywhere, by more than lossy coding makes of it."""
    return layout.alpha and int(planes[-1].min()) < (63 << layout.bits) // 64
