"""What an evaluation found: every score of every frame, and tables of them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError
from rich import box
from rich.console import Group
from rich.table import Table

from upreel.errors import MediaError, UsageError

DIGITS = {"psnr": 2, "ssim": 4, "lpips": 4, "lpips-vgg": 4, "dists": 4, "vmaf": 2}
"""How many digits of a metric are printed; three of any other."""
UNITS = {
    "psnr": "PSNR", "ssim": "SSIM", "tof": "tOF", "tlp": "tLP", "lpips": "LPIPS",
    "lpips-vgg": "LPIPS VGG", "dists": "DISTS", "vmaf": "VMAF",
}  # fmt: skip
"""How a metric is headed; its own name otherwise."""
_COLUMNS = 3
"""Metrics side by side in a table that fits into 80 characters."""
Frames = Literal["all", "given", "new"]
"""Which frames of a clip; where every other one was made, the even ones were given."""
BASELINES = ("bicubic", "linear", "average+bicubic", "average+linear", "average", "warp")
"""Rows that others are compared with, where a report has them."""


@dataclass(frozen=True, slots=True)
class ClipScore:
    """Scores of one upscaler on one clip.

    Attributes:
        clip: its name.
        frames: which frames of the clip were scored, by their numbers from 0.
        scores: for each metric one value for each of `frames`. A metric that looks at a frame and
            the one before has none for the first: its values belong to the last frames. A later
            frame without a value has `nan`.
        size: width and height of the enlarged frames.
        seconds: that the network took for all frames of the clip, without reading and scoring.
        steps: frames that went through the network in that time.
        memory: that the process needed more than before, bytes; 0 where the system does not tell.
        group: of the clip; empty for none.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(ser_json_inf_nan="strings")

    clip: str
    frames: tuple[int, ...]
    scores: dict[str, tuple[float, ...]]
    size: tuple[int, int] = (0, 0)
    seconds: float = field(default=0.0, compare=False)  # no two runs agree on these
    steps: int = 0
    memory: int = field(default=0, compare=False)
    group: str = ""

    def mean(self, metric: str, frames: Frames = "all") -> float:
        """The mean over frames; `nan` where none has a value."""
        values = self.scores[metric]
        numbers = self.frames[len(self.frames) - len(values) :]
        return _mean(
            value
            for number, value in zip(numbers, values, strict=True)
            if frames == "all" or (frames == "given") == (number % 2 == 0)
        )


@dataclass(frozen=True, slots=True)
class Row:
    """Scores of one upscaler on all clips.

    Attributes:
        name: as it was asked for.
        clips: in the order of the report.
        weights: SHA-256 of what the upscaler computes with; empty where it is not known.
        parameters: how many numbers that are.
    """

    name: str
    clips: tuple[ClipScore, ...]
    weights: str = ""
    parameters: int = 0

    def mean(self, metric: str, group: str = "", *, frames: Frames = "all") -> float:
        """Mean of frames, then of clips that have a value; `nan` where none has.

        Args:
            metric: which.
            group: of clips; all if empty.
            frames: of each clip.
        """
        clips = (clip for clip in self.clips if group in {"", clip.group})
        return _mean(clip.mean(metric, frames) for clip in clips)

    @property
    def psnr(self) -> float:
        """Mean over clips, dB."""
        return self.mean("psnr")

    @property
    def means(self) -> dict[str, float]:
        """The mean of each metric that has values, rounded as it is printed."""
        found = {metric: self.mean(metric) for metric in self.clips[0].scores}
        return {
            metric: round(mean, DIGITS.get(metric, 3))
            for metric, mean in found.items()
            if not math.isnan(mean)
        }

    @property
    def milliseconds(self) -> float:
        """That the network took for a frame; 0 where it was not measured."""
        steps = sum(clip.steps for clip in self.clips)
        return 1000 * sum(clip.seconds for clip in self.clips) / steps if steps else 0.0

    @property
    def memory(self) -> int:
        """Most memory that a clip needed, bytes; 0 where it is not known."""
        return max(clip.memory for clip in self.clips)


