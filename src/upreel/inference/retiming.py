"""Which frames a result has, and who makes them: what `--fps` and `--slowmo` ask for."""

from __future__ import annotations

import logging
import math
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import torch

from upreel.core.instants import FrameRate, Times, resulting_rate, slowed
from upreel.errors import UsageError
from upreel.inference.interpolation import Clock, Tally, choose, interpolate, steps
from upreel.inference.stages import Stages
from upreel.models.interpolator import Interpolator
from upreel.models.upscaler import Spec
from upreel.models.weights import is_file, load, scales_of
from upreel.video.coding import Coding
from upreel.video.frame import Frame
from upreel.video.reader import Reader
from upreel.video.track import Pace

log = logging.getLogger(__name__)

DEFAULT_INTERPOLATOR = "glide"

MOST_TIMES = 16
"""How many frames may be made of one."""

HIGHEST_RATE = 1000
"""Frames in a second."""


@dataclass(frozen=True, slots=True)
class Retiming:
    """What is to be done in time.

    Attributes:
        rate: frames wanted, in the time of the source.
        slower: how many times slower the result is played.
        interpolator: makes the new frames; `None` where the model that enlarges does.
        device: where it computes.
    """

    rate: FrameRate
    slower: int
    interpolator: Interpolator | None
    device: torch.device

    def pace(self, reader: Reader) -> Pace:
        """The pace of the result."""
        rate = resulting_rate(reader.video.frame_rate, self.rate)
        return Pace(None if rate is None else rate / self.slower, self.slower)

    def total(self, reader: Reader) -> int | None:
        """How many frames to expect; an estimate where the file does not say."""
        count, given = reader.frames, reader.video.frame_rate
        if count is None:
            return None
        if isinstance(self.rate, Times):
            return count * self.rate.factor
        return None if given is None else math.ceil(count / given * self.rate)

    def first(self, frames: Iterable[Frame]) -> Frame | None:
        """The first frame of the result as the source has it, at its instant."""
        clock = Clock(self.rate)
        for step in steps(frames, self.rate, repeats=False):
            for instant in step.due:
                return clock.dated(step.frame, instant)
        return None

    def before(
        self,
        frames: Generator[Frame, None, None],
        coding: Coding,
        stages: Stages,
        tally: Tally,
        origin: Fraction | None,
    ) -> Generator[Frame, None, None]:
        """The frames that are to be enlarged; see `interpolate`."""
        if self.interpolator is None:
            return frames
        made = interpolate(
            frames,
            self.interpolator,
            self.rate,
            coding=coding,
            device=self.device,
            tally=tally,
            origin=origin,
        )
        return stages.iterate("interpolate", made)

    def after(
        self, pairs: Iterator[tuple[Frame, Frame]], tally: Tally, origin: Fraction | None
    ) -> Iterator[tuple[Frame, Frame]]:
        """Frames of the source with what came of them, at the instants of the result."""
        if self.interpolator is not None:
            return pairs
        return choose(pairs, self.rate, tally=tally, origin=origin)


def makes_frames(model: str) -> bool:
    """Whether a model makes new frames while it enlarges; those of others may, in their files."""
    return is_file(model) and load(model, max(scales_of(model))).spec.rate > 1


def plan_retiming(
    reader: Reader,
    spec: Spec,
    *,
    fps: FrameRate | None,
    slowmo: int | None,
    interpolator: str,
    device: torch.device,
    dtype: torch.dtype,
) -> Retiming | None:
    """Read the wishes of a user.

    Args:
        reader: the source, opened.
        spec: of the model that enlarges.
        fps: frames in a second of the result, or a multiple of what it would have.
        slowmo: how many times slower the result is played.
        interpolator: a shipped name, or a file of weights.
        device: where the interpolator computes.
        dtype: what it computes in.

    Returns:
        `None` if nothing changes in time.

    Raises:
        UsageError: the wishes make no sense, or the model does not go with them.
    """
    if fps is None and slowmo is None:
        if spec.rate > 1:
            raise UsageError(
                f"expected --fps for a model that makes {spec.rate} frames of one, found none; "
                f"pass --fps {spec.rate}x"
            )
        return None
    if slowmo is not None and not 2 <= slowmo <= MOST_TIMES:
        raise UsageError(
            f"expected a whole number from 2x to {MOST_TIMES}x for --slowmo, found {slowmo}x"
        )
    rate = slowed(fps, slowmo or 1)
    if isinstance(rate, Times):
        if not 2 <= rate.factor <= MOST_TIMES or (isinstance(fps, Times) and fps.factor < 2):
            raise UsageError(
                f"expected 2 to {MOST_TIMES} times as many frames (--fps times --slowmo), "
                f"found {rate.factor} times; choose another multiple"
            )
    elif not 0 < rate <= HIGHEST_RATE:
        raise UsageError(
            f"expected a frame rate above 0 and up to {HIGHEST_RATE} (--fps times --slowmo), "
            f"found {float(rate):g}; pass one such as 60, 24000/1001 or 2x"
        )
    if reader.kind == "image":
        raise UsageError(
            f"expected a video for --fps and --slowmo, found one image, {reader.path}; "
            "leave them out"
        )
    if spec.rate > 1:
        _check_model(spec, rate)
        return Retiming(rate, slowmo or 1, None, device)
    return Retiming(rate, slowmo or 1, load_interpolator(interpolator, device, dtype), device)


def _check_model(spec: Spec, rate: FrameRate) -> None:
    if spec.color != "rgb" or spec.rate != 2:
        raise UsageError(
            "expected a model that enlarges frames, or one that makes two of one in colour, found "
            f"one that makes {spec.rate} of one in {spec.color}; pass it as --interpolator"
        )
    if rate != Times(2):
        log.warning(
            "The model makes frames half-way between two only; the nearest of them are shown "
            "elsewhere, and motion is uneven. Other models go with any frame rate."
        )


def load_interpolator(name: str, device: torch.device, dtype: torch.dtype) -> Interpolator:
    """Make an interpolator ready to use.

    Raises:
        UsageError: nothing has this name, or it is no interpolator.
        WeightsError: the file is damaged.
    """
    if 1 in scales_of(name):
        made = load(name, 1, device=device, dtype=dtype)
        if hasattr(made, "between"):
            return cast(Interpolator, made)
    raise UsageError(
        f"expected a model that makes frames between two for --interpolator, found {name}; "
        "'upreel models' lists those with a scale of 1"
    )
