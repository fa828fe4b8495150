from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

import upreel.metrics.vmaf
from upreel.errors import UsageError
from upreel.metrics import METRICS, FrameMetric, Mean, Seen, Sums, make_metric, make_metrics

WITHOUT_WEIGHTS = ["psnr", "ssim", "tof", "warp", "warp-difference", "profile", "flicker", "niqe"]


def make_frame_metric(name: str) -> FrameMetric:
    metric = make_metric(name)
    assert isinstance(metric, Mean)
    return metric


def clip(seed: int) -> torch.Tensor:
    return torch.rand(4, 1, 32, 32, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", WITHOUT_WEIGHTS)
def test_parts_that_are_merged_equal_the_whole(name: str) -> None:
    metric = make_frame_metric(name)
    output, truth = clip(1), clip(2)
    seen = [
        Seen(output[t], truth[t], (output[t - 1], truth[t - 1]) if t else None) for t in range(4)
    ]
    whole = Sums()
    parts = [Sums(), Sums()]
    for t, frame in enumerate(seen):
        whole = metric.update(whole, frame)
        parts[t // 2] = metric.update(parts[t // 2], frame)
    merged, value = metric.value(metric.merge(*parts)), metric.value(whole)
    if value is None:
        assert merged is None
    else:
        assert merged == pytest.approx(value)


def test_psnr_is_averaged_over_frames_not_pooled() -> None:
    truth = torch.full((1, 12, 12), 0.5)
    metric, sums = make_frame_metric("psnr"), Sums()
    for error in (0.1, 0.01):
        sums = metric.update(sums, Seen(truth + error, truth))
    assert metric.value(sums) == pytest.approx(30, abs=1e-4)


def test_the_first_frame_has_no_temporal_value() -> None:
    metric = make_frame_metric("flicker")
    sums = metric.update(Sums(), Seen(torch.zeros(1, 8, 8), torch.zeros(1, 8, 8)))
    assert sums == Sums()
    assert metric.value(sums) is None


def test_only_similarities_are_better_when_they_are_higher() -> None:
    better = {name for name, listed in METRICS.items() if listed.higher_is_better}
    assert better == {"psnr", "ssim", "vmaf"}
    assert make_metric("ssim").higher_is_better
    assert make_frame_metric("psnr").value(Sums(math.inf, 1)) == math.inf


def test_metrics_without_weights_say_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UPREEL_CACHE", str(tmp_path))
    monkeypatch.setattr(upreel.metrics.vmaf, "_programs", lambda: [])
    made, missing = make_metrics(METRICS)
    assert list(made) == WITHOUT_WEIGHTS
    assert set(missing) == {"lpips", "lpips-vgg", "tlp", "dists", "vmaf"}
    assert missing["lpips"].startswith("not available: ")
    assert "upreel models get alexnet" in missing["tlp"]
    assert "weights.pt" in missing["dists"]
    assert "pip install imageio-ffmpeg" in missing["vmaf"]


def test_only_frames_after_the_first_value_are_marked_as_having_none() -> None:
    black = Seen(torch.zeros(1, 8, 8), torch.zeros(1, 8, 8))
    found = iter([None, 1.0, None, 2.0])
    values = Mean("it", True, lambda seen: next(found)).values([black] * 4)
    assert values == pytest.approx((1.0, math.nan, 2.0), nan_ok=True)


def test_what_is_cropped_does_not_count_anywhere() -> None:
    output, truth = clip(1), clip(2)
    whole, other = output.clone(), truth.clone()
    cropped = [frames[..., 5:-3, 4:-2] for frames in (output, truth)]
    for frames in (whole, other):
        frames[..., :5, :], frames[..., -3:, :], frames[..., :4], frames[..., -2:] = 0, 1, 0, 1
    seen = Seen(whole[1], other[1], (whole[0], other[0]), (5, 4, 3, 2))
    inner = Seen(cropped[0][1], cropped[1][1], (cropped[0][0], cropped[1][0]))
    for name in ("psnr", "ssim", "profile", "flicker"):
        assert make_metric(name).values([seen]) == pytest.approx(make_metric(name).values([inner]))


def test_unknown_metrics_and_frames_of_two_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"expected a metric out of psnr, .* found 'psnrr'"):
        make_metric("psnrr")
    with pytest.raises(ValueError, match=r"one size, found \(1, 8, 9\) and \(1, 8, 8\)"):
        Seen(torch.zeros(1, 8, 9), torch.zeros(1, 8, 8))
