"""Frames at other instants: a source's own where they are due, new ones between them.

Nothing is made where there is no motion to follow: across a scene cut, between two frames that
show one picture, after the last frame, or where motion is beyond reach. The nearest frame is
repeated there, and a `Tally` says how often.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal

import torch

from upreel.core.background import prefetch
from upreel.core.instants import FrameRate, Instant, common_time_base, instants
from upreel.inference.blending import Blender, unreachable
from upreel.inference.loop import observe
from upreel.models.interpolator import Between, Interpolator
from upreel.models.upscaler import Window
from upreel.video.coding import Coding
from upreel.video.frame import Frame
from upreel.video.repeats import RepeatFinder

Reason = Literal["scene cut", "same picture", "motion out of reach", "last frame", "nearest"]
"""Why a frame is repeated; `nearest`: the network makes none at that instant."""

HALF, QUARTER = Fraction(1, 2), Fraction(1, 4)


@dataclass(slots=True)
class Tally:
    """What the frames of a result are.

    Attributes:
        given: frames of the source, at their own instants.
        made: new frames, each shown where it was made for.
        held: how much of `made` is repeated in regions, in frames: motion there is out of reach.
        repeated: frames that show a neighbour once more.
    """

    given: int = 0
    made: int = 0
    held: float = 0.0
    repeated: Counter[Reason] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Count what another one has counted."""
        self.given += other.given
        self.made += other.made
        self.held += other.held
        self.repeated += other.repeated


@dataclass(frozen=True, slots=True)
class Step:
    """A frame of the source and what is due while it lasts.

    Attributes:
        frame: the frame.
        after: the one after it.
        due: which frames of the result.
        reason: why none of them can be made.
        first: whether nothing is made between this frame and the one before it.
    """

    frame: Frame
    after: Frame | None
    due: Sequence[Instant]
    reason: Reason | None
    first: bool


def interpolate(
    frames: Iterable[Frame],
    interpolator: Interpolator,
    rate: FrameRate,
    *,
    coding: Coding,
    device: torch.device,
    tally: Tally,
    origin: Fraction | None = None,
) -> Generator[Frame, None, None]:
    """Make a stream of frames at other instants.

    Args:
        frames: of a video, scene cuts marked; each lasts until the next.
        interpolator: makes what lies between two frames.
        rate: which instants.
        coding: of the frames.
        device: where the interpolator computes.
        tally: where frames are counted.
        origin: see `steps`.

    Yields:
        Frames in order, coded as those that came; a new scene is marked on the first of its frames.
    """
    blender = Blender(coding)
    seen = observe(
        interpolator.spec,
        ((step, blender.luma(step.frame)) for step in steps(frames, rate, origin=origin)),
        begins_scene=lambda step: step.first,
        device=device,
    )
    clock, captions = Clock(rate), Captions()
    with closing(prefetch(seen, depth=1)) as observations:
        for observation in observations:
            (step,) = observation.labels
            clock.begin(step.frame)
            captions.begin(step)
            pictures = _pictures(step, observation.window, interpolator, blender, tally)
            for instant, picture in zip(step.due, pictures, strict=True):
                yield from captions.given(clock.dated(picture, instant))
    yield from captions.rest()


def steps(
    frames: Iterable[Frame],
    rate: FrameRate,
    *,
    repeats: bool = True,
    origin: Fraction | None = None,
) -> Iterator[Step]:
    """Lay out a stream of frames in time; one frame is held back.

    Where a segment begins with frames that were there before, time goes back. The last frame
    before was only there for its neighbours: nothing is due then.

    Args:
        frames: scene cuts marked.
        rate: which instants.
        repeats: whether to look for frames that show one picture.
        origin: seconds where the first frame of the result is due; without it, with the first
            frame of the stream.
    """
    held: Frame | None = None
    begin = lasts = Fraction(0)
    first = True
    finder = RepeatFinder() if repeats else None
    for frame in frames:
        instant = frame.pts * frame.time_base
        origin = instant if origin is None else origin
        if held is not None and instant <= begin:
            yield Step(held, None, (), None, first)
            first = True
            finder = RepeatFinder() if repeats else None
        elif held is not None:
            lasts = instant - begin
            due = instants(begin, instant, rate, origin=origin, tick=held.time_base)
            new = any(each.phase for each in due)
            reason: Reason | None = "scene cut" if frame.cut else None
            if finder and finder.is_repeat(held, frame):
                reason = "same picture"
            yield Step(held, frame, due, reason, first)
            first = reason is not None or not new
        held, begin = frame, instant
    if held is not None and origin is not None:
        lasts = (held.duration or 0) * held.time_base or lasts or held.time_base
        due = instants(begin, begin + lasts, rate, origin=origin, tick=held.time_base, last=True)
        yield Step(held, None, due, "last frame", first)


def nearest(step: Step, instant: Instant) -> Frame:
    """The frame of the source that is repeated; the one before, half-way between two."""
    return step.frame if step.after is None or instant.phase <= HALF else step.after