@dataclass(frozen=True, slots=True)
class Published:
    """What a paper states of a method under the same protocol.

    Attributes:
        method: its name in the field.
        protocol: the name of ours that it was scored under.
        scores: means, by metric.
        source: paper and table, or whatever else says so.
        data: the benchmark that it was scored on.
    """

    method: str
    protocol: str
    scores: dict[str, float]
    source: str
    data: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Scores of several upscalers on the same clips under one protocol.

    Attributes:
        protocol: its name, printed with every score.
        scale: how many times larger.
        description: all that the protocol fixes, in one line.
        rows: one for each upscaler.
        published: what papers state under the same protocol.
        versions: of Upreel, its code, torch and whatever else made the scores.
        data: the name or folder of the clips.
        unavailable: why a metric of the protocol has no values, by its name.
        rate: 2 where every other frame was made, from the second on.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(ser_json_inf_nan="strings")

    protocol: str
    scale: int
    description: str
    rows: tuple[Row, ...]
    published: tuple[Published, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    data: str = ""
    unavailable: dict[str, str] = field(default_factory=dict)
    rate: int = 1

    def __getitem__(self, name: str) -> Row:
        """The row of one upscaler."""
        for row in self.rows:
            if row.name == name:
                return row
        names = ", ".join(row.name for row in self.rows)
        raise UsageError(f"expected a row out of {names}, found {name!r}")

    @property
    def title(self) -> str:
        """The protocol and its scale, as they stand beside every score."""
        return f"{self.protocol} x{self.scale}"

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that have values."""
        return tuple(self.rows[0].clips[0].scores)

    @property
    def groups(self) -> tuple[str, ...]:
        """Of clips, that are scored apart too."""
        return tuple(dict.fromkeys(clip.group for clip in self.rows[0].clips if clip.group))

    @property
    def kinds(self) -> tuple[Frames, ...]:
        """Of frames, that are scored apart too: those that were given and those that were made."""
        both = {frame % 2 for frame in self.rows[0].clips[0].frames} == {0, 1}
        return ("given", "new") if self.rate == 2 and both else ()

    @property
    def baselines(self) -> tuple[str, ...]:
        """Its rows that others are compared with."""
        names = {row.name for row in self.rows}
        return tuple(name for name in BASELINES if name in names)

    @property
    def leader(self) -> Row:
        """The row with the highest PSNR; of equals the last."""
        return max(reversed(self.rows), key=lambda row: row.psnr)

    def gain(self, row: Row, over: str) -> float | None:
        """By how many dB a row is above another; `None` where the report does not have that."""
        names = [other.name for other in self.rows]
        return row.psnr - self[over].psnr if over in names else None

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the table of parts: groups of clips, and all of them as an empty name."""
        return ("", *self.groups)

    def lines(self) -> Iterator[tuple[str, Row, Frames]]:
        """The lines of that table: what is in front of each, its row, and which frames it is of."""
        for row in self.rows:
            yield row.name, row, "all"
            for kind in self.kinds:
                yield f"  {kind} frames", row, kind

    def to_json(self) -> str:
        """The whole report, for machines; infinity is the string `Infinity`."""
        return _ADAPTER.dump_json(self, indent=2).decode()

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Read what `to_json` wrote.

        Raises:
            MediaError: it is something else.
        """
        try:
            return _ADAPTER.validate_json(text)
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(str(part) for part in problem["loc"]) or "its start"
            raise MediaError(
                f"expected the JSON of a report, found something else at {where}: {problem['msg']}"
            ) from error

    def to_csv(self) -> str:
        """One line for each model, clip, frame and metric, for spreadsheets."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("protocol", "scale", "model", "clip", "frame", "metric", "value"))
        for row in self.rows:
            for clip in row.clips:
                for metric, values in clip.scores.items():
                    for frame, value in zip(
                        clip.frames[len(clip.frames) - len(values) :], values, strict=True
                    ):
                        writer.writerow(
                            (self.protocol, self.scale, row.name, clip.clip, frame, metric, value)
                        )
        return text.getvalue()

    def to_table(self) -> Group:
        """The whole report, for people: means, what papers state, then PSNR clip by clip."""
        notes = [f"{metric}: {why}" for metric, why in self.unavailable.items()]
        if self.published:
            notes.append(f"Published figures are for {self.published[0].data}.")
        first, *others = (
            self.metrics[start : start + _COLUMNS]
            for start in range(0, len(self.metrics), _COLUMNS)
        )
        further = [self._further(metrics) for metrics in others]
        parts = [self._parts()] if self.groups or self.kinds else []
        return Group(self.description, *notes, self._means(first), *further, *parts, self._clips())

    def _means(self, metrics: Sequence[str]) -> Table:
        table = Table(box=box.SIMPLE)
        table.add_column(self.title, no_wrap=True)
        gains = self.baselines
        headers = [UNITS.get(metric, metric) for metric in metrics]
        for header in (*headers, *(f"over {over}" for over in gains), "ms"):
            table.add_column(header, justify="right", overflow="fold")
        for row in self.rows:
            table.add_row(
                row.name,
                *(_show(metric, row.mean(metric)) for metric in metrics),
                *(f"{self.gain(row, over):+.2f}" for over in gains),
                f"{row.milliseconds:.1f}" if row.milliseconds else "",
            )
        for entry in self.published:
            cells = (
                _show(metric, entry.scores[metric]) if metric in entry.scores else ""
                for metric in metrics
            )
            table.add_row(f"{entry.method} (published)", *cells, *("" for _ in gains), "")
        return table

    def _further(self, metrics: Sequence[str]) -> Table:
        """Metrics for which the first table has no room."""
        table = Table(box=box.SIMPLE)
        table.add_column(self.title, no_wrap=True)
        for metric in metrics:
            table.add_column(UNITS.get(metric, metric), justify="right")
        for row in self.rows:
            table.add_row(row.name, *(_show(metric, row.mean(metric)) for metric in metrics))
        return table

    def _parts(self) -> Table:
        metrics = [metric for metric in ("psnr", "ssim") if metric in self.metrics]
        header = "/".join(UNITS[metric] for metric in metrics)
        table = Table(f"{header}, {self.title}", box=box.SIMPLE)
        for column in self.columns:
            table.add_column(column or "all", justify="right")
        for label, row, frames in self.lines():
            table.add_row(
                label,
                *(
                    "/".join(_show(each, row.mean(each, part, frames=frames)) for each in metrics)
                    for part in self.columns
                ),
            )
        return table

    def _clips(self) -> Table:
        table = Table(f"PSNR, {self.title}", box=box.SIMPLE)
        for row in self.rows:
            table.add_column(row.name, justify="right", overflow="fold")
        for scores in zip(*(row.clips for row in self.rows), strict=True):
            table.add_row(scores[0].clip, *(f"{score.mean('psnr'):.2f}" for score in scores))
        return table


def _mean(values: Iterable[float]) -> float:
    """The mean of the values that there are."""
    found = [value for value in values if not math.isnan(value)]
    return fmean(found) if found else math.nan


def _show(metric: str, value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.{DIGITS.get(metric, 3)}f}"


_ADAPTER = TypeAdapter(Report)
