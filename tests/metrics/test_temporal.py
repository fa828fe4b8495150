from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from upreel.metrics import Seen, farneback, tof
from upreel.metrics.motion import visible
from upreel.metrics.temporal import flicker, profile_difference, warping_error


def texture(height: int, width: int) -> Tensor:
    noise = gaussian_filter(np.random.default_rng(5).random((height, width)), 2)
    noise = (noise - noise.min()) / (noise.max() - noise.min())
    return torch.from_numpy(noise).float()


def moving(dx: int, dy: int) -> tuple[Tensor, Tensor]:
    """Two frames; what they show moves by `dx`, `dy` pixels from one to the other."""
    field = texture(120, 140)
    first = field[10:110, 10:130]
    second = field[10 - dy : 110 - dy, 10 - dx : 130 - dx]
    return first[None], second[None]


@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (-2, 4)])
def test_flow_points_where_things_go(dx: int, dy: int) -> None:
    flow = farneback(*moving(dx, dy))[:, 16:-16, 16:-16]
    assert flow[0].median() == pytest.approx(dx, abs=0.1)
    assert flow[1].median() == pytest.approx(dy, abs=0.1)


def test_tof_is_the_mean_length_of_the_difference() -> None:
    truth = torch.zeros(2, 30, 30)
    output = truth.clone()
    output[0], output[1] = 3, 4
    assert tof(output, truth) == pytest.approx(5)
    output[:, :8] = 99
    assert tof(output, truth, border=8) == pytest.approx(5)


def test_an_output_that_jitters_scores_worse_than_one_that_blurs() -> None:
    first, second = moving(3, 1)
    truth = farneback(first, second)
    blurred = [torch.from_numpy(gaussian_filter(f.numpy(), (0, 1, 1))) for f in (first, second)]
    jittered = (first, torch.roll(second, 1, dims=-1))
    assert tof(farneback(first, second), truth) == 0
    assert tof(farneback(*blurred), truth) < 0.2
    assert tof(farneback(*jittered), truth) > 0.7


def test_flows_of_two_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one size, found \(2, 8, 8\) and \(2, 8, 9\)"):
        tof(torch.zeros(2, 8, 8), torch.zeros(2, 8, 9))


def test_a_pure_translation_has_no_warping_error_and_noise_has_its_variance() -> None:
    first, second = moving(3, 0)
    assert warping_error(Seen(second, second, (first, first))) == pytest.approx(0, abs=0.1)
    noisy = second + 0.1
    seen = Seen(noisy, second, (first, first))
    assert warping_error(seen, difference=True) == pytest.approx(10, rel=1e-3)
    assert warping_error(Seen(second, second)) is None


def test_what_the_other_frame_does_not_show_is_not_visible() -> None:
    back = torch.zeros(2, 6, 8)
    back[0] = 2
    assert visible(back, -back)[:, :6].all()
    assert not visible(back, -back)[:, 6:].any()
    forth = -back
    forth[:, :, 4:] += 3  # what is here comes from elsewhere
    assert visible(back, forth)[:, :2].all()
    assert not visible(back, forth)[:, 2:].any()


def test_flicker_is_the_change_that_was_added() -> None:
    still = torch.full((1, 9, 9), 0.5)
    up, down = still + 2 / 255, still - 2 / 255
    assert flicker(Seen(up, still, (down, still))) == pytest.approx(4, abs=1e-4)
    assert flicker(Seen(up, still, (up, still))) == 0
    assert flicker(Seen(up, still)) is None


def test_the_profile_is_the_middle_row() -> None:
    truth = torch.zeros(1, 9, 10)
    output = truth.clone()
    output[:, 4, :5] = 0.2
    output[:, 3] = 1
    assert profile_difference(Seen(output, truth)) == pytest.approx(25.5)
