"""How a video is cut into segments that are enlarged by themselves, whoever does it and when.

A segment depends on the source alone: scene cuts are looked for anew in each, the network starts
from an empty state, and where a segment does not begin with a scene, some frames before it are
stepped first and their results left out. So it makes no difference whether one run enlarges all
segments, several runs do, or several machines. What the empty state costs is measured by
`evaluation/resets.py`; `docs/reliability.md` has the curve, `upreel bench` prints it in a line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace

from upreel.models.upscaler import Spec
from upreel.video.frame import Frame
from upreel.video.place import Place, Source
from upreel.video.scenes import mark_cuts

MOST_FRAMES = 400
"""Frames of the source in a segment, at most; from half as many on it ends with its scene."""

WARM_UP = 12
"""Frames that a recurrent network sees before the first of a segment."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The rule by which a video is cut.

    Attributes:
        most: frames of the source in a segment, at most. A scene cut ends one that has half of it.
        warm_up: frames before a segment that are stepped first, unless it begins with a scene.
        ahead: frames after a segment that are shown to the last of its own.
    """

    most: int = MOST_FRAMES
    warm_up: int = WARM_UP
    ahead: int = 0

    @classmethod
    def of(cls, *specs: Spec, most: int = MOST_FRAMES) -> Plan:
        """The plan for upscalers behind each other; without a recurrent one, for neighbours."""
        return cls(
            most,
            sum(spec.past + (WARM_UP if spec.recurrent else 0) for spec in specs),
            sum(spec.future for spec in specs),
        )


@dataclass(frozen=True, slots=True)
class Start:
    """Where a segment begins.

    Attributes:
        number: of the segment, from 0.
        frame: its first frame, counted in the source.
        scene: whether a scene begins there, so that nothing before it matters.
        place: of the first frame that it may need, as its run-in; without it, the source has to be
            read from its first frame.
    """

    number: int = 0
    frame: int = 0
    scene: bool = True
    place: Place | None = None


def cut_into_segments(
    source: Source,
    plan: Plan,
    start: Start | None = Start(),
    found: Callable[[Start], None] = lambda start: None,
) -> Generator[Frame, None, None]:
    """Lay a source out as segments, one after the other.

    Args:
        source: a `Reader`.
        plan: the rule.
        start: the first segment wanted. Where it has a place, reading begins there; else frames
            that it does not need are read and left out. `None`: no segment is wanted.
        found: called with where each further segment begins, before its first frame comes. A
            worker that is given this start can begin with that segment.

    Yields:
        Frames with `segment` and `cut` set. Those around a segment, which are only there for its
        own, have no `segment`; they come again as frames of another, so instants go back there.
        The first frame of each run-in has `cut` set: a state begins anew. At most
        `plan.warm_up + plan.ahead` frames are held, and three.
    """
    place = start.place if start else None
    frames = _Rewindable(
        source.since(place) if place else iter(source),
        first=place.frame if place else 0,
        keep=plan.warm_up + plan.ahead + 3,
    )
    while start is not None:
        following = yield from _segment(frames, plan, start)
        if following is not None:
            # Also the segment behind it, if it is short, needs no frame before this one.
            first = following.frame - plan.warm_up
            if first > 0:
                place = source.place_of(first, frames.held(first - 1), frames.held(first))
                following = replace(following, place=place)
            found(following)
        start = following


def _segment(source: _Rewindable, plan: Plan, start: Start) -> Generator[Frame, None, Start | None]:
    """The frames of one segment and those around it; returns where the next one begins."""
    following: Start | None = None
    begin = start.frame - (0 if start.scene else min(plan.warm_up, start.frame))
    for index, frame in enumerate(mark_cuts(source.since(begin)), begin):
        length = index - start.frame
        if following is None and _ends(frame, length, plan):
            following = Start(start.number + 1, index, frame.cut)
        if following is not None and (following.scene or index >= following.frame + plan.ahead):
            return following
        own = length >= 0 and following is None
        yield replace(frame, segment=start.number if own else None, cut=frame.cut or index == begin)
    return following


def _ends(frame: Frame, length: int, plan: Plan) -> bool:
    """Whether a segment ends before a frame."""
    return length >= plan.most or (length > 0 and frame.cut and 2 * length >= plan.most)


class _Rewindable:
    """Frames of a stream by their number; the latest can be had again."""

    def __init__(self, frames: Iterator[Frame], *, first: int, keep: int) -> None:
        """Wrap a stream.

        Args:
            frames: the stream.
            first: number of its first frame.
            keep: how many of the latest frames are held.
        """
        self._frames = frames
        self._held: deque[Frame] = deque(maxlen=keep)
        self._read = first

    def since(self, index: int) -> Iterator[Frame]:
        """Frames from a number on, which may be held, or is still to come."""
        while True:
            while self._read <= index:
                frame = next(self._frames, None)
                if frame is None:
                    return
                self._held.append(frame)
                self._read += 1
            yield self.held(index)
            index += 1

    def held(self, index: int) -> Frame:
        """One of the latest frames."""
        return self._held[index - self._read]
