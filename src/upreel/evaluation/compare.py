"""Two videos of any origin, frame beside frame, by the instants at which players show them."""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import cv2
import torch
from torch import Tensor

from upreel.errors import MediaError, UsageError
from upreel.evaluation.html.exhibits import to_rgb
from upreel.evaluation.html.page import check_target, render, write
from upreel.evaluation.html.pictures import Gallery, Rgb
from upreel.evaluation.report import ClipScore, Report, Row
from upreel.evaluation.results import versions
from upreel.inference.planes import PlaneConverter
from upreel.metrics import psnr, ssim
from upreel.metrics.colors import to_luma
from upreel.video.coding import Coding
from upreel.video.frame import Frame
from upreel.video.output_colors import output_colors
from upreel.video.reader import DEFAULT_RATE, Reader
from upreel.video.trust import TRUST, Trust


class Track:
    """A video, read once from start to end, of which the frame nearest to an instant is asked.

    Attributes:
        label: what it is called in the report.
        size: width and height of its frames.
        period: seconds between frames, on average.
    """

    def __init__(
        self, label: str, path: Path, *, offset: Fraction = Fraction(0), trust: Trust = TRUST
    ) -> None:
        """Open a video; its own zero is the instant `offset`, in seconds.

        Raises:
            MediaError: it cannot be read.
        """
        self.label = label
        self._reader = Reader(path, trust=trust).__enter__()
        video = self._reader.video
        self.size = (video.width, video.height)
        self.period = 1 / (video.frame_rate or DEFAULT_RATE)
        self._zero = self._reader.media.start if self._reader.media else Fraction(0)
        self._zero -= offset
        self._frames = iter(self._reader)
        self._held: list[tuple[Fraction, Frame]] = []
        self._converter: PlaneConverter | None = None

    def __iter__(self) -> Iterator[tuple[Fraction, Frame]]:
        """The frames that are left, each with its instant in seconds."""
        for frame in self._frames:
            yield frame.pts * frame.time_base - self._zero, frame

    def nearest(self, instant: Fraction, within: Fraction) -> Frame | None:
        """The frame nearest to an instant, `None` where none is near enough; instants ascend."""
        while not self._held or self._held[-1][0] < instant:
            following = next(iter(self), None)
            if following is None:
                break
            self._held = [*self._held[-1:], following]
        if not self._held:
            return None
        index = bisect_left([when for when, _ in self._held], instant)
        near = self._held[max(0, index - 1) : index + 1]
        when, frame = min(near, key=lambda item: abs(item[0] - instant))
        return frame if abs(when - instant) <= within else None

    def picture(self, frame: Frame, size: tuple[int, int]) -> Rgb:
        """A frame as RGB of `size`: bicubic if it grows, means of areas if it shrinks."""
        if self._converter is None:
            colors = output_colors(self._reader.video, frame.layout)
            coding = Coding.of(frame.layout, colors)
            self._converter = PlaneConverter(
                coding, coding, color="rgb", source_size=self.size, size=self.size,
                target_size=self.size,
            )  # fmt: skip
        rgb = to_rgb(self._converter.low(frame))
        if self.size == size:
            return rgb
        grows = self.size[0] < size[0]
        resized = cv2.resize(rgb, size, interpolation=cv2.INTER_CUBIC if grows else cv2.INTER_AREA)
        return resized.astype(rgb.dtype, copy=False)


@dataclass
class _Scores:
    """What gathers for one row of the report."""

    label: str
    size: tuple[int, int]
    psnr: list[float] = field(default_factory=list)
    ssim: list[float] = field(default_factory=list)

    def add(self, output: Rgb, truth: Rgb) -> None:
        both = _luma(output), _luma(truth)
        self.psnr.append(psnr(*both))
        self.ssim.append(ssim(*both))

    def row(self, clip: str, frames: tuple[int, ...]) -> Row:
        scores = {"psnr": tuple(self.psnr), "ssim": tuple(self.ssim)}
        return Row(self.label, (ClipScore(clip, frames, scores, self.size),))


