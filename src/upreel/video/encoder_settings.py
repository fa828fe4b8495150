"""What an encoder is told: its options, HDR10 metadata and the siting of chroma among them."""

from __future__ import annotations

import os
from fractions import Fraction

import av

from upreel.errors import UsageError
from upreel.video.encoding import Encoder, Plan
from upreel.video.frame import ColorTags, Frame
from upreel.video.hdr import Hdr, Point
from upreel.video.reader import DEFAULT_RATE

_MAX_RATE = 960
# With AVX-512 and mbtree, x264 gives other bits from one run to the next; this costs nothing that
# could be measured, and makes them the same on every processor.
_SAME_EVERYWHERE = {"cpu-independent": "1"}
_SITINGS = ("left", "center", "topleft", "top", "bottomleft", "bottom")  # as the codecs count


def encoder_options(
    chosen: Plan, hdr: Hdr | None, colors: ColorTags, size: tuple[int, int]
) -> dict[str, str]:
    """The options of the encoder for FFmpeg.

    Args:
        chosen: what to encode with.
        hdr: HDR10 metadata of the source.
        colors: of the frames to come; only the siting of chroma is for the options.
        size: width and height.
    """
    encoder = chosen.encoder
    options = dict(encoder.options)
    if chosen.crf is not None:
        options["crf"] = f"{chosen.crf:g}"
    if chosen.preset is not None:
        options[encoder.preset_option] = chosen.preset
    private = _private_parameters(encoder.name, hdr, colors, size)
    for option, parameters in private.items():
        if parameters:
            options[option] = ":".join(f"{key}={value}" for key, value in parameters.items())
    return options


def try_encoder(chosen: Plan) -> None:
    """Open the encoder once, to see whether it takes its settings.

    Raises:
        UsageError: it does not.
    """
    context = av.CodecContext.create(chosen.encoder.name, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width = context.height = 128
    context.pix_fmt = chosen.pixel_format
    context.time_base = Fraction(1, 25)
    context.framerate = Fraction(25)
    context.options = encoder_options(chosen, None, ColorTags(), (128, 128))
    open_encoder(context, chosen)


def open_encoder(context: av.VideoCodecContext, chosen: Plan) -> None:
    """Open an encoder.

    Raises:
        UsageError: it does not take its settings.
    """
    # SVT-AV1 tells its settings on stderr, unless told otherwise in this way alone.
    os.environ.setdefault("SVT_LOG", "1")
    try:
        context.open()
    except (av.FFmpegError, ValueError) as error:
        settings = [f"{context.width}x{context.height}", chosen.pixel_format]
        settings += [f"crf {chosen.crf:g}"] if chosen.crf is not None else []
        settings += [f"preset {chosen.preset}"] if chosen.preset is not None else []
        raise UsageError(
            f"The encoder {chosen.encoder.name} refuses {', '.join(settings)}; choose other "
            "values, or another codec."
        ) from error


def plausible_rate(said: Fraction | None, first: Frame) -> Fraction:
    """Frames in a second, as encoders want to know; instants do not depend on it.

    A header without a rate makes FFmpeg take the finest unit of time for one.
    """
    if said is not None and said <= _MAX_RATE:
        return said
    if first.duration and (rate := 1 / (first.duration * first.time_base)) <= _MAX_RATE:
        return rate
    return DEFAULT_RATE


def keeps_aspect(chosen: Plan) -> bool:
    """Whether the sample aspect ratio can be said: by the codec, or by the container.

    PyAV cannot set the one of Matroska's header.
    """
    return chosen.container.muxer in {"mp4", "mov"} or chosen.encoder.name in {
        "libx264",
        "libx264rgb",
        "libx265",
    }


def keeps_hdr(encoder: Encoder) -> bool:
    """Whether HDR10 metadata can be given to an encoder."""
    return encoder.name in {"libx264", "libx265", "libsvtav1"}


def keeps_captions(encoder: Encoder) -> bool:
    """Whether closed captions can be given to an encoder."""
    return encoder.name in {"libx264", "libx264rgb", "libx265"}


def _private_parameters(
    name: str, hdr: Hdr | None, colors: ColorTags, size: tuple[int, int]
) -> dict[str, dict[str, str]]:
    siting = colors.siting if colors.siting != "left" else None  # `left` is what none means
    parameters = dict(_SAME_EVERYWHERE) if name == "libx264" else {}
    if name in {"libx264", "libx265"}:
        if siting is not None:
            parameters["chromaloc"] = str(_SITINGS.index(siting))
        light, display = ("cll", "mastering-display")
        if name == "libx265":
            light, display = ("max-cll", "master-display")
            parameters["log-level"] = "error"
            if min(size) < 32:  # the smallest block of x265 is larger than such a frame
                parameters["ctu"] = "16"
            if min(size) < 64:  # there, x265's coding-unit tree writes beyond its memory
                parameters["cutree"] = "0"
        if hdr is not None and hdr.max_cll is not None:
            parameters[light] = f"{hdr.max_cll},{hdr.max_fall}"
        if hdr is not None and (mastering := _mastering(hdr, 50_000, 10_000)):
            parameters[display] = mastering
        return {f"{name.removeprefix('lib')}-params": parameters}
    if name == "libx264rgb":
        return {"x264-params": _SAME_EVERYWHERE}
    if name == "libsvtav1":
        if siting == "topleft":
            parameters["chroma-sample-position"] = "topleft"
        if hdr is not None and hdr.max_cll is not None:
            parameters["content-light"] = f"{hdr.max_cll},{hdr.max_fall}"
        if hdr is not None and (mastering := _mastering(hdr, None, None)):
            parameters["mastering-display"] = mastering
        return {"svtav1-params": parameters}
    return {}


def _mastering(hdr: Hdr, per_unit: int | None, per_candela: int | None) -> str | None:
    """`G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min)`, in integers where units are given."""
    if hdr.green is None or hdr.blue is None or hdr.red is None or hdr.white is None:
        return None
    if hdr.max_luminance is None or hdr.min_luminance is None:
        return None

    def number(value: Fraction, per: int | None) -> str:
        return f"{float(value):.6g}" if per is None else str(round(value * per))

    def point(at: Point, per: int | None) -> str:
        return f"({number(at[0], per)},{number(at[1], per)})"

    luminance = point((hdr.max_luminance, hdr.min_luminance), per_candela)
    green, blue, red = (point(primary, per_unit) for primary in (hdr.green, hdr.blue, hdr.red))
    return f"G{green}B{blue}R{red}WP{point(hdr.white, per_unit)}L{luminance}"
