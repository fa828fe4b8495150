from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor

from upreel.errors import UsageError
from upreel.evaluation.evaluate import check_fit, score_clip
from upreel.evaluation.pairs import Pair
from upreel.evaluation.protocols import find_protocol
from upreel.models.bicubic import Bicubic
from upreel.models.compact import Compact
from upreel.models.upscaler import Spec, State, Window

PROTOCOL = find_protocol("val-bi-y8", 2)


class Replay:
    """An upscaler that returns prepared frames, one after the other, and counts its steps."""

    spec = Spec(scale=2, color="luma")

    def __init__(self, frames: list[Tensor]) -> None:
        self.frames = frames
        self.steps = 0

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        self.steps += 1
        return self.frames[self.steps - 1][None, None], {}


def moving_clip() -> list[Tensor]:
    noise = gaussian_filter(np.random.default_rng(1).random((64, 80)), 1.5)
    codes = np.round((noise - noise.min()) / (noise.max() - noise.min()) * 219 + 16)
    field = torch.from_numpy(codes / 255).float()
    return [field[None, :, 2 * t : 2 * t + 64] for t in range(3)]


HIGH = moving_clip()
PAIR = Pair("clip", [frame[:, ::2, ::2] for frame in HIGH], HIGH)


def test_the_truth_itself_scores_best() -> None:
    (score,) = score_clip([Replay(HIGH)], PAIR, PROTOCOL)
    assert score.psnr == float("inf")
    assert score.ssim == pytest.approx(1)
    assert score.tof == 0


def test_scores_are_means_over_frames_not_of_pooled_errors() -> None:
    outputs = [(high + e / 255).clamp(0, 1) for high, e in zip(HIGH, (40, 5, 1), strict=True)]
    (score,) = score_clip([Replay(outputs)], PAIR, PROTOCOL)
    expected = [
        peak_signal_noise_ratio(  # type: ignore[no-untyped-call]
            high[:, 8:-8, 8:-8].numpy(), output[:, 8:-8, 8:-8].numpy(), data_range=1
        )
        for high, output in zip(HIGH, outputs, strict=True)
    ]
    assert score.psnr == pytest.approx(np.mean(expected), abs=1e-3)


def test_outputs_are_rounded_and_clipped_to_8_bits() -> None:
    white = torch.ones(1, 40, 40)
    outputs = [white + 0.3, white - 0.4 / 255]
    pair = Pair("white", [white[:, ::2, ::2]] * 2, [white] * 2)
    (score,) = score_clip([Replay(outputs)], pair, PROTOCOL)
    assert score.psnr == float("inf")


def test_things_that_move_elsewhere_show_in_tof_alone() -> None:
    still = [HIGH[0]] * 3
    (moved,) = score_clip([Replay(still)], PAIR, PROTOCOL)
    assert moved.tof == pytest.approx(2, abs=0.3)


def test_the_border_does_not_count() -> None:
    outputs = [high.clone() for high in HIGH]
    for output in outputs:
        output[:, :8] = 0
        output[:, :, -8:] = 1
    (score,) = score_clip([Replay(outputs)], PAIR, PROTOCOL)
    assert score.psnr == float("inf")


def test_an_upscaler_that_is_given_twice_runs_once() -> None:
    replay = Replay(HIGH)
    first, second = score_clip([replay, replay], PAIR, PROTOCOL)
    assert first == second
    assert replay.steps == 3


@pytest.mark.parametrize("upscaler", [Bicubic(4), Compact(2, color="rgb", channels=4, layers=1)])
def test_an_upscaler_that_does_not_fit_is_refused(upscaler: Bicubic | Compact) -> None:
    with pytest.raises(UsageError, match="scores luma at x2, frame by frame, but it gives"):
        check_fit("it", upscaler, PROTOCOL)
