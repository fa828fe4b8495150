from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.training.clips import draw_clip
from upreel.data.cache import Version, find_flow
from upreel.data.degradations import Reduce, Reduction, degrade
from upreel.data.samples import Batch, Sampler
from upreel.errors import UsageError
from upreel.ops.blur import bd_duf
from upreel.ops.resize import imresize
from upreel.ops.warp import warp


def make_sampler(reduction: Reduction = "BI", scale: int = 4, *, frames: int = 6) -> Sampler:
    versions = []
    for seed in range(3):
        high = draw_clip(seed, frames, (160, 192))
        low = degrade(high[:, None], (Reduce(reduction),), scale=scale)[:, 0]
        versions.append(Version(str(seed), high, low, find_flow(low, 2)))
    return Sampler(versions, scale=scale, first_phase=reduction == "BD-DUF")


def test_seed_and_step_fix_the_batch() -> None:
    def draw(seed: int, step: int) -> Batch:
        return make_sampler().batch(seed, step, size=2, frames=3, crop=16)

    for name in ("low", "high", "flow"):
        assert torch.equal(getattr(draw(1, 5), name), getattr(draw(1, 5), name))
    assert not torch.equal(draw(1, 5).low, draw(1, 6).low)
    assert not torch.equal(draw(1, 5).low, draw(2, 5).low)


def test_shapes_and_ranges() -> None:
    batch = make_sampler().batch(1, 1, size=5, frames=3, crop=16)
    assert batch.low.shape == (5, 3, 1, 16, 16)
    assert batch.high.shape == (5, 3, 1, 64, 64)
    assert batch.flow is not None
    assert batch.flow.shape == (5, 3, 2, 2, 16, 16)
    assert {tensor.dtype for tensor in (batch.low, batch.high, batch.flow)} == {torch.float32}
    assert 0 <= batch.low.min() < batch.low.max() <= 1


@pytest.mark.parametrize("reduction", ["BI", "BD-DUF"])
@pytest.mark.parametrize("scale", [2, 4])
def test_however_it_is_turned_the_truth_reduces_to_the_low_frames(
    reduction: Reduction, scale: int
) -> None:
    sampler = make_sampler(reduction, scale)
    for step in range(8):
        batch = sampler.batch(1, step, size=4, frames=2, crop=20)
        expected = (
            bd_duf(batch.high, scale) if reduction == "BD-DUF" else imresize(batch.high, 1 / scale)
        )
        difference = 255 * (batch.low - expected.clamp(0, 1))[..., 5:-5, 5:-5]
        assert difference.abs().max() < 0.51


def moving_clip() -> NDArray[np.uint8]:
    """Texture that moves by (3, 1) low pixels per frame."""
    noise = torch.rand(1, 1, 120, 140, generator=torch.Generator().manual_seed(1))
    soft = torch.nn.functional.avg_pool2d(noise, 5, 1)[0, 0]
    codes = ((soft - soft.min()) / (soft.max() - soft.min()) * 255).byte().numpy()
    return np.stack([codes[t : t + 80, 3 * t : 3 * t + 90] for t in range(8)])


def test_flow_is_turned_with_the_frames() -> None:
    low = moving_clip()
    sampler = Sampler(
        [Version("a", low.repeat(2, 1).repeat(2, 2), low, find_flow(low, 2))],
        scale=2,
        first_phase=False,
    )
    seen = set()
    for step in range(12):
        batch = sampler.batch(3, step, size=4, frames=3, crop=40)
        assert batch.flow is not None
        for low_frames, flow in zip(batch.low, batch.flow, strict=True):
            for slot, other in ((0, 0), (1, 2)):
                moved = warp(low_frames[other][None], flow[1, slot][None])
                inner = (moved[0, 0] - low_frames[1, 0])[8:-8, 8:-8].abs()
                still = (low_frames[other, 0] - low_frames[1, 0])[8:-8, 8:-8].abs()
                assert inner.median() < still.median() / 3
            seen.add(tuple(median(flow[1, 0]).round().int().tolist()))
    # Mirrored, transposed and backwards: every sign of (3, 1) and (1, 3), and of twice that.
    assert {(abs(x), abs(y)) for x, y in seen} >= {(3, 1), (1, 3), (6, 2), (2, 6)}
    assert {(np.sign(x), np.sign(y)) for x, y in seen} == {(i, j) for i in (-1, 1) for j in (-1, 1)}


def median(flow: Tensor) -> Tensor:
    return flow[:, 8:-8, 8:-8].flatten(1).median(1).values


def test_clips_that_are_too_short_or_small_are_refused() -> None:
    with pytest.raises(UsageError, match="expected clips of 9 frames and more than 16 low pixels"):
        make_sampler().batch(1, 1, size=1, frames=9, crop=16)
    with pytest.raises(UsageError, match="make the crop smaller"):
        make_sampler().batch(1, 1, size=1, frames=3, crop=40)


def test_a_mirrored_batch_goes_there_and_back() -> None:
    batch = make_sampler().batch(1, 2, size=2, frames=4, crop=16)
    both = batch.mirrored()
    assert both.low.shape[1] == both.high.shape[1] == 7
    for there, mirrored in ((batch.low, both.low), (batch.high, both.high)):
        assert torch.equal(mirrored[:, :4], there)
        assert torch.equal(mirrored, mirrored.flip(1))
    assert batch.flow is not None and both.flow is not None
    numbers = [0, 1, 2, 3, 2, 1, 0]
    for index, (number, other) in enumerate(pairwise(numbers)):
        slot = int(other > number)  # to the frame after or before
        assert torch.equal(both.flow[:, index, 1], batch.flow[:, number, slot])
        slot = int(number > other)
        assert torch.equal(both.flow[:, index + 1, 0], batch.flow[:, other, slot])
    assert Batch(batch.low, batch.high, None).mirrored().flow is None


def test_flow_to_frames_further_away_goes_there_and_back() -> None:
    """Flow whose value says from where to where it goes, on a sequence of frames 0 to 3."""
    offsets, frames = (-2, -1, 1, 2), 4

    def flow_between(order: list[int]) -> Tensor:
        flow = torch.zeros(1, len(order), 4, 2, 1, 1)
        for place, number in enumerate(order):
            for slot, offset in enumerate(offsets):
                if 0 <= place + offset < len(order):
                    other = order[place + offset]
                    flow[0, place, slot] = 10 * (number + 1) + other if other != number else 0
        return flow

    clip = torch.arange(frames).view(1, -1, 1, 1, 1).float()
    both = Batch(clip, clip, flow_between([0, 1, 2, 3]), past=2).mirrored()
    assert both.flow is not None and both.past == 2
    assert torch.equal(both.flow, flow_between([0, 1, 2, 3, 2, 1, 0]))
    with pytest.raises(UsageError, match="found 1 before and 3 after; set mirrored = false"):
        Batch(clip, clip, both.flow[:, :4], past=1).mirrored()
