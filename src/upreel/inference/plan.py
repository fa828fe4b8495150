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
    wanted: Callable[[Start], bool] = lambda start: True,
) -> Generator[Frame, None, None]:
    """Lay a source out as segments, one after the other.

    Args:
        source: a `Reader`.
        plan: the rule.
        start: the first segment wanted. Where it has a place, reading begins there; else frames
            that it does not need are read and left out. `None`: no segment is wanted.
        found: called with where each further segment begins, before its first frame comes. A
            worker that is given this start can begin with that segment.
        wanted: whether a segment is; the frames of others are read and left out.

    Yields:
        Frames with `segment` and `cut` set. Those around a segment, which are only there for its
        own, have no `segment`; they come again as frames of another, so instants go back there.
        The first frame of each run-in has `cut` set: a state begins anew. At most
        `plan.warm_up + plan.ahead` frames are held, and three.
    """
    frames = _Rewindable(source, plan, start)
    while start is not None:
        laid = _segment(frames, plan, start, wanted)
        following = (yield from laid) if wanted(start) else _exhausted(laid)
        if following is not None:
            found(following)
        start = following


def cut_segment(
    source: Source, plan: Plan, start: Start, found: Callable[[Start], None]
) -> Generator[Frame, None, None]:
    """Lay out one segment as `cut_into_segments` does, and read no further than it needs.

    Args:
        source: a `Reader`.
        plan: the rule.
        start: the segment; where it has a place, reading begins there.
        found: called with where the next segment begins, if there is one.
    """
    frames = _Rewindable(source, plan, start)
    following = yield from _segment(frames, plan, start, lambda other: False)
    if following is not None:
        found(following)


def find_starts(
    source: Source, plan: Plan, start: Start | None = Start()
) -> Generator[Start, None, None]:
    """Where segments begin, from one on; a source is read as far as the next one needs."""
    frames = _Rewindable(source, plan, start)
    while start is not None:
        yield start
        start = _exhausted(_segment(frames, plan, start))


def _exhausted(laid: Generator[Frame, None, Start | None]) -> Start | None:
    while True:
        try:
            next(laid)
        except StopIteration as end:
            following: Start | None = end.value
            return following


def _segment(
    source: _Rewindable,
    plan: Plan,
    start: Start,
    wanted: Callable[[Start], bool] = lambda start: True,
) -> Generator[Frame, None, Start | None]:
    """The frames of one segment and those around it; returns where the next one begins."""
    following: Start | None = None
    begin = start.frame - (0 if start.scene else min(plan.warm_up, start.frame))
    for index, frame in enumerate(mark_cuts(source.since(begin)), begin):
        length = index - start.frame
        if following is None and _ends(frame, length, plan):
            following = Start(start.number + 1, index, frame.cut)
        if following is not None and (following.scene or index >= following.frame + plan.ahead):
            if following.scene and not wanted(following):
                yield replace(frame, segment=None, cut=True)  # until it, the last frame lasts
            return source.placed(following, plan)
        own = length >= 0 and following is None
        yield replace(frame, segment=start.number if own else None, cut=frame.cut or index == begin)
    return None if following is None else source.placed(following, plan)


def _ends(frame: Frame, length: int, plan: Plan) -> bool:
    """Whether a segment ends before a frame."""
    return length >= plan.most or (length > 0 and frame.cut and 2 * length >= plan.most)


class _Rewindable:
    """Frames of a stream by their number; the latest can be had again."""

    def __init__(self, source: Source, plan: Plan, start: Start | None) -> None:
        """Read a source from where a segment needs it; as many frames are held as a plan needs."""
        place = start.place if start else None
        if start and place and place.frame != start.frame - plan.warm_up:
            place = None  # of another plan
        self._source = source
        self._frames = source.since(place) if place else iter(source)
        self._held: deque[Frame] = deque(maxlen=plan.warm_up + plan.ahead + 3)
        self._read = place.frame if place else 0

    def since(self, index: int) -> Iterator[Frame]:
        """Frames from a number on, which may be held, or is still to come."""
        while True:
            while self._read <= index:
                frame = next(self._frames, None)
                if frame is None:
                    return
                self._held.append(frame)
                self._read += 1
            yield self._at(index)
            index += 1

    def placed(self, start: Start, plan: Plan) -> Start:
        """The start of a segment that comes next, with the place of the first frame it needs."""
        first = start.frame - plan.warm_up  # also the segment behind it needs none before this one
        if first <= 0:
            return start
        place = self._source.place_of(first, self._at(first - 1), self._at(first))
        return replace(start, place=place)

    def _at(self, index: int) -> Frame:
        return self._held[index - self._read]
