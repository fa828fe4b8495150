"""What is done of a job, in a file that is always whole."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

import av
import torch
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    field_validator,
    model_validator,
)

from upreel.core.files import PendingFile, failed
from upreel.inference.pins import Pins
from upreel.inference.plan import WARM_UP, Start
from upreel.video.place import Place

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

NAME = "ledger.json"
KIND_OF_PROCESSOR = "the kind of processor"

_MAX_BYTES = 1 << 26
_MOST_TICKS = 2**62  # FFmpeg can count them, and some more can be added
_FRACTION = re.compile(r"-?[0-9]{1,40}(/[1-9][0-9]{0,39})?")


def _fraction(value: object) -> Fraction:
    # Fraction makes a number of any size out of a text such as '1e999999999'.
    if isinstance(value, Fraction) or (isinstance(value, str) and _FRACTION.fullmatch(value)):
        return Fraction(value)
    raise ValueError("expected a fraction as text, such as '1/25'")


Seconds = Annotated[Fraction, PlainValidator(_fraction)]
Ticks = Annotated[int, Field(ge=-_MOST_TICKS, le=_MOST_TICKS)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Done(_Entry):
    """A segment that is finished.

    Attributes:
        number: of the segment, from 0.
        frames: of the result; a segment can have none, where there are fewer than in the source.
        first: pts of its first frame, in the source's unit of time.
        time_base: that unit, seconds.
        duration: of its first frame, in that unit.
        end: where its last frame ends, in seconds of the source.
        next_frame: where the next segment begins, counted in frames of the source; `None`: this
            is the last.
        next_scene: whether a scene begins there.
        next_place: of the first frame that the next segment needs; see `Start.place`.
        checksum: of its file.
        damage: what of the source was found to be damaged until then.
    """

    number: int
    frames: int
    first: Ticks
    time_base: Seconds
    duration: Ticks | None
    end: Seconds
    next_frame: int | None
    next_scene: bool
    next_place: Place | None
    checksum: int
    damage: str | None

    @model_validator(mode="after")
    def _goes_on(self) -> Self:
        number, place = self.next_frame, self.next_place
        if (number is not None and number < 1) or (
            place is not None
            and (not 0 < place.frame <= (number or 0) or max(map(abs, place.pts)) > _MOST_TICKS)
        ):
            raise ValueError("expected where the next segment begins, found where no segment can")
        return self


class Ledger(_Entry):
    """One job and what is done of it.

    Attributes:
        format: of the ledger.
        job: what has to be the same for the job to go on; see `describe_job`.
        pins: what was chosen.
        segments: the finished ones by their number; some may be missing between them.
        result: the file number, bytes and nanoseconds of the finished file that is about to get
            its name.
    """

    format: Literal[2] = 2
    job: dict[str, str]
    pins: Pins
    segments: tuple[Done, ...] = ()
    result: tuple[int, int, int] | None = None

    @field_validator("segments")
    @classmethod
    def _ascend(cls, segments: tuple[Done, ...]) -> tuple[Done, ...]:
        numbers = [done.number for done in segments]
        if numbers != sorted(set(numbers)) or (numbers and numbers[0] < 0):
            raise ValueError("expected each segment once, in order")
        return segments

    @property
    def start(self) -> Start | None:
        """Where the first segment begins that is missing; `None` where none is."""
        start = Start()
        for number, done in enumerate(self.segments):
            if done.number != number:
                break
            if done.next_frame is None:
                return None
            start = Start(number + 1, done.next_frame, done.next_scene, done.next_place)
        return start

    @property
    def numbers(self) -> frozenset[int]:
        """Those of the finished segments."""
        return frozenset(done.number for done in self.segments)

    @property
    def first(self) -> Done | None:
        """The segment that begins with the first frame of the result, if it is finished."""
        found = self.segments[0] if self.segments else None
        return found if found is not None and found.number == 0 and found.frames else None

    @property
    def frames(self) -> int:
        """How many frames of the result are finished."""
        return sum(segment.frames for segment in self.segments)

    @property
    def origin(self) -> Fraction | None:
        """Seconds of the source where the result begins."""
        return self.first.first * self.first.time_base if self.first else None

    @property
    def end(self) -> Fraction:
        """Seconds of the source where the last frame ends."""
        return max((done.end for done in self.segments if done.frames), default=Fraction(0))

    @property
    def damage(self) -> str | None:
        """What of the source was found to be damaged."""
        return next((done.damage for done in reversed(self.segments) if done.damage), None)

    def write(self, folder: Path) -> None:
        """Replace the ledger of a folder.

        Raises:
            OutputError: it cannot be written.
        """
        # Not by pydantic: of a Ctrl-C while it asks for a text it makes an error of its own.
        text = json.dumps(self, default=_plain, indent=1) + "\n"
        with PendingFile(folder / NAME, overwrite=True) as pending:
            try:
                pending.path.write_text(text, encoding="utf-8")
            except OSError as error:
                raise failed(pending.target, error) from error
            pending.commit()


def _plain(value: object) -> object:
    """What JSON has for a value that it does not know."""
    if isinstance(value, BaseModel):
        return dict(value)
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return str(value)


def read_ledger(folder: Path) -> Ledger | None:
    """The ledger of a folder; `None` where there is none, or not one that can be understood."""
    path = folder / NAME
    try:
        if path.stat().st_size > _MAX_BYTES:
            return None
        return Ledger.model_validate_json(path.read_bytes())
    except (OSError, ValidationError, ZeroDivisionError, RecursionError):
        return None


def describe_job(
    source: str,
    target: Path,
    options: DataclassInstance,
    weights: Iterable[Path],
    *,
    leave_out: frozenset[str] = frozenset(),
) -> dict[str, str]:
    """Everything that makes a job this one: if one of the values changes, it is another.

    Args:
        source: what tells it from others; see `Sources.identity`.
        target: the output.
        options: a dataclass.
        weights: the files of weights.
        leave_out: fields of the options that do not touch the frames.

    Returns:
        For each thing, in the words of a sentence, a value.
    """
    job = {"the input": source, "the name of the output": target.name}
    for field in fields(options):
        if field.name not in leave_out:
            job[f"the option {field.name.replace('_', '-')}"] = str(getattr(options, field.name))
    digest = hashlib.sha256()
    for path in weights:
        digest.update(path.read_bytes())
    job["the weights"] = digest.hexdigest()
    job["the run-in of a segment"] = str(WARM_UP)
    return {**job, **versions()}


def versions() -> dict[str, str]:
    """What the same frames may come out differently with."""
    return {
        "the version of upreel": version("upreel"),
        "the version of PyTorch": torch.__version__,
        "the version of FFmpeg": json.dumps({**av.library_versions, "av": av.__version__}),
        KIND_OF_PROCESSOR: torch.backends.cpu.get_cpu_capability(),
    }


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What is not the same in two jobs, in words."""
    return [name for name in {**before, **now} if before.get(name) != now.get(name)]
