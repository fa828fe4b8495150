from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.clips import draw_clip, write_clips
from upreel.data import clips
from upreel.data.samples import Batch
from upreel.errors import ConfigError, UsageError
from upreel.models.upscaler import Color, Spec
from upreel.training.batches import Batches, HeldOut, find_parts, open_batches
from upreel.training.ranks import Ranks
from upreel.training.recipe import Recipe, read_recipe
from upreel.training.trainer import train

SPECS: dict[Color, Spec] = {
    "luma": Spec(scale=4, color="luma", inputs=frozenset({"flow"})),
    "rgb": Spec(scale=4, color="rgb"),
}
STAGES = "stages=[{steps=2, batch=4, crop=12, frames=3}, {steps=2, batch=2, crop=8, frames=2}]"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten dark clips that are not divided, and bright ones that are."""
    root = tmp_path_factory.mktemp("sets")
    shape = (4, 64, 80)
    write_clips(root / "dark", {f"d{n}": np.full(shape, 20 + n, np.uint8) for n in range(10)})
    for part in ("train", "val"):
        write_clips(root / "bright" / part, {part: np.full(shape, 200, np.uint8)})
    return root


def mixed(root: Path, *changes: str) -> Recipe:
    sets = (
        f"{{name='dark', path='{root}/dark', weight=3.0, split=[70, 15, 15], seed=2}}",
        f"{{name='bright', path='{root}/bright'}}",
    )
    return read_recipe("swift-x4-clean", [f"data.sets=[{', '.join(sets)}]", STAGES, *changes])


def make_batches(
    recipe: Recipe, cache: Path, color: Color = "luma", ranks: Ranks | None = None
) -> Batches:
    parts = find_parts(recipe, None)
    return open_batches(recipe, parts, SPECS[color], cache, ranks or Ranks(), lambda line: None)


def same(one: Batch, other: Batch) -> bool:
    return torch.equal(one.low, other.low) and torch.equal(one.high, other.high)


@pytest.mark.parametrize(("split", "sizes"), [([70, 15, 15], (7, 1)), ([80, 10, 10], (8, 1))])
def test_sets_are_divided_by_their_shares(
    folders: Path, split: list[int], sizes: tuple[int, int]
) -> None:
    recipe = mixed(folders, f"data.sets.0.split={split}")
    dark, bright = find_parts(recipe, None)
    assert abs(len(dark.train) - sizes[0]) <= 1 and len(dark.val) in {1, 2}
    assert not set(dark.train) & set(dark.val)
    assert ([c.name for c in bright.train], [c.name for c in bright.val]) == (["train"], ["val"])
    assert find_parts(recipe, None) == [dark, bright]
    other = find_parts(mixed(folders, f"data.sets.0.split={split}", "data.sets.0.seed=3"), None)
    assert other[0].train != dark.train
    assert HeldOut.of([dark, bright]).clips == (*dark.val, *bright.val)


def test_a_folder_takes_the_place_of_the_sets(folders: Path) -> None:
    (only,) = find_parts(mixed(folders), folders / "bright")
    assert [clip.name for clip in only.train] == ["train"]


@pytest.mark.parametrize("packed", ["true", "false"])
def test_drawn_clips_stay_beside_a_folder(
    tmp_path: Path, folders: Path, packed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(clips._TO_LEARN, "dead-leaves", 2)
    monkeypatch.setitem(clips._SIZES, "dead-leaves", (64, 64))
    one_stage = "stages=[{steps=1, batch=12, crop=4, frames=2}]"
    sets = "data.sets=[{name='leaves', path='dead-leaves', weight=0.5}]"
    recipe = read_recipe("swift-x4-clean", [sets, one_stage, f"data.packed={packed}"])
    given, leaves = parts = find_parts(recipe, folders / "bright")
    assert [clip.name for clip in leaves.train] == ["dead-leaves-0", "dead-leaves-1"]
    assert HeldOut.of(parts).clips == given.val, "scores are of real clips"
    assert HeldOut.of([leaves]).clips == leaves.val
    spec = SPECS["luma"]
    (batch,) = open_batches(recipe, parts, spec, tmp_path, Ranks(), lambda line: None)(range(1))
    flat = batch.high.flatten(1).std(1) == 0  # as the folder's are
    assert 4 <= int(flat.sum()) < 12


@pytest.mark.parametrize("packed", ["true", "false"])
def test_sets_are_drawn_by_their_weights(tmp_path: Path, folders: Path, packed: str) -> None:
    one_stage = "stages=[{steps=1, batch=200, crop=4, frames=1}]"
    recipe = mixed(folders, f"data.packed={packed}", one_stage, "data.strides=1")
    (batch,) = make_batches(recipe, tmp_path)(range(1))
    share = float((batch.high[:, 0, 0, 0, 0] < 0.5).float().mean())
    assert abs(share - 0.75) < 0.1  # three standard deviations


@pytest.mark.parametrize(
    ("packed", "color", "channels"),
    [("true", "luma", 1), ("false", "luma", 1), ("false", "rgb", 3)],
)
def test_resuming_and_sharing_change_nothing(
    tmp_path: Path, folders: Path, packed: str, color: Color, channels: int
) -> None:
    texture = write_clips(tmp_path / "clips", {"a": draw_clip(1, 5)})
    recipe = mixed(folders, f"data.packed={packed}", f"data.sets.1.path={texture}")
    whole = list(make_batches(recipe, tmp_path / "cache", color)(range(4)))
    assert [tuple(batch.low.shape) for batch in whole] == [
        (4, 3, channels, 12, 12), (4, 3, channels, 12, 12),
        (2, 2, channels, 8, 8), (2, 2, channels, 8, 8),
    ]  # fmt: skip
    assert all((batch.flow is not None) == (color == "luma") for batch in whole)
    assert not any(same(*pair) for pair in pairwise(whole[:2]))
    resumed = list(make_batches(recipe, tmp_path / "cache", color)(range(1, 4)))
    assert all(same(*pair) for pair in zip(whole[1:], resumed, strict=True))
    halves = [
        next(make_batches(recipe, tmp_path / "cache", color, Ranks(rank, 2))(range(1)))
        for rank in range(2)
    ]
    assert torch.equal(torch.cat([half.high for half in halves]), whole[0].high)


@pytest.mark.parametrize("packed", ["true", "false"])
def test_a_mirrored_stage(tmp_path: Path, folders: Path, packed: str) -> None:
    recipe = mixed(folders, f"data.packed={packed}", "stages.1.mirrored=true")
    first, *_, last = make_batches(recipe, tmp_path)(range(4))
    assert (first.low.shape[1], last.low.shape[1]) == (3, 3)
    assert torch.equal(last.high, last.high.flip(1))


def test_what_cannot_be_drawn_from(tmp_path: Path, folders: Path) -> None:
    with pytest.raises(UsageError, match=r"swift:clean, whose recipe names no sets, .*--data"):
        find_parts(read_recipe("swift-x4-clean"), None)
    divided = mixed(folders, "data.sets.1.split=[80, 10, 10]")
    with pytest.raises(UsageError, match=r"no 'split' for the set bright, because .* is divided"):
        find_parts(divided, None)
    with pytest.raises(UsageError, match=r"for luma with packed clips, .*set data.packed=false"):
        make_batches(mixed(folders), tmp_path, "rgb")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("data.sets.0.split=[70, 30]", r"data.sets.0.split: expected shares of train, val and"),
        ("data.sets.0.weight=0.0", "greater than 0 at 'data.sets.0.weight'"),
        ("data.sets.0.name=a/b", "should match pattern .* at 'data.sets.0.name'"),
        ("data.sets.0.share=3", "unknown key 'share' in data.sets.0: it has name, path, weight"),
    ],
)
def test_sets_that_make_no_sense(folders: Path, change: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        mixed(folders, change)


def test_a_run_from_files_in_rgb_that_was_stopped_goes_on(tmp_path: Path, folders: Path) -> None:
    changes = (
        "network={name='compact', arguments={channels=4, layers=1}}", "precision=fp32",
        "data.packed=false", "name=compact:test", "data.jitter=0.1", "save_every=1",
        "data.sets.0.split=[90, 10, 0]", "validate_every=2",
    )  # fmt: skip
    recipe, lines = mixed(folders, *changes), list[str]()
    whole = train(recipe, out=tmp_path / "whole")

    def stop(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # the line of the score after step 2
        train(recipe, out=tmp_path / "parts", progress=stop)
    parts = train(recipe, out=tmp_path / "parts", resume=True, progress=lines.append)
    assert parts.read_bytes() == whole.read_bytes()
    assert any("dB over bicubic" in line for line in lines)
    assert not (tmp_path / "whole" / "cache").exists()


def test_packed_clips_have_the_flow_of_the_default_network_only(
    tmp_path: Path, folders: Path
) -> None:
    recipe = mixed(folders)
    parts = find_parts(recipe, None)
    for spec, wants in (
        (replace(SPECS["luma"], past=3, future=3), "'dis' to 3 and 3"),
        (replace(SPECS["luma"], past=1, flow="variational"), "'variational' to 1 and 0"),
    ):
        with pytest.raises(UsageError, match=f"which wants {wants}; set data.packed=false"):
            open_batches(recipe, parts, spec, tmp_path, Ranks(), lambda line: None)


def test_networks_that_make_more_frames_than_they_see(tmp_path: Path, folders: Path) -> None:
    spec = replace(SPECS["rgb"], color="luma", rate=2)
    recipe = mixed(folders, "stages=[{steps=1, batch=2, crop=12, frames=3}]")
    with pytest.raises(UsageError, match=r"which makes 2; set data.packed=false"):
        open_batches(recipe, find_parts(recipe, None), spec, tmp_path, Ranks(), lambda line: None)
    parts = find_parts(recipe, Path("procedural"))
    (batch,) = open_batches(recipe, parts, spec, tmp_path, Ranks(), lambda line: None)(range(1))
    assert batch.low.shape == (2, 3, 1, 12, 12)
    assert batch.high.shape == (2, 5, 1, 48, 48)


@pytest.mark.parametrize("mirrored", ["true", "false"])
def test_flow_for_windows(tmp_path: Path, folders: Path, mirrored: str) -> None:
    """To as many frames as the network sees, and at least to one on each side, for losses."""
    texture = write_clips(tmp_path / "clips", {"a": draw_clip(1, 6)})
    stage = f"stages=[{{steps=1, batch=2, crop=12, frames=6, mirrored={mirrored}}}]"
    recipe = mixed(folders, "data.packed=false", stage)
    spec = replace(SPECS["luma"], past=2, future=2 if mirrored == "true" else 0)
    parts = find_parts(recipe, texture)
    (batch,) = open_batches(recipe, parts, spec, tmp_path, Ranks(), lambda line: None)(range(1))
    assert batch.past == 2 and batch.flow is not None
    assert batch.flow.shape[:3] == ((2, 11, 4) if mirrored == "true" else (2, 6, 3))
    assert batch.flow[:, 5].any(), "the last frame, or that where it turns"


@pytest.mark.parametrize("mirrored", ["true", "false"])
def test_flow_between_frames_is_to_neighbours_whatever_the_network_sees(
    tmp_path: Path, folders: Path, mirrored: str
) -> None:
    texture = write_clips(tmp_path / "clips", {"a": draw_clip(1, 6)})
    stage = f"stages=[{{steps=1, batch=2, crop=12, frames=6, mirrored={mirrored}}}]"
    recipe = mixed(folders, "data.packed=false", stage)
    spec = replace(SPECS["luma"], inputs=frozenset({"flow_along"}), past=1, future=5)
    parts = find_parts(recipe, texture)
    (batch,) = open_batches(recipe, parts, spec, tmp_path, Ranks(), lambda line: None)(range(1))
    assert batch.past == 1 and batch.flow is not None
    assert batch.flow.shape[:3] == (2, 11 if mirrored == "true" else 6, 2)


def test_time_and_axes_turn_only_if_the_recipe_lets_them(tmp_path: Path) -> None:
    """The clip gets brighter with time, and to the right more than downwards."""
    y, x = np.mgrid[:64, :80]
    clip = np.stack([20 + 20 * t + 2 * abs(x - 40) + abs(y - 32) // 2 for t in range(4)])
    write_clips(tmp_path / "clips", {"a": clip.astype(np.uint8)})
    sets = f"data.sets=[{{name='a', path='{tmp_path}/clips'}}]"
    stages = "stages=[{steps=8, batch=4, crop=6, frames=3}]"
    for free in (True, False):
        changes = (f"data.transpose={str(free).lower()}", f"data.reverse={str(free).lower()}")
        recipe = read_recipe("compact-x4-clean", [sets, stages, "data.strides=1", *changes])
        brighter, wider = set(), set()
        for batch in make_batches(recipe, tmp_path, "rgb")(range(8)):
            for sequence in batch.high:
                rows, columns = (sequence.diff(dim=axis).abs().mean() for axis in (-2, -1))
                brighter.add(bool(sequence[-1].mean() > sequence[0].mean()))
                wider.add(bool(columns > rows))
        expected = {True, False} if free else {True}
        assert brighter == wider == expected
