"""What an evaluation found, and how it is shown."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from statistics import fmean

from rich import box
from rich.console import Group
from rich.table import Table

from upreel.errors import UsageError
from upreel.evaluation.protocols import Protocol


@dataclass(frozen=True, slots=True)
class ClipScore:
    """Scores of one clip: means over its frames.

    Attributes:
        clip: its name.
        psnr: dB.
        ssim: 0..1.
        tof: pixels; zero for a clip of one frame.
    """

    clip: str
    psnr: float
    ssim: float
    tof: float


@dataclass(frozen=True, slots=True)
class Row:
    """Scores of one upscaler."""

    name: str
    clips: tuple[ClipScore, ...]

    @property
    def psnr(self) -> float:
        """Mean over clips, dB."""
        return fmean(clip.psnr for clip in self.clips)

    @property
    def ssim(self) -> float:
        """Mean over clips."""
        return fmean(clip.ssim for clip in self.clips)

    @property
    def tof(self) -> float:
        """Mean over clips, pixels."""
        return fmean(clip.tof for clip in self.clips)

    @property
    def means(self) -> dict[str, float]:
        """The three means, rounded as they are printed."""
        return {
            "psnr": round(self.psnr, 2),
            "ssim": round(self.ssim, 4),
            "tof": round(self.tof, 3),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """Scores of several upscalers on the same clips under one protocol."""

    protocol: Protocol
    rows: tuple[Row, ...]

    def __getitem__(self, name: str) -> Row:
        """The row of one upscaler."""
        for row in self.rows:
            if row.name == name:
                return row
        names = ", ".join(row.name for row in self.rows)
        raise UsageError(f"expected a row out of {names}, found {name!r}")

    def gain(self, row: Row, over: str) -> float | None:
        """By how many dB a row is above another; `None` where the report does not have that."""
        names = [other.name for other in self.rows]
        return row.psnr - self[over].psnr if over in names else None

    def to_json(self) -> str:
        """The whole report, for machines."""
        rows = [
            {
                "name": row.name,
                "psnr": row.psnr,
                "ssim": row.ssim,
                "tof": row.tof,
                "gain_over_bicubic": self.gain(row, "bicubic"),
                "gain_over_linear": self.gain(row, "linear"),
                "clips": [asdict(clip) for clip in row.clips],
            }
            for row in self.rows
        ]
        return json.dumps({"protocol": asdict(self.protocol), "rows": rows}, indent=2)

    def to_table(self) -> Group:
        """The whole report, for people: the means of each row, then PSNR clip by clip."""
        return Group(self.protocol.description, self._means(), self._clips())

    def _means(self) -> Table:
        table = Table("", box=box.SIMPLE)
        for column in ("PSNR", "SSIM", "over bicubic", "over linear", "tOF"):
            table.add_column(column, justify="right")
        for row in self.rows:
            gains = [self.gain(row, over) for over in ("bicubic", "linear")]
            table.add_row(
                row.name,
                f"{row.psnr:.2f}",
                f"{row.ssim:.4f}",
                *("" if gain is None else f"{gain:+.2f}" for gain in gains),
                f"{row.tof:.3f}",
            )
        return table

    def _clips(self) -> Table:
        table = Table("PSNR", box=box.SIMPLE)
        for row in self.rows:
            table.add_column(row.name, justify="right")
        for scores in zip(*(row.clips for row in self.rows), strict=True):
            table.add_row(scores[0].clip, *(f"{score.psnr:.2f}" for score in scores))
        return table
