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
    frames: Iterable[av.VideoFrame], mode: Deinterlace, *, field_order: FieldOrder | None = None
) -> Iterator[av.VideoFrame]:
    """Rebuild interlaced frames from the field that comes first in them; instants stay.

    Both neighbours of a frame are looked at, so one frame is held back.

    Args:
        frames: of one size and pixel format, with pts and time base.
        mode: `auto` rebuilds the frames that are flagged as interlaced, or all of a stream that
            is flagged while its frames are not; `on` rebuilds all; `off` none.
        field_order: what the header says of the stream; it counts where frames have no flag.
    """
    graph: av.filter.Graph | None = None
    time_base = Fraction(1)
    flagged_stream = field_order in {"top", "bottom"}
    for frame in frames:
        if min(frame.width, frame.height) < SMALLEST:
            yield frame
            continue
        if graph is None:
            if mode == "off" or (
                mode == "auto" and not flagged_stream and not frame.interlaced_frame
            ):
                yield frame
                continue
            bottom = field_order == "bottom" and not frame.interlaced_frame
            only_flagged = mode == "auto" and frame.interlaced_frame
            graph = _bwdif(frame, bottom=bottom, only_flagged=only_flagged)
            time_base = frame.time_base or time_base
        graph.vpush(frame)
        yield from _pulled(graph, time_base)
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
