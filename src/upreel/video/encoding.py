"""What encoders and containers can do, and which of them suit a source.

Containers are told by the extension. Without a choice of codec, .mp4, .m4v, .mov and .mkv get
H.264 for 8 bits (every player shows it) and HEVC for more (players show 10 bits of HEVC, not of
H.264); .webm gets VP9 and AV1. Presets are fast ones: enlarging a video on a CPU leaves little
time for the encoder.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType

import av
from av.codec.codec import UnknownCodecError

from upreel.errors import UsageError
from upreel.video.frame import PixelLayout
from upreel.video.pixels import layout_of


@dataclass(frozen=True, slots=True)
class Encoding:
    """How frames are to be encoded.

    Attributes:
        codec: a codec (`h264`, `hevc`, `av1`, `vp9`, `ffv1`, `prores`) or one of FFmpeg's
            encoders (`libx264`); `None`: what suits the container and the source.
        crf: the encoder's own scale of quality, lower is better; `None`: nearly transparent.
        preset: the encoder's own scale of speed; `None`: a fast one.
        pixel_format: FFmpeg's name; `None`: as the source, where the encoder can.
        threads: of the encoder; 0: as many as it likes.
    """

    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    pixel_format: str | None = None
    threads: int = 0


@dataclass(frozen=True, slots=True)
class Container:
    """A kind of file.

    Attributes:
        muxer: FFmpeg's name.
        video: encoder for 8 bits, and for more.
        audio: encoder for sound that the container cannot hold as it is.
        text: subtitle codec for text that the container cannot hold as it is.
        time_base: the only unit of time it has; `None` where every stream has its own.
        options: of the muxer.
    """

    muxer: str
    video: tuple[str, str]
    audio: str
    text: str
    time_base: Fraction | None = None
    options: Mapping[str, str] = field(default_factory=dict)


_MILLISECOND = Fraction(1, 1000)
# Sound may begin before zero (the decoder's run-in): no reason to move the pictures.
_AS_IT_IS = MappingProxyType({"avoid_negative_ts": "disabled"})
CONTAINERS: Mapping[str, Container] = {
    ".mp4": Container("mp4", ("libx264", "libx265"), "flac", "mov_text"),
    ".m4v": Container("mp4", ("libx264", "libx265"), "flac", "mov_text"),
    ".mov": Container("mov", ("libx264", "libx265"), "alac", "mov_text"),
    ".mkv": Container(
        "matroska", ("libx264", "libx265"), "flac", "subrip", _MILLISECOND, _AS_IT_IS
    ),
    ".webm": Container(
        "webm", ("libvpx-vp9", "libsvtav1"), "libopus", "webvtt", _MILLISECOND, _AS_IT_IS
    ),
}
"""By extension. AVI is not among them: it cannot say when a frame is due."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder of FFmpeg.

    Attributes:
        name: FFmpeg's.
        crf: the default.
        preset_option: what it calls its scale of speed.
        preset: the default.
        archival: made for editing and archives: keeps RGB, alpha and every bit, where the others
            turn RGB into 4:2:0 of at most 12 bits, which players show.
        alpha: keeps transparency though it is not archival.
        options: more options that it always gets.
    """

    name: str
    crf: float | None = None
    preset_option: str = "preset"
    preset: str | None = None
    archival: bool = False
    alpha: bool = False
    options: Mapping[str, str] = field(default_factory=dict)


_ENCODERS = {
    encoder.name: encoder
    for encoder in (
        Encoder("libx264", 18, preset="veryfast"),
        Encoder("libx264rgb", 18, preset="veryfast", archival=True),
        Encoder("libx265", 20, preset="superfast", options={"a53cc": "1"}),
        Encoder("libsvtav1", 24, preset="10"),
        Encoder(
            "libvpx-vp9",
            24,
            "cpu-used",
            "5",
            alpha=True,
            options={"deadline": "good", "row-mt": "1"},
        ),
        Encoder("ffv1", archival=True, options={"level": "3", "slicecrc": "1"}),
        Encoder("prores_ks", archival=True),
        Encoder("utvideo", archival=True),
    )
}
_ENCODER_OF_CODEC = {
    "h264": "libx264",
    "x264": "libx264",
    "avc": "libx264",
    "hevc": "libx265",
    "h265": "libx265",
    "x265": "libx265",
    "av1": "libsvtav1",
    "vp9": "libvpx-vp9",
    "vp8": "libvpx",
    "prores": "prores_ks",
}


# Formats of 8-bit RGB that encoders take instead of planes; FFmpeg reorders without loss.
_INTERLEAVED = {"bgr0": PixelLayout("rgb"), "bgra": PixelLayout("rgb", alpha=True)}


def container_of(extension: str) -> Container:
    """The container that an extension means.

    Args:
        extension: with its dot, in any case.

    Raises:
        UsageError: none, or one that is not written here.
    """
    try:
        return CONTAINERS[extension.lower()]
    except KeyError:
        raise UsageError(
            f"A video ends in {', '.join(CONTAINERS)}, not in {extension or 'nothing'!r}. "
            "Name the output accordingly, or name a folder for single images."
        ) from None


def encoder_of(codec: str) -> Encoder:
    """The encoder that a codec's or an encoder's name means.

    Raises:
        UsageError: this build of FFmpeg has no such video encoder.
    """
    name = _ENCODER_OF_CODEC.get(codec.lower(), codec.lower())
    try:
        found = av.Codec(name, "w")
    except UnknownCodecError:
        found = None
    if found is None or found.type != "video":
        known = sorted({*_ENCODER_OF_CODEC, *_ENCODERS})
        close = get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"common ones: {', '.join(known)}."
        raise UsageError(f"No video encoder is called {codec!r}; {hint}")
    return _ENCODERS.get(name, Encoder(name))


@lru_cache
def holds(muxer: str, encoder: str) -> bool:
    """Whether a container can hold what an encoder makes."""
    with av.open(io.BytesIO(), "w", format=muxer) as container:
        return encoder in container.supported_codecs


@lru_cache
def pixel_formats(encoder: str) -> tuple[str, ...]:
    """The pixel formats that an encoder takes and that frames can be written in."""
    formats = (found.name for found in av.Codec(encoder, "w").video_formats or ())
    # yuvj420p is yuv420p with a tag of full range, which is said by the tags.
    return tuple(name for name in formats if encodable(name) and not name.startswith("yuvj"))


def encodable(pixel_format: str) -> PixelLayout | None:
    """The layout of the frames to make for a pixel format, if they can be made."""
    return _INTERLEAVED.get(pixel_format) or layout_of(pixel_format)


@dataclass(frozen=True, slots=True)
class Plan:
    """The choice made: everything that the request left open is filled in.

    Attributes:
        container: of the file.
        encoder: of the frames.
        pixel_format: of the frames.
        crf: `None` where the encoder has no such scale.
        preset: `None` where the encoder has no such scale.
    """

    container: Container
    encoder: Encoder
    pixel_format: str
    crf: float | None
    preset: str | None

    @property
    def layout(self) -> PixelLayout:
        """What frames the encoder takes."""
        layout = encodable(self.pixel_format)
        assert layout is not None
        return layout


def plan(extension: str, encoding: Encoding, source: PixelLayout) -> Plan:
    """Fill in what a request leaves open.

    Args:
        extension: of the file, with its dot.
        encoding: the request.
        source: what the frames of the source look like.

    Raises:
        UsageError: an unknown extension, codec or pixel format, or two that do not fit.
    """
    container = container_of(extension)
    wanted = encodable(encoding.pixel_format) if encoding.pixel_format else source
    if wanted is None:
        raise UsageError(
            f"The pixel format {encoding.pixel_format!r} is unknown or not planar. "
            "Common ones: yuv420p, yuv420p10le, yuv444p, gbrp."
        )
    encoder = encoder_of(encoding.codec or container.video[wanted.bits > 8])
    if not holds(container.muxer, encoder.name):
        fitting = [name for name, other in CONTAINERS.items() if holds(other.muxer, encoder.name)]
        raise UsageError(
            f"A {extension} file cannot hold {encoding.codec}; "
            + (f"name the output {', '.join(fitting)}" if fitting else "no container here can")
            + f", or leave the codec out ({container.video[0]})."
        )
    if encoding.crf is not None:
        _require_option(encoder, "crf", "crf")
    if encoding.preset is not None:
        _require_option(encoder, encoder.preset_option, "preset")
    return Plan(
        container,
        encoder,
        _pixel_format(encoder, encoding.pixel_format, source),
        encoder.crf if encoding.crf is None else encoding.crf,
        encoder.preset if encoding.preset is None else encoding.preset,
    )


def _require_option(encoder: Encoder, option: str, called: str) -> None:
    context = av.CodecContext.create(encoder.name, "w")
    if all(option != known.name for known in context.supported_options.private):
        raise UsageError(f"The encoder {encoder.name} knows no {called}; leave it out.")


def _pixel_format(encoder: Encoder, asked: str | None, source: PixelLayout) -> str:
    choices = pixel_formats(encoder.name)
    if asked is not None:
        if asked not in choices:
            raise UsageError(
                f"The encoder {encoder.name} takes no {asked}; it takes {', '.join(choices)}."
            )
        return asked
    if not choices:
        raise UsageError(f"The encoder {encoder.name} takes no frames from memory; name another.")
    wanted = source
    if not encoder.archival:
        wanted = replace(
            wanted,
            alpha=encoder.alpha and source.alpha,
            bits=source.bits if source.bits <= 12 else 10,
        )
        if source.family == "rgb":
            wanted = replace(wanted, family="yuv", subsample=(2, 2))
    return min(choices, key=lambda name: _loss(wanted, encodable(name)))


def _loss(wanted: PixelLayout, offered: PixelLayout | None) -> tuple[float, ...]:
    """What a layout loses, the worst first, then what it wastes."""
    assert offered is not None
    order = {"gray": 0, "yuv": 1, "rgb": 2}
    # Gray fits anywhere; its chroma, all neutral, may be as coarse as it gets.
    chroma = (2, 2) if wanted.family == "gray" else wanted.subsample
    ratios = [have / want for have, want in zip(offered.subsample, chroma, strict=True)]
    return (
        order[offered.family] < order[wanted.family],
        wanted.alpha and not offered.alpha,
        max(0, wanted.bits - offered.bits),
        max(ratios[0] - 1, 0) + max(ratios[1] - 1, 0),
        order[offered.family] - order[wanted.family],
        offered.alpha and not wanted.alpha,
        offered.bits - wanted.bits,
        -sum(ratios),
    )
