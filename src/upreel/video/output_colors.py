"""How the planes that are written must be coded, and the tags that say so."""

from __future__ import annotations

import av

from upreel.video.frame import ColorTags, PixelLayout
from upreel.video.probe import VideoInfo
from upreel.video.tags import MATRICES, PRIMARIES, TRANSFERS

_PRIMARIES_OF = {
    "bt709": "bt709",
    "smpte170m": "smpte170m",
    "bt470bg": "bt470bg",
    "smpte240m": "smpte240m",
    "bt2020nc": "bt2020",
    "bt2020c": "bt2020",
}
_MATRIX_OF = {"bt2020": "bt2020nc", "smpte170m": "smpte170m", "bt470bg": "bt470bg"}
_TRANSFER_OF = {
    "smpte170m": "smpte170m",
    "bt470bg": "smpte170m",
    "smpte240m": "smpte240m",
    "bt2020nc": "bt2020-10",
    "bt2020c": "bt2020-10",
}


def output_colors(video: VideoInfo, layout: PixelLayout, *, still: bool = False) -> ColorTags:
    """The tags of the output; what the source leaves unsaid becomes what players take it for.

    Y'CbCr stays as it is. Where its matrix is not tagged, players go by the size, which is about
    to change: up to 576 lines and less than 1280 columns it is BT.601 (with the primaries of 625
    lines where there are exactly 576), above that BT.709. RGB becomes limited-range BT.709
    Y'CbCr, or BT.2020 where its primaries are. Y'CbCr becomes RGB of full range.

    Args:
        video: the source.
        layout: of the output.
        still: the source is of images, whose colours are sRGB where they do not say.
    """
    tags = video.colors
    if video.layout.family == "rgb":
        primaries, transfer = tags.primaries or "bt709", tags.transfer or "iec61966-2-1"
        if layout.family == "rgb":
            return ColorTags("pc", "gbr", primaries, transfer)
        matrix = "bt2020nc" if primaries == "bt2020" else "bt709"
        return ColorTags("tv", matrix, primaries, transfer, "left")
    said = tags.matrix if tags.matrix != "gbr" else None  # `gbr` is said of gray images too
    matrix = said or _MATRIX_OF.get(tags.primaries or "") or _guessed_matrix(video)
    primaries = tags.primaries or ("bt709" if still else _PRIMARIES_OF.get(matrix, "bt709"))
    transfer = tags.transfer or ("iec61966-2-1" if still else _TRANSFER_OF.get(matrix, "bt709"))
    if layout.family == "rgb":
        return ColorTags("pc", "gbr", primaries, transfer)
    return ColorTags(tags.range or "tv", matrix, primaries, transfer, tags.siting)


def _guessed_matrix(video: VideoInfo) -> str:
    if video.width >= 1280 or video.height > 576:
        return "bt709"
    return "bt470bg" if video.height == 576 else "smpte170m"


def tag(tagged: av.VideoFrame | av.VideoCodecContext, colors: ColorTags) -> None:
    """Write tags on a frame or an encoder; the siting of chroma is not among what PyAV can set."""
    tagged.color_range = {"tv": 1, "pc": 2}.get(colors.range or "", 0)
    tagged.colorspace = _number(MATRICES, colors.matrix)
    tagged.color_primaries = _number(PRIMARIES, colors.primaries)
    tagged.color_trc = _number(TRANSFERS, colors.transfer)


def _number(names: dict[int, str], name: str | None) -> int:
    return next((number for number, known in names.items() if known == name), 2)
