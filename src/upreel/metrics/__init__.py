"""Scores of frames against their truth. A score is named by a protocol, in `evaluation`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from upreel.errors import UsageError, WeightsError
from upreel.metrics.fidelity import psnr, ssim
from upreel.metrics.metric import FrameMetric, Mean, Metric, Score, Seen, Sums
from upreel.metrics.motion import Motion, farneback
from upreel.metrics.niqe import niqe
from upreel.metrics.temporal import (
    flicker,
    motion_distance,
    profile_difference,
    tof,
    warping_error,
)
from upreel.metrics.vmaf import Vmaf

__all__ = [
    "METRICS", "FrameMetric", "Mean", "Metric", "Motion", "Seen", "Sums", "farneback",
    "make_metric", "make_metrics", "psnr", "ssim", "tof",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Listed:
    """A metric that can be asked for.

    Attributes:
        higher_is_better: whether a larger value is a better one; known also without weights.
        make: what scores a frame, or a metric that sees whole clips.
    """

    higher_is_better: bool
    make: Callable[[], Score | Metric]


def _lpips() -> Score:
    from upreel.metrics.perceptual import Lpips

    return Lpips.load("alexnet").score


def _lpips_vgg() -> Score:
    from upreel.metrics.perceptual import Lpips

    return Lpips.load("vgg16").score


def _tlp() -> Score:
    from upreel.metrics.perceptual import Lpips

    return Lpips.load("alexnet").temporal


def _dists() -> Score:
    from upreel.metrics.perceptual import Dists

    return Dists.load().score


METRICS: dict[str, Listed] = {
    "psnr": Listed(True, lambda: lambda seen: psnr(*seen.both)),
    "ssim": Listed(True, lambda: lambda seen: ssim(*seen.both)),
    "tof": Listed(False, lambda: motion_distance),
    "warp": Listed(False, lambda: warping_error),
    "warp-difference": Listed(False, lambda: lambda seen: warping_error(seen, difference=True)),
    "profile": Listed(False, lambda: profile_difference),
    "flicker": Listed(False, lambda: flicker),
    "lpips": Listed(False, _lpips),
    "lpips-vgg": Listed(False, _lpips_vgg),
    "tlp": Listed(False, _tlp),
    "dists": Listed(False, _dists),
    "niqe": Listed(False, lambda: niqe),
    "vmaf": Listed(True, Vmaf.find),
}
"""Every metric by its name."""


def make_metric(name: str) -> Metric:
    """Make a metric by its name.

    Raises:
        UsageError: there is none of that name.
        WeightsError: what it needs is not here.
    """
    if name not in METRICS:
        raise UsageError(f"expected a metric out of {', '.join(METRICS)}, found {name!r}")
    made = METRICS[name].make()
    return Mean(name, METRICS[name].higher_is_better, made) if callable(made) else made


def make_metrics(names: Iterable[str]) -> tuple[dict[str, Metric], dict[str, str]]:
    """Make metrics, and say of each that cannot be had why: "not available: ...".

    Raises:
        UsageError: there is none of a name.
    """
    made: dict[str, Metric] = {}
    missing: dict[str, str] = {}
    for name in names:
        try:
            made[name] = make_metric(name)
        except WeightsError as error:
            missing[name] = f"not available: {error}"
    return made, missing
