"""What a user may wish, how far the work is, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

from upreel.core.instants import FrameRate
from upreel.inference.interpolation import Tally
from upreel.inference.plan import MOST_FRAMES
from upreel.inference.precision import Precision
from upreel.inference.retiming import DEFAULT_INTERPOLATOR
from upreel.inference.stages import Stage
from upreel.ops.flow import FlowProvider
from upreel.video.deinterlace import Deinterlace
from upreel.video.encoding import Encoding
from upreel.video.trust import TRUST, Trust

DEFAULT_MODEL = "swift:real"

Flow = FlowProvider | Literal["spynet"]
"""What finds optical flow: a solver, or a network that a user has the weights of."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may wish; the defaults are right for someone who wishes nothing.

    Attributes:
        scale: how many times larger; 4 where neither this nor a size is given.
        size: (width, height) of the result, as players show it.
        height: of the result, as players show it; the width follows.
        model: a shipped name, or a file of weights.
        encoding: how the result is encoded.
        start: seconds from the beginning of the file where the result begins.
        end: seconds from the beginning of the file before which the result ends.
        device: a device of torch, or `auto`.
        precision: what the network computes in.
        flow: what finds the optical flow of a network that uses it; its own choice without it.
        flow_weights: the file for `spynet`: its own weights, or those of a network that has it
            inside.
        tile: side of the tiles that a frame is cut into, in input pixels; without it, whole frames,
            or tiles for networks that need them.
        deinterlace: `auto` deinterlaces what the file says is interlaced.
        audio: whether sound is carried over.
        overwrite: whether an existing result is replaced.
        keep_going: whether the result of a damaged input gets the final name.
        preview: where to draw a picture of one frame before and after.
        trust: what the input may cost, and where it may lead.
        fps: frames in a second, or a multiple of them; frames keep their size where none of
            `scale`, `size` and `height` is given.
        slowmo: how many times slower the result is played, with as many frames more.
        interpolator: what makes new frames: a shipped name, or a file of weights.
        resume: whether to work in segments, to keep those that are finished where the work breaks
            off, and to go on from there.
        segment: frames of the source in a segment, at most.
    """

    scale: int | None = None
    size: tuple[int, int] | None = None
    height: int | None = None
    model: str = DEFAULT_MODEL
    encoding: Encoding = field(default_factory=Encoding)
    start: Fraction | None = None
    end: Fraction | None = None
    device: str = "auto"
    precision: Precision = "auto"
    flow: Flow | None = None
    flow_weights: Path | None = None
    tile: int | None = None
    deinterlace: Deinterlace = "auto"
    audio: bool = True
    overwrite: bool = False
    keep_going: bool = False
    preview: Path | None = None
    trust: Trust = TRUST
    fps: FrameRate | None = None
    slowmo: int | None = None
    interpolator: str = DEFAULT_INTERPOLATOR
    resume: bool = True
    segment: int = MOST_FRAMES


HARMLESS = frozenset({"overwrite", "keep_going", "preview", "resume", "trust"})
"""Options that can change in the middle of a job."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the work is.

    Attributes:
        frames: written so far.
        total: expected; `None` where the file does not say.
        seconds: since the first frame was asked for.
        before: how many of the frames an earlier run has written.
    """

    frames: int
    total: int | None
    seconds: float
    before: int = 0

    @property
    def fps(self) -> float:
        """Frames per second so far."""
        return (self.frames - self.before) / self.seconds if self.seconds else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds that are left at this speed."""
        if self.total is None or not self.fps:
            return None
        return max(0, self.total - self.frames) / self.fps


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it.

    Attributes:
        path: the file or folder that was written.
        size: (width, height) of its frames, as players show them.
        frames: how many.
        seconds: from the first frame to the finished file.
        stages: seconds that each stage was busy.
        preview: the picture of before and after, if one was asked for.
        tally: what the frames of this run are, where new ones were asked for.
        before: how many of the frames an earlier run has written.
    """

    path: Path
    size: tuple[int, int]
    frames: int
    seconds: float
    stages: dict[Stage, float]
    preview: Path | None = None
    tally: Tally | None = None
    before: int = 0

    @property
    def fps(self) -> float:
        """Frames per second of this run."""
        return (self.frames - self.before) / max(self.seconds, 1e-9)
