"""The interpolator that ships, through the loop that users run."""

from __future__ import annotations

from typing import cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from upreel.data.procedural import make_clip
from upreel.inference.loop import enlarge, observe
from upreel.models.interpolator import Interpolator
from upreel.models.motion_average import MotionAverage
from upreel.models.weights import load


@pytest.fixture(scope="module")
def clip() -> Tensor:
    frames = torch.from_numpy(make_clip((96, 128), 7).frames).float() / 255
    return frames.mean(1, keepdim=True)


@pytest.fixture(scope="module")
def glide() -> Interpolator:
    return cast(Interpolator, load("glide", 1))


def error(interpolator: Interpolator, clip: Tensor) -> float:
    """Mean squared error of the frames in the middle of others."""
    made = [frame for _, frame in enlarge(interpolator, enumerate(clip[::2]))]
    assert len(made) == 8
    for number in range(0, 7, 2):
        assert torch.equal(made[number], clip[number])
    pairs = zip(made[1:-1:2], clip[1::2], strict=True)
    return float(torch.stack([(frame - truth).square().mean() for frame, truth in pairs]).mean())


def test_it_is_nearer_to_the_truth_than_motion_alone(glide: Interpolator, clip: Tensor) -> None:
    alone = min(error(MotionAverage(masks=masks), clip) for masks in (True, False))
    assert error(glide, clip) < 0.9 * alone


def test_it_doubts_where_it_is_wrong(glide: Interpolator, clip: Tensor) -> None:
    doubts, errors = [], []
    for seen in observe(glide.spec, enumerate(clip[::2])):
        if seen.window.future:
            with torch.inference_mode():
                (made,) = glide.between(seen.window, [0.5])
            doubts.append(F.avg_pool2d(made.doubt, 8).flatten())
            wrong = (made.frame - clip[2 * seen.labels[0] + 1]).abs()
            errors.append(F.avg_pool2d(wrong, 8).flatten())
    both = torch.corrcoef(torch.stack((torch.cat(doubts), torch.cat(errors))))
    assert both[0, 1] > 0.4


def test_what_nobody_could_know_is_doubted_and_what_stands_still_is_not(
    glide: Interpolator,
) -> None:
    still = torch.rand(1, 1, 96, 96, generator=torch.manual_seed(1))
    still = F.interpolate(F.avg_pool2d(still, 8), scale_factor=8, mode="bicubic")[0]
    other = torch.rand(1, 1, 96, 96, generator=torch.manual_seed(2))
    frames = [still, still, still, other[0].mul(0.5)]
    means = []
    for seen in observe(glide.spec, enumerate(frames)):
        if seen.window.future:
            with torch.inference_mode():
                means.append(float(glide.between(seen.window, [0.5])[0].doubt.mean()))
    assert means[0] < 0.2
    assert means[2] > 0.7