def _pictures(
    step: Step, window: Window, interpolator: Interpolator, blender: Blender, tally: Tally
) -> Iterator[Frame]:
    """What is shown at each instant of a step."""
    tally = tally if step.frame.segment is not None else Tally()  # it is left out later
    phases = [float(instant.phase) for instant in step.due if instant.phase]
    made: Iterator[Between] = iter(())
    if phases and step.reason is None:
        with torch.inference_mode():
            made = iter(interpolator.between(window, phases))
    for instant in step.due:
        near = nearest(step, instant)
        if not instant.phase:
            tally.given += 1
            yield step.frame
        elif step.reason is not None or step.after is None:
            tally.repeated[step.reason or "last frame"] += 1
            yield near
        else:
            between = _on_cpu(next(made))
            kept = unreachable(between)
            if kept.all():
                tally.repeated["motion out of reach"] += 1
                yield near
            else:
                tally.made += 1
                tally.held += float(kept.float().mean())
                new = blender.blend(step.frame, step.after, between, kept, near)
                yield replace(new, cut=False)


def _on_cpu(between: Between) -> Between:
    frame, flow, weight, doubt = (
        part.cpu() for part in (between.frame, between.flow, between.weight, between.doubt)
    )
    return Between(frame, flow, weight, doubt)


def choose(
    pairs: Iterable[tuple[Frame, Frame]],
    rate: FrameRate,
    *,
    tally: Tally,
    origin: Fraction | None = None,
) -> Generator[tuple[Frame, Frame], None, None]:
    """Date the frames of a network that makes those half-way to the next by itself.

    At any other instant the nearest of them is shown.

    Args:
        pairs: two for each frame of the source, in order: that frame, with what the network made
            of it, and again with what it made half-way to the next one.
        rate: which instants.
        tally: where frames are counted.
        origin: see `steps`.

    Yields:
        A frame of the source, and what is shown.
    """
    halves: deque[tuple[Frame, Frame]] = deque()

    def wholes() -> Iterator[Frame]:
        both = iter(pairs)
        for (source, whole), (_, half) in zip(both, both, strict=True):
            halves.append((source, replace(half, cut=False, captions=None)))
            yield whole

    clock, captions = Clock(rate), Captions()
    shown: deque[Frame] = deque()  # of the source, for results that are still held back
    for step in steps(wholes(), rate, repeats=False, origin=origin):
        source, half = halves.popleft()
        counts = tally if step.frame.segment is not None else Tally()
        clock.begin(step.frame)
        captions.begin(step)
        for instant in step.due:
            picture = nearest(step, instant)
            if QUARTER < instant.phase <= 3 * QUARTER:
                picture = half
            if not instant.phase:
                counts.given += 1
            elif step.reason is None and instant.phase == HALF:
                counts.made += 1
            else:
                counts.repeated[step.reason or "nearest"] += 1
            shown.append(source)
            for frame in captions.given(clock.dated(picture, instant)):
                yield shown.popleft(), frame
    for frame in captions.rest():
        yield shown.popleft(), frame


class Captions:
    """Gives each caption to one frame of a result; one is held back.

    Those of a frame of the source go to the first frame of the result that is due while it lasts,
    or to the one before where there is none. They stay in their segment, so that it makes no
    difference what was made before it; frames that are there for their neighbours come again.
    """

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._held: Frame | None = None
        self._said = b""
        self._segment: int | None = None

    def begin(self, step: Step) -> None:
        """Hear what comes with a frame of the source."""
        if step.frame.segment != self._segment:
            self._said, self._segment = b"", step.frame.segment
        held, said = self._held, step.frame.captions or b""
        if step.due or held is None or held.segment != self._segment:
            self._said += said
        elif said:
            self._held = replace(held, captions=(held.captions or b"") + said)

    def given(self, frame: Frame) -> Iterator[Frame]:
        """The frame of the result before this one, with its captions, if there is one."""
        yield from self.rest()
        self._held, self._said = replace(frame, captions=self._said or None), b""

    def rest(self) -> Iterator[Frame]:
        """The frame that is held back."""
        if self._held is not None:
            yield self._held


class Clock:
    """Gives frames of a result their instants, and marks what comes once: cuts."""

    def __init__(self, rate: FrameRate) -> None:
        """Begin; `rate` is that of the result."""
        self._rate = rate
        self._marked: Frame | None = None  # the frame whose cut has been marked
        self._cut = False
        self._segment: int | None = None
        self._before: int | None = None  # the segment of the frame dated last

    def begin(self, frame: Frame) -> None:
        """Say that a frame of the source is due, whether it is shown or not."""
        if frame.cut and self._marked is not frame:
            self._cut, self._marked = True, frame
        self._segment = frame.segment

    def dated(self, picture: Frame, instant: Instant) -> Frame:
        """The frame of the result: what it shows, at its instant.

        Args:
            picture: a frame of the source, or a new one with the properties of one.
            instant: when it is due.
        """
        time_base = common_time_base(picture.time_base, self._rate)
        cut = self._cut or (picture.cut and self._marked is not picture)
        if picture.cut:
            self._marked = picture
        # A segment that begins with a scene begins anew, whether or not the one before it has
        # shown its first frame already, in place of one that could not be made.
        cut = cut or (None not in {self._segment, self._before} and self._segment != self._before)
        self._before = self._segment
        self._cut = False
        return replace(
            picture,
            pts=int(instant.begin / time_base),
            time_base=time_base,
            duration=int((instant.end - instant.begin) / time_base),
            cut=cut,
            segment=self._segment,
            captions=None,
        )
