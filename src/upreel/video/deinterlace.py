"""Interlaced frames to progressive ones, one for one, by FFmpeg's bwdif."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Literal

import av
import av.filter

from upreel.video.probe import FieldOrder

Deinterlace = Literal["auto", "on", "off"]

SMALLEST = 3
"""Rows and columns below which bwdif has nothing to look at; such frames pass as they are."""


def deinterlaced(
    frames: Iterable[av.VideoFrame],
    mode: Deinterlace,
    *,
    field_order: FieldOrder | None = None,
    first: av.VideoFrame | None = None,
) -> Iterator[av.VideoFrame]:
    """Rebuild interlaced frames from the field that comes first in them; instants stay.

    What becomes of a frame depends on it and both its neighbours, so one frame is held back.

    Args:
        frames: of one size and pixel format, with pts and time base.
        mode: `auto` rebuilds the frames that are flagged as interlaced, or all of a stream that
            is flagged while its frames are not; `on` rebuilds all; `off` none.
        field_order: what the header says of the stream; it counts where frames have no flag.
        first: the first frame of the stream, where it is not the first of `frames`; it tells
            whether frames of a flagged stream are flagged.
    """
    graph: av.filter.Graph | None = None
    before: av.VideoFrame | None = None  # the latest frame that was left alone
    time_base = Fraction(1)
    all_frames = mode == "on" or field_order in {"top", "bottom"}
    for frame in frames:
        if mode == "off" or min(frame.width, frame.height) < SMALLEST:
            yield frame
            continue
        if graph is None:
            if not all_frames and not frame.interlaced_frame:
                yield frame
                before = frame
                continue
            flagged = (first if first is not None and all_frames else frame).interlaced_frame
            graph = _bwdif(
                frame,
                bottom=field_order == "bottom" and not flagged,
                only_flagged=mode == "auto" and flagged,
            )
            time_base = frame.time_base or time_base
            if before is not None:
                graph.vpush(before)
        graph.vpush(frame)
        for made in _pulled(graph, time_base):
            if before is None:
                yield made
            before = None
    if graph is not None:
        graph.vpush(None)
        yield from _pulled(graph, time_base)


def _bwdif(frame: av.VideoFrame, *, bottom: bool, only_flagged: bool) -> av.filter.Graph:
    graph = av.filter.Graph()
    nodes = (
        graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        ),
        graph.add(
            "bwdif",
            mode="send_frame",
            parity="bff" if bottom else "auto",
            deint="interlaced" if only_flagged else "all",
        ),
        graph.add("buffersink"),
    )
    graph.link_nodes(*nodes).configure()
    return graph


def _pulled(graph: av.filter.Graph, time_base: Fraction) -> Iterator[av.VideoFrame]:
    """What the graph has ready, counted in `time_base` again: bwdif halves the unit."""
    while True:
        try:
            frame = graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
        ratio = (frame.time_base or time_base) / time_base
        frame.pts = None if frame.pts is None else int(frame.pts * ratio)
        frame.duration = int(frame.duration * ratio)
        frame.time_base = time_base
        yield frame
