from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from upreel.errors import UpreelError, WeightsError
from upreel.metrics import Seen
from upreel.metrics.vmaf import Vmaf


def truth() -> list[Tensor]:
    noise = gaussian_filter(np.random.default_rng(7).random((72, 104)), 1)
    noise = 0.1 + 0.8 * (noise - noise.min()) / (noise.max() - noise.min())
    field = torch.from_numpy(noise).float()
    return [field[None, :, 2 * t : 2 * t + 97] for t in range(3)]


def test_the_truth_scores_high_a_blurred_one_lower_and_the_border_does_not_count() -> None:
    try:
        metric = Vmaf.find()
    except WeightsError:
        pytest.skip("needs an FFmpeg program with libvmaf: imageio-ffmpeg")
    frames = truth()
    spoilt = [frame.clone() for frame in frames]
    for frame in spoilt:
        frame[:, :4] = 0
    equal, framed, blurred = (
        metric.values([Seen(o, f, crop=(4, 0, 0, 0)) for o, f in zip(outputs, frames, strict=True)])
        for outputs in (
            frames,
            spoilt,
            [torch.from_numpy(gaussian_filter(f.numpy(), (0, 2, 2))) for f in frames],
        )
    )
    assert len(equal) == 3
    assert min(equal) > 90
    assert framed == equal
    assert max(blurred) < 60


def test_a_program_that_fails_is_quoted() -> None:
    frame = torch.zeros(1, 8, 8)
    with pytest.raises(UpreelError, match="expected VMAF of FFmpeg, but it says: no message"):
        Vmaf("false").values([Seen(frame, frame)])
