"""What frames carry beside their planes: colour tags, in FFmpeg's names, and side data."""

from __future__ import annotations

import ctypes
import gc
import re
from collections.abc import Iterable
from fractions import Fraction
from threading import Lock
from typing import Literal, cast, get_args

import av
import av.filter
import av.logging
from av.dictionary import Dictionary
from av.sidedata.sidedata import SideData, Type

from upreel.video.frame import ColorTags, Siting

MATRICES = {
    0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco",
    9: "bt2020nc", 10: "bt2020c", 11: "smpte2085", 12: "chroma-derived-nc",
    13: "chroma-derived-c", 14: "ictcp", 15: "ipt-c2", 16: "ycgco-re", 17: "ycgco-ro",
}  # fmt: skip
"""FFmpeg's names of `AVColorSpace`; what is missing is unspecified."""

PRIMARIES = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film",
    9: "bt2020", 10: "smpte428", 11: "smpte431", 12: "smpte432", 22: "ebu3213",
}  # fmt: skip
"""FFmpeg's names of `AVColorPrimaries`."""

TRANSFERS = {
    1: "bt709", 4: "gamma22", 5: "gamma28", 6: "smpte170m", 7: "smpte240m", 8: "linear",
    9: "log100", 10: "log316", 11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1",
    14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084", 17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip
"""FFmpeg's names of `AVColorTransferCharacteristic`."""

_RANGES: dict[int, Literal["tv", "pc"]] = {1: "tv", 2: "pc"}
_SITINGS: dict[str, Siting] = {siting: siting for siting in get_args(Siting)}
_log_level = Lock()


def side_data_of(frame: av.VideoFrame, kind: Type) -> bytes | None:
    """The bytes of one kind of side data, a struct of FFmpeg; `None` where there is none."""
    try:
        entries = list(cast("Iterable[SideData]", frame.side_data))  # a mapping of values
    except ValueError as error:
        # One kind that PyAV has no name for hides all others: "31 is not a valid Type".
        unnamed = str(error).split()[0]
        if not unnamed.isdigit():
            raise
        return side_data_of(
            _filtered(frame, ("sidedata", {"mode": "delete", "type": unnamed})), kind
        )
    for entry in entries:
        _keep_alive(entry)
    return next((bytes(entry) for entry in entries if entry.type == kind), None)


def _keep_alive(entry: SideData) -> None:
    """Never let go of what an entry says of itself, such as the name of a colour profile.

    PyAV (18.1) frees it with the entry, and FFmpeg once more with the frame: the process crashes.
    """
    for held in gc.get_referents(entry):
        if isinstance(held, Dictionary) and len(held):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(held))


def _filtered(frame: av.VideoFrame, *filters: tuple[str, dict[str, str]]) -> av.VideoFrame:
    """One frame through filters that need no other."""
    graph = av.filter.Graph()
    nodes = (
        graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25)
        ),
        *(graph.add(name, **options) for name, options in filters),
        graph.add("buffersink"),
    )
    graph.link_nodes(*nodes).configure()
    graph.vpush(frame)
    return graph.vpull()


def color_tags_of(frame: av.VideoFrame) -> ColorTags:
    """The tags of a decoded frame.

    Frames of the JPEG formats (`yuvj420p`) are of full range whatever else they say.
    """
    jpeg = frame.format.name.startswith("yuvj")
    return ColorTags(
        range="pc" if jpeg else _RANGES.get(frame.color_range),
        matrix=MATRICES.get(frame.colorspace),
        primaries=PRIMARIES.get(frame.color_primaries),
        transfer=TRANSFERS.get(frame.color_trc),
        siting=_siting_of(frame) if len(frame.planes) > 1 else None,
    )


def first_field_of(frame: av.VideoFrame) -> Literal["top", "bottom"]:
    """Which field of an interlaced frame is the earlier one."""
    return "bottom" if re.search(r"\bi:B\b", _shown(frame)) else "top"


def _siting_of(frame: av.VideoFrame) -> Siting | None:
    found = re.search(r"\bcl:(\w+)", _shown(frame))
    return _SITINGS.get(found[1]) if found else None


def _shown(frame: av.VideoFrame) -> str:
    """What FFmpeg's showinfo prints of a frame: some of it PyAV does not show."""
    bare = ("sidedata", {"mode": "delete"})  # or all side data would be printed
    with _log_level:
        level = av.logging.get_level()
        av.logging.set_level(av.logging.INFO)
        try:
            with av.logging.Capture() as lines:
                _filtered(frame, bare, ("showinfo", {"checksum": "0"}))
        finally:
            av.logging.set_level(level)
    return "".join(text for _, _, text in lines)
