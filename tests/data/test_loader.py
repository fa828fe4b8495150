from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import chain as chained
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.training.clips import draw_clip, write_clips
from upreel.data.clips import find_clips
from upreel.data.datasets.splits import split
from upreel.data.degradations import CHAINS, degrade
from upreel.data.drawings import Drawing
from upreel.data.loader import Augmentation, Color, Loader, Motion, Shape, WeightedSet
from upreel.data.samples import Batch
from upreel.data.sources import DrawnSource, FileSource
from upreel.errors import UsageError
from upreel.ops.blur import bd_duf
from upreel.ops.resize import imresize

SHAPE = Shape(size=4, frames=3, crop=8)
ALL = Augmentation((1, 2), jitter=0.1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clips = {str(seed): draw_clip(seed, 6, (80, 96)) for seed in range(2)}
    return write_clips(tmp_path_factory.mktemp("clips"), clips)


def make_loader(
    data: Path,
    *,
    seed: int = 1,
    color: Color = "luma",
    chain: str = "BI",
    flow: Motion | None = None,
    augmentation: Augmentation = ALL,
) -> Loader:
    sources = [FileSource(clip, color) for clip in find_clips(data)]
    low = partial(degrade, chain=CHAINS[chain], scale=4)
    sets = [WeightedSet("a", sources[:1], 3.0), WeightedSet("b", sources[1:])]
    return Loader(sets, low, scale=4, seed=seed, flow=flow, augmentation=augmentation)


def same(one: Batch, other: Batch) -> bool:
    return torch.equal(one.low, other.low) and torch.equal(one.high, other.high)


@pytest.mark.parametrize(("color", "channels"), [("luma", 1), ("rgb", 3)])
def test_shapes_for_each_color(data: Path, color: Color, channels: int) -> None:
    batch = make_loader(data, color=color, flow=Motion()).batch(0, SHAPE)
    assert batch.low.shape == (4, 3, channels, 8, 8)
    assert batch.high.shape == (4, 3, channels, 32, 32)
    assert batch.flow is not None and batch.flow.shape == (4, 3, 2, 2, 8, 8)
    assert batch.low.min() >= 0 and batch.low.max() <= 1


def test_workers_ranks_and_a_late_start_change_nothing(data: Path) -> None:
    loader = make_loader(data)
    whole = [loader.batch(step, SHAPE) for step in range(3)]
    threaded = list(make_loader(data).batches(lambda _: SHAPE, range(3), workers=3))
    assert all(same(*pair) for pair in zip(whole, threaded, strict=True))
    (late,) = make_loader(data).batches(lambda _: SHAPE, range(2, 3))
    assert same(late, whole[2])
    halves = [loader.batch(1, SHAPE, rank=rank, ranks=2) for rank in range(2)]
    assert torch.equal(torch.cat([half.low for half in halves]), whole[1].low)
    assert not any(same(*pair) for pair in pairwise(whole))
    assert not same(make_loader(data, seed=2).batch(0, SHAPE), whole[0])


def test_a_batch_that_ranks_cannot_share(data: Path) -> None:
    with pytest.raises(UsageError, match="that 3 processes can share, found 4; take a multiple"):
        make_loader(data).batch(0, SHAPE, rank=0, ranks=3)


@pytest.mark.parametrize("chain", ["BI", "BD-DUF"])
def test_both_sides_see_the_same(data: Path, chain: str) -> None:
    batch = make_loader(data, chain=chain).batch(0, Shape(16, 3, 12))
    for low, high in zip(batch.low.flatten(0, 1), batch.high.flatten(0, 1), strict=True):
        expected = imresize(high, 0.25) if chain == "BI" else bd_duf(high, 4)
        error = (low - expected.clamp(0, 1))[:, 2:-2, 2:-2].abs().max()
        assert error <= 1.01 / 255  # beyond the border only rounding differs


class Sliding:
    """A texture that moves to the left by one low pixel per frame."""

    name = "sliding"

    def measure(self) -> tuple[int, int, int]:
        return 5, 192, 192

    def read(self, times: Sequence[int]) -> NDArray[np.uint8]:
        coarse = np.random.default_rng(0).uniform(0, 255, (25, 30)).astype(np.float32)
        texture = cv2.resize(coarse, (300, 250), interpolation=cv2.INTER_CUBIC)
        wide = np.clip(texture, 0, 255).astype(np.uint8)
        return np.stack([wide[None, :192, 4 * time : 4 * time + 192] for time in times])


def test_flow_leads_to_the_neighbours() -> None:
    straight = Augmentation(flip=False, transpose=False, reverse=False)
    low = partial(degrade, chain=CHAINS["BI"], scale=4)
    loader = Loader(
        [WeightedSet("a", [Sliding()])], low, scale=4, seed=1, flow=Motion(), augmentation=straight
    )
    flow = loader.batch(0, Shape(2, 3, 32)).flow
    assert flow is not None
    middle = flow[:, 1].flatten(-2).median(-1).values
    expected = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])  # before and after, x then y
    assert (middle - expected).abs().max() < 0.15


