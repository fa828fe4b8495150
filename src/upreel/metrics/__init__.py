"""Scores of frames against their truth. A score is named by a protocol, in `evaluation`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from upreel.errors import UsageError, WeightsError
from upreel.metrics.fidelity import psnr, ssim
from upreel.metrics.metric import Mean, Metric, Seen, Sums
from upreel.metrics.temporal import (
    farneback,
    flicker,
    motion_distance,
    profile_difference,
    tof,
    warping_error,
)

__all__ = [
    "METRICS", "Metric", "Seen", "Sums", "farneback", "make_metric", "make_metrics", "psnr",
    "ssim", "tof",
]  # fmt: skip


def _lpips(name: str) -> Callable[[], Metric]:
    def make() -> Metric:
        from upreel.metrics.perceptual import Lpips

        distance = Lpips.load("vgg16" if name == "lpips-vgg" else "alexnet")
        score = distance.temporal if name == "tlp" else distance.score
        return Mean(name, False, score)

    return make


def _dists() -> Metric:
    from upreel.metrics.perceptual import Dists

    return Mean("dists", False, Dists.load().score)


METRICS: dict[str, Callable[[], Metric]] = {
    "psnr": lambda: Mean("psnr", True, lambda seen: psnr(seen.output, seen.truth)),
    "ssim": lambda: Mean("ssim", True, lambda seen: ssim(seen.output, seen.truth)),
    "tof": lambda: Mean("tof", False, motion_distance),
    "warp": lambda: Mean("warp", False, warping_error),
    "warp-difference": lambda: Mean(
        "warp-difference", False, lambda seen: warping_error(seen, difference=True)
    ),
    "profile": lambda: Mean("profile", False, profile_difference),
    "flicker": lambda: Mean("flicker", False, flicker),
    "lpips": _lpips("lpips"),
    "lpips-vgg": _lpips("lpips-vgg"),
    "tlp": _lpips("tlp"),
    "dists": _dists,
}
"""What makes each metric, by its name."""


def make_metric(name: str) -> Metric:
    """Make a metric by its name.

    Raises:
        UsageError: there is none of that name.
        WeightsError: its weights are not here.
    """
    if name not in METRICS:
        raise UsageError(f"expected a metric out of {', '.join(METRICS)}, found {name!r}")
    return METRICS[name]()


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
