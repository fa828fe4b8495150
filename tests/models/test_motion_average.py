from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from upreel.inference.loop import enlarge
from upreel.models.interpolator import Between, flow_at
from upreel.models.motion_average import MotionAverage
from upreel.models.upscaler import Window


def ramp(height: int, width: int) -> Tensor:
    """Luma that grows by 1/100 with each column: bilinear warping is exact on it."""
    return (torch.arange(width) / 100).expand(1, 1, height, width).clone()


def window(before: Tensor, after: Tensor, there: Tensor, back: Tensor) -> Window:
    clip = torch.stack((before, after), 1)
    return Window(clip, 0, 1, {"flow": there[:, None, None], "flow_back": back[:, None, None]})


def steady(x: float, y: float, height: int, width: int) -> Tensor:
    return torch.tensor([x, y]).view(1, 2, 1, 1).expand(1, 2, height, width)


def between(seen: Window, instants: Sequence[float], *, masks: bool = True) -> list[Between]:
    return MotionAverage(masks=masks).between(seen, instants)


@pytest.mark.parametrize("instant", [0.25, 0.5, 0.9])
def test_flow_of_steady_motion_is_shared_by_the_instant(instant: float) -> None:
    found = flow_at(steady(4.0, -2.0, 3, 5), steady(-4.0, 2.0, 3, 5), instant)
    torch.testing.assert_close(found[:, 0], instant * steady(-4.0, 2.0, 3, 5))
    torch.testing.assert_close(found[:, 1], (1 - instant) * steady(4.0, -2.0, 3, 5))


@pytest.mark.parametrize("instant", [0.25, 0.5, 0.75])
def test_steady_motion_is_made_exactly(instant: float) -> None:
    still = ramp(8, 40)
    moved = still - 4 / 100  # what was at x is at x + 4
    seen = window(still, moved, steady(4.0, 0.0, 8, 40), steady(-4.0, 0.0, 8, 40))
    (made,) = between(seen, [instant])
    inside = (slice(None), slice(None), slice(None), slice(8, -8))
    torch.testing.assert_close(made.frame[inside], (still - 4 * instant / 100)[inside])
    torch.testing.assert_close(made.weight, torch.full_like(still, 1 - instant))
    assert not made.doubt.any()


def test_what_one_neighbour_hides_comes_from_the_other() -> None:
    # What the frame before has in the first ten columns leads to pixels that do not lead back;
    # what the frame after has there comes from the next ten, which lead back.
    there, back = torch.zeros(1, 2, 6, 30), torch.zeros(1, 2, 6, 30)
    there[:, 0, :, :10], back[:, 0, :, :10], there[:, 0, :, 10:20] = 20.0, 10.0, -10.0
    dark, light = torch.zeros(1, 1, 6, 30), torch.ones(1, 1, 6, 30)
    (masked,) = between(window(dark, light, there, back), [0.5])
    assert (masked.frame[..., 3:7] > 0.9999).all()
    assert ((masked.frame[..., 23:] - 0.5).abs() < 1e-6).all()
    (plain,) = between(window(dark, light, there, back), [0.5], masks=False)
    assert ((plain.frame - 0.5).abs() < 1e-6).all()


def test_what_both_hide_is_doubted_and_averaged() -> None:
    there = torch.zeros(1, 2, 6, 20)
    there[:, 1, :, :10] = 3.0
    seen = window(torch.zeros(1, 1, 6, 20), torch.ones(1, 1, 6, 20), there, there)
    (made,) = between(seen, [0.5])
    assert (made.doubt[..., :10] == 1).all()
    assert (made.doubt[..., 10:] == 0).all()
    assert (made.frame == 0.5).all()


def test_the_loop_gives_twice_the_frames_and_holds_the_last_of_a_scene() -> None:
    frames = [torch.rand(1, 24, 32, generator=torch.manual_seed(seed)) for seed in range(4)]
    made = list(enlarge(MotionAverage(), enumerate(frames), begins_scene=lambda at: at == 2))
    assert [label for label, _ in made] == [0, 0, 1, 1, 2, 2, 3, 3]
    for place, frame in enumerate(frames):
        assert torch.equal(made[2 * place][1], frame)
    assert torch.equal(made[3][1], frames[1])
    assert torch.equal(made[7][1], frames[3])
    assert not torch.equal(made[1][1], frames[0])


def test_it_keeps_the_size_of_frames() -> None:
    with pytest.raises(ValueError, match="a scale of 1, found 2"):
        MotionAverage(2)