def test_flow_to_more_neighbours_of_those_frames_that_have_them() -> None:
    straight = Augmentation(flip=False, transpose=False, reverse=False)
    low = partial(degrade, chain=CHAINS["BI"], scale=4)
    motion = Motion(2, 1, left_out=(2, 1))
    loader = Loader(
        [WeightedSet("a", [Sliding()])], low, scale=4, seed=1, flow=motion, augmentation=straight
    )
    batch = loader.batch(0, Shape(1, 5, 32))
    assert batch.past == 2 and batch.flow is not None
    assert batch.flow.shape == (1, 5, 3, 2, 32, 32)
    assert not batch.flow[:, [0, 1, 4]].any()
    middle = batch.flow[0, 2:4].flatten(-2).median(-1).values
    expected = torch.tensor([[2.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    assert (middle - expected).abs().max() < 0.2
    still = Loader(
        [WeightedSet("a", [Sliding()])], low, scale=4, seed=1, flow=Motion(provider="zeros")
    )
    flow = still.batch(0, Shape(1, 3, 8)).flow
    assert flow is not None and not flow.any()


class Flat:
    """A clip of one grey."""

    def __init__(self, grey: int) -> None:
        self.grey, self.name = grey, str(grey)

    def measure(self) -> tuple[int, int, int]:
        return 2, 16, 16

    def read(self, times: Sequence[int]) -> NDArray[np.uint8]:
        return np.full((len(times), 1, 16, 16), self.grey, np.uint8)


def test_every_other_frame_is_left_out_on_the_low_side() -> None:
    low = partial(degrade, chain=CHAINS["BI"], scale=4)
    straight = Augmentation((1,), flip=False, transpose=False, reverse=False)
    loader = Loader(
        [WeightedSet("a", [Sliding()])], low, scale=4, seed=1,
        flow=Motion(), augmentation=straight,
    )  # fmt: skip
    batch = loader.batch(0, Shape(2, 3, 32, rate=2))
    assert batch.low.shape == (2, 3, 1, 32, 32)
    assert batch.high.shape == (2, 5, 1, 128, 128)
    for clip, truth in zip(batch.low, batch.high[:, ::2], strict=True):
        for frame, high in zip(clip, truth, strict=True):
            error = (frame - imresize(high, 0.25).clamp(0, 1))[:, 2:-2, 2:-2].abs().max()
            assert error <= 1.01 / 255
    assert batch.flow is not None  # of low frames: twice as far apart
    middle = batch.flow[:, 1].flatten(-2).median(-1).values
    assert (middle - torch.tensor([[2.0, 0.0], [-2.0, 0.0]])).abs().max() < 0.2
    mirrored = batch.mirrored()
    assert (mirrored.low.shape[1], mirrored.high.shape[1]) == (5, 9)
    with pytest.raises(UsageError, match="expected clips of 7 frames of at least 32x32"):
        loader.batch(0, Shape(1, 4, 8, rate=2))


def test_weights_are_shares() -> None:
    sets = [WeightedSet("a", [Flat(10)], 3.0), WeightedSet("b", [Flat(200)])]
    loader = Loader(sets, partial(degrade, chain=CHAINS["BI"], scale=4), scale=4, seed=1)
    batch = loader.batch(0, Shape(400, 1, 2))
    share = float((batch.high[:, 0, 0, 0, 0] < 0.5).float().mean())
    assert abs(share - 0.75) < 0.07  # three standard deviations


class Tiny(Flat):
    """A clip that no crop fits into."""

    def measure(self) -> tuple[int, int, int]:
        return 2, 16, 7


def test_clips_that_are_too_small_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    low = partial(degrade, chain=CHAINS["BI"], scale=4)
    sets = [
        WeightedSet("mixed", [Tiny(0), Flat(100), Tiny(0), Flat(200)]),
        WeightedSet("none", [Tiny(0)]),
    ]
    loader = Loader(sets, low, scale=4, seed=1)
    batch = loader.batch(0, Shape(200, 1, 2))
    share = float((batch.high[:, 0, 0, 0, 0] < 0.5).float().mean())
    assert abs(share - 0.5) < 0.11  # three standard deviations: as likely as each other
    assert same(batch, loader.batch(0, Shape(200, 1, 2)))
    (told,) = {record.getMessage() for record in caplog.records}
    assert told.startswith(
        "0 is left out: expected 1 frames of at least 8x8 pixels, found 2 of 7x16"
    )
    assert len(caplog.records) == 1


def test_clips_that_are_all_too_small(data: Path) -> None:
    with pytest.raises(
        UsageError, match=r"expected clips of 3 frames of at least 160x160 pixels, found none; make"
    ):
        make_loader(data).batch(0, Shape(1, 3, 40))


def test_nothing_to_draw_from() -> None:
    with pytest.raises(UsageError, match="expected a set with clips and a weight above 0"):
        Loader([], partial(degrade, chain=CHAINS["BI"], scale=4), scale=4, seed=1)


def test_splits_keep_clips_whole_and_to_the_seed() -> None:
    clips = list(range(20))
    parts = split(clips, 3, parts={"train": 70, "val": 15, "test": 15})
    assert {name: len(part) for name, part in parts.items()} == {"train": 14, "val": 3, "test": 3}
    assert sorted(chained.from_iterable(parts.values())) == clips
    assert parts == split(clips, 3, parts={"train": 70, "val": 15, "test": 15})
    assert parts != split(clips, 4, parts={"train": 70, "val": 15, "test": 15})
    assert [len(part) for part in split(clips, 3, parts={"a": 80, "b": 10, "c": 10}).values()] == [
        16, 2, 2,
    ]  # fmt: skip


@pytest.mark.parametrize(("color", "channels"), [("luma", 1), ("rgb", 3)])
def test_clips_without_files(color: Color, channels: int) -> None:
    sources = [DrawnSource(Drawing("procedural", index, (48, 64)), color) for index in range(3)]
    low = partial(degrade, chain=CHAINS["BI"], scale=2)
    loader = Loader([WeightedSet("procedural", sources)], low, scale=2, seed=1)
    batch = loader.batch(0, Shape(2, 2, 12))
    assert batch.high.shape == (2, 2, channels, 24, 24)
    assert batch.high.std() > 0.02
    assert not torch.equal(batch.high[0], batch.high[1])