def compare(
    first: Path,
    second: Path,
    target: Path,
    *,
    reference: Path | None = None,
    offset: float = 0.0,
    trust: Trust = TRUST,
) -> Report:
    """Compare two videos and write the report; memory does not grow with their pictures.

    Frames are matched by their instants since each file's own zero: for each frame of the
    reference (of the first video without one) the nearest of the others, at most half a frame
    of the slowest video away. Frames without such a partner are left out, and counted.

    Args:
        first: a video, or a folder of images.
        second: another.
        target: the HTML file; one that is there is replaced.
        reference: what both should look like. Without it, the second is scored against the first.
        offset: seconds of the others that have gone by when the second begins; below zero if it
            began before them.
        trust: what the videos may cost, and where they may lead.

    Raises:
        UsageError: the offset is not a finite number, or the target is no name of a page.
        MediaError: a video cannot be read, or no frames belong together.
        OutputError: the report cannot be written.
    """
    if not math.isfinite(offset):
        raise UsageError(f"expected a number of seconds as the offset, found {offset}")
    check_target(target)
    began = time.perf_counter()
    tracks = _open(first, second, reference, Fraction(offset), trust)
    leader = tracks[-1] if reference else tracks[0]
    others = [track for track in tracks if track is not leader]
    size = leader.size if reference else max(track.size for track in tracks)
    within = max(track.period for track in tracks) / 2
    scored = [_Scores(track.label, track.size) for track in others]
    gallery = Gallery(f"{first.name}, {second.name}")
    numbers: list[int] = []
    missing = 0
    for number, (instant, frame) in enumerate(leader):
        found = [track.nearest(instant, within) for track in others]
        partners = [partner for partner in found if partner is not None]
        if len(partners) < len(others):
            missing += 1
            continue
        truth = leader.picture(frame, size)
        pictures = [t.picture(f, size) for t, f in zip(others, partners, strict=True)]
        for scores, picture in zip(scored, pictures, strict=True):
            scores.add(picture, truth)
        shown = {t.label: p for t, p in zip(others, pictures, strict=True)}
        whole = {**shown, leader.label: truth} if reference else {leader.label: truth, **shown}
        gallery.offer(number, whole, scored[-1].psnr[-1])
        numbers.append(number)
    if not numbers:
        raise MediaError(
            f"expected frames of the same instants in {first} and {second}, found none; "
            "give videos of the same scene, and an offset where they do not begin together"
        )
    clip = gallery.title
    report = Report(
        "compare-y", 1,
        f"Y of BT.601 in studio range, 8 bits, no border, against {leader.label}; mean of frames",
        tuple(scores.row(clip, tuple(numbers)) for scores in scored),
        versions=versions(),
    )  # fmt: skip
    profile = gallery.profile()
    notes = _notes(tracks, size, len(numbers), missing, leader)
    if offset:
        notes.append(f"{tracks[1].label} begins {offset:g} s after the zero of the others.")
    notes.append(f"Read and compared in {time.perf_counter() - began:.1f} s.")
    crops = gallery.crops(f"dB of {scored[-1].label}")
    write(render(report, crops, [profile] if profile else [], notes=notes), target)
    return report


def _notes(
    tracks: list[Track], size: tuple[int, int], compared: int, missing: int, leader: Track
) -> list[str]:
    """What a reader has to know of how the videos were brought together."""
    notes = [f"{compared} frames of {leader.label} were compared, matched by their instants."]
    if missing:
        notes.append(f"{missing} frames of {leader.label} have no partner and were left out.")
    rates = {track.label: f"{float(1 / track.period):.3f}" for track in tracks}
    if len(set(rates.values())) > 1:
        said = ", ".join(f"{name} {rate}" for name, rate in rates.items())
        notes.append(f"Frames in a second differ: {said}; a frame may be compared twice.")
    for track in tracks:
        if track.size != size:
            notes.append(
                f"{track.label} was resized from {track.size[0]}x{track.size[1]} to "
                f"{size[0]}x{size[1]} ({'bicubic' if track.size[0] < size[0] else 'area'})."
            )
    return notes


def _open(
    first: Path, second: Path, reference: Path | None, offset: Fraction, trust: Trust
) -> list[Track]:
    """Open the videos, each with a label by which it can be told apart."""
    paths = [path for path in (first, second, reference) if path is not None]
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        names = [f"{letter}: {name}" for letter, name in zip("ABC", names, strict=False)]
    return [
        Track(name, path, offset=offset if index == 1 else Fraction(0), trust=trust)
        for index, (name, path) in enumerate(zip(names, paths, strict=True))
    ]


def _luma(rgb: Rgb) -> Tensor:
    """Y of 8 bits, `(1, H, W)`, 0..1."""
    frame = torch.from_numpy(rgb).permute(2, 0, 1).float() / 255
    return (to_luma(frame) * 255).round() / 255
