"""What the farm and its workers say to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from upreel.inference.geometry import Geometry
from upreel.inference.interpolation import Tally
from upreel.inference.job import FieldOfWeights
from upreel.inference.ledger import Done
from upreel.inference.options import Options
from upreel.inference.pins import Pins
from upreel.inference.plan import Start
from upreel.inference.precision import Precision
from upreel.video.frame import Frame


class GoneError(Exception):
    """Bytes are not in the store any more, or are not those that were put there."""


class Store(Protocol):
    """Where bytes wait for those who need them: Ray's object store."""

    def put(self, data: bytes) -> object:
        """Leave bytes there; what stands for them comes back."""
        ...

    def get(self, held: object) -> bytes:
        """The bytes that something stands for.

        Raises:
            GoneError: they are gone with the machine that held them.
        """
        ...


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A file of weights in the store.

    Attributes:
        name: of the file.
        sha256: of its bytes.
        held: what stands for them.
    """

    name: str
    sha256: str
    held: object


@dataclass(frozen=True, slots=True)
class Order:
    """One segment to make.

    Attributes:
        source: path or address of the video.
        identity: what tells it from others; see `Sources.identity`.
        target: the name of the result, without its folder.
        options: of the user.
        geometry: how large the result gets.
        pins: what the job has chosen.
        start: where the segment begins.
        first: the first frame of the whole result, without its planes.
        weights: the files that options name.
    """

    source: str
    identity: str
    target: Path
    options: Options
    geometry: Geometry
    pins: Pins
    start: Start
    first: Frame
    weights: Mapping[FieldOfWeights, SharedFile]


@dataclass(frozen=True, slots=True)
class Made:
    """A segment that was made.

    Attributes:
        done: what the ledger says of it.
        parts: its file in pieces, each in the store.
        tally: what its frames are.
        seconds: that it took.
        messages: what the worker had to say.
    """

    done: Done
    parts: Sequence[object]
    tally: Tally
    seconds: float
    messages: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """A segment that could not be made.

    Attributes:
        message: why, in one line.
        final: whether another try would end the same way.
    """

    message: str
    final: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker that died over a segment, or whose answer died with it.

    Attributes:
        message: what is known of it.
    """

    message: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an order.

    Attributes:
        order: the order.
        worker: its name.
        outcome: what came of it.
    """

    order: Order
    worker: str
    outcome: Made | Refused | Lost


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a worker says of itself.

    Attributes:
        machine: its name.
        pid: of the process.
        versions: of what decides on numbers; see `versions`.
    """

    machine: str
    pid: int
    versions: Mapping[str, str]


EventName = Literal[
    "worker", "lost", "opened", "segment", "progress", "done", "skipped", "failed", "end"
]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        event: a worker is ready, or was lost; a file is opened; a segment is made; how far all is;
            a file is done, was there already, or failed; all is over.
        seconds: since the farm began.
        source: the file.
        target: its result.
        worker: who made it.
        segment: its number, from 0.
        frames: of the segment or the file, or made so far of all.
        total: frames expected, of the file or of all.
        took: seconds that the segment took.
        fps: frames in a second: of the worker with this segment, or of all.
        seconds_left: for all.
        files: how many files are done, and how many there are.
        message: what there is to say.
    """

    event: EventName
    seconds: float
    source: str | None = None
    target: str | None = None
    worker: str | None = None
    segment: int | None = None
    frames: int | None = None
    total: int | None = None
    took: float | None = None
    fps: float | None = None
    seconds_left: float | None = None
    files: tuple[int, int] | None = None
    message: str | None = None


class Pool(Protocol):
    """Workers that take one order at a time.

    Attributes:
        size: how many there are to be.
    """

    size: int

    @property
    def free(self) -> int:
        """How many could take an order now."""
        ...

    def give(self, order: Order) -> None:
        """Let a free worker begin with an order."""
        ...

    def wait(self, seconds: float) -> Sequence[Answer]:
        """Wait until there are answers, or the time is over."""
        ...

    def choose_pins(self, device: str, precision: Precision) -> Pins:
        """Let a worker choose what decides on numbers.

        Raises:
            UsageError: there is no such device.
        """
        ...

    def under_way(self) -> int:
        """How many frames of orders not answered yet are made, as far as is known."""
        ...

    def news(self) -> Sequence[Event]:
        """What happened to workers since it was asked last; who asks knows the time."""
        ...


@dataclass(slots=True)
class Outcome:
    """What came of a farm's work.

    Attributes:
        done: results that are complete.
        skipped: results that were there before.
        failed: inputs, each with the reason.
        frames: made in this run.
        seconds: from beginning to end.
    """

    done: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    frames: int = 0
    seconds: float = 0.0
