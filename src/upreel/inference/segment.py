"""One segment of an output, in a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from fractions import Fraction
from pathlib import Path
from typing import Self

from upreel.core.background import prefetch
from upreel.inference.assembly import Assembly
from upreel.inference.interpolation import Tally
from upreel.inference.job import Job, enlarged
from upreel.inference.ledger import Done
from upreel.inference.plan import Plan, Start, cut_segment
from upreel.inference.stages import Stages
from upreel.video.coding import Coding
from upreel.video.frame import Frame
from upreel.video.packets import PacketWriter
from upreel.video.reader import Reader


class SegmentFile:
    """A segment that is being encoded; its encoder begins with its first frame.

    Use it as a context manager; `finish` completes the file.

    Attributes:
        number: of the segment.
    """

    def __init__(self, number: int, assembly: Assembly, path: Path) -> None:
        """Make the file.

        Args:
            number: of the segment, from 0.
            assembly: makes packets of frames; `place` was called.
            path: of the file.
        """
        self.number = number
        self._assembly = assembly
        self._first: Frame | None = None
        self._count = 0
        self._stack = ExitStack()
        self._file = self._stack.enter_context(PacketWriter(path, assembly.time_base))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()

    def write(self, frame: Frame) -> None:
        """Encode a frame."""
        if self._first is None:
            self._first = frame.with_planes((), frame.layout)
            self._stack.enter_context(self._assembly.begin())
        self._file.write(self._assembly.encode(frame))
        self._count += 1

    def finish(self, following: Start | None, damage: str | None) -> Done:
        """Complete the file; what a ledger says of it comes back.

        Args:
            following: where the next segment begins, if there is one.
            damage: what of the source was found to be damaged.
        """
        if self._count:
            self._file.write(self._assembly.flush())
        checksum = self._file.finish()
        first = self._first
        return Done(
            number=self.number,
            frames=self._count,
            first=first.pts if first else 0,
            time_base=first.time_base if first else Fraction(1),
            duration=first.duration if first else None,
            end=Fraction(self._assembly.end) if first else Fraction(0),
            next_frame=None if following is None else following.frame,
            next_scene=following is None or following.scene,
            next_place=None if following is None else following.place,
            checksum=checksum,
            damage=damage,
        )


def make_segment(
    reader: Reader,
    job: Job,
    assembly: Assembly,
    plan: Plan,
    start: Start,
    *,
    first: Frame,
    path: Path,
    tally: Tally,
    progress: Callable[[int], None] = lambda frames: None,
) -> Done:
    """Make one segment by itself: the same file as where all are made one after the other.

    Args:
        reader: the source, opened.
        job: what is done with it.
        assembly: of the result.
        plan: how the source is cut.
        start: where the segment begins.
        first: the first frame of the whole result; its planes do not matter.
        path: of the file.
        tally: where frames are counted.
        progress: called with the number of frames after each of them.

    Raises:
        MediaError: the source cannot be read.
    """
    following: list[Start] = []
    assembly.place(first)
    results = enlarged(
        reader,
        cut_segment(reader, plan, start, following.append),
        job,
        Coding.of(assembly.layout, assembly.colors),
        assembly.size,
        Stages(),
        tally,
        origin=first.pts * first.time_base,
    )
    with (
        SegmentFile(start.number, assembly, path) as segment,
        closing(prefetch(results, depth=2)) as pairs,
    ):
        for count, (_, frame) in enumerate(pairs, 1):
            segment.write(frame)
            progress(count)
        return segment.finish(following[0] if following else None, reader.damage)
