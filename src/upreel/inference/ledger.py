"""What is done of a job, in a file that is always whole."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import av
import torch
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, ValidationError

from upreel.core.files import PendingFile, failed
from upreel.inference.pins import Pins
from upreel.inference.plan import WARM_UP, Start
from upreel.video.place import Place

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

NAME = "ledger.json"

_MAX_BYTES = 1 << 26
_FRACTION = re.compile(r"-?[0-9]{1,40}(/[1-9][0-9]{0,39})?")


def _fraction(value: object) -> Fraction:
    # Fraction makes a number of any size out of a text such as '1e999999999'.
    if isinstance(value, Fraction) or (isinstance(value, str) and _FRACTION.fullmatch(value)):
        return Fraction(value)
    raise ValueError("expected a fraction as text, such as '1/25'")


Seconds = Annotated[Fraction, PlainValidator(_fraction), PlainSerializer(str, return_type=str)]
Ticks = Annotated[int, Field(ge=-(2**62), le=2**62)]
"""What FFmpeg can count, and some more can be added to."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Done(_Entry):
    """A segment that is finished.

    Attributes:
        frames: of the result.
        first: pts of its first frame, in the source's unit of time.
        time_base: that unit, seconds.
        duration: of its first frame, in that unit.
        last: pts of its last frame, in the result's unit of time.
        end: where its last frame ends, in seconds of the source.
        next_frame: where the next segment begins, counted in frames of the source; `None`: this
            is the last.
        next_scene: whether a scene begins there.
        next_place: of the first frame that the next segment needs; see `Start.place`.
        checksum: of its file.
        damage: what of the source was found to be damaged until then.
    """

    frames: int
    first: Ticks
    time_base: Seconds
    duration: Ticks | None
    last: Ticks
    end: Seconds
    next_frame: int | None
    next_scene: bool
    next_place: Place | None
    checksum: int
    damage: str | None


class Ledger(_Entry):
    """One job and what is done of it.

    Attributes:
        format: of the ledger.
        job: what has to be the same for the job to go on; see `describe_job`.
        pins: what was chosen.
        segments: the finished ones, from the first on.
        result: the file number, bytes and nanoseconds of the finished file that is about to get
            its name.
    """

    format: Literal[2] = 2
    job: dict[str, str]
    pins: Pins
    segments: tuple[Done, ...] = ()
    result: tuple[int, int, int] | None = None

    @property
    def start(self) -> Start | None:
        """Where the work goes on; `None` where every segment is finished."""
        if not self.segments:
            return Start()
        last = self.segments[-1]
        if last.next_frame is None:
            return None
        return Start(len(self.segments), last.next_frame, last.next_scene, last.next_place)

    @property
    def frames(self) -> int:
        """How many frames of the result are finished."""
        return sum(segment.frames for segment in self.segments)

    @property
    def origin(self) -> Fraction | None:
        """Seconds of the source where the result begins."""
        return self.segments[0].first * self.segments[0].time_base if self.segments else None

    @property
    def damage(self) -> str | None:
        """What of the source was found to be damaged."""
        return self.segments[-1].damage if self.segments else None

    def write(self, folder: Path) -> None:
        """Replace the ledger of a folder.

        Raises:
            OutputError: it cannot be written.
        """
        with PendingFile(folder / NAME, overwrite=True) as pending:
            try:
                pending.path.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
            except OSError as error:
                raise failed(pending.target, error) from error
            pending.commit()


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
    job["the version of upreel"] = version("upreel")
    job["the version of PyTorch"] = torch.__version__
    job["the version of FFmpeg"] = json.dumps({**av.library_versions, "av": av.__version__})
    job["the kind of processor"] = torch.backends.cpu.get_cpu_capability()
    return job


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What is not the same in two jobs, in words."""
    return [name for name in {**before, **now} if before.get(name) != now.get(name)]
