from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest
import torch

from tests.training.clips import draw_clip, write_clips
from upreel.data.clips import Clip, find_clips
from upreel.data.samples import Batch, Sampler
from upreel.errors import ConfigError, MediaError, NumericError, UsageError, WeightsError
from upreel.evaluation.evaluate import score
from upreel.evaluation.report import Report
from upreel.models.upscaler import Upscaler
from upreel.models.weights import build, read
from upreel.training.export import credit, find_commit, without_places
from upreel.training.recipe import Recipe, read_recipe, recipes
from upreel.training.run import Run
from upreel.training.trainer import train

TINY = (
    "network.arguments={channels=8, blocks=1, hidden=4}",
    "stages=[{steps=4, batch=2, crop=12, frames=3}, {steps=3, batch=1, crop=16, frames=4}]",
    "optimizer.rate=2e-3",
    "optimizer.warm_up=2",
    "save_every=2",
    "validate_every=3",
)


def tiny(*changes: str) -> Recipe:
    return read_recipe("swift-x4-clean", [*TINY, *changes])


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    write_clips(folder / "train", {f"a{seed}": draw_clip(seed, 5) for seed in range(3)})
    write_clips(folder / "val", {"v": draw_clip(9, 3)})
    return folder


def stop_before(monkeypatch: pytest.MonkeyPatch, last: int) -> None:
    """Let Ctrl-C come in the middle of a step."""
    batch = Sampler.batch

    def interrupted(
        self: Sampler, seed: int, step: int, *, size: int, frames: int, crop: int
    ) -> Batch:
        if step == last:
            raise KeyboardInterrupt
        return batch(self, seed, step, size=size, frames=frames, crop=crop)

    monkeypatch.setattr(Sampler, "batch", interrupted)


def read_metrics(weights: Path) -> list[dict[str, float]]:
    lines = weights.with_name("metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("optimizer", ["muon", "adam"])
def test_a_run_that_was_stopped_and_resumed_gives_the_same_bits(
    tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch, optimizer: str
) -> None:
    recipe, cache = tiny(f"optimizer.name={optimizer}"), tmp_path / "cache"
    whole = train(recipe, data=clips, out=tmp_path / "whole", cache=cache)
    for last in (1, 3, 5):  # before the first checkpoint, after it, in the second stage
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            stop_before(patch, last)
            train(recipe, data=clips, out=tmp_path / "parts", cache=cache, resume=True)
    with (tmp_path / "parts" / "metrics.jsonl").open("a") as log:
        log.write('{"step": 5, "lo')  # the machine went down while this was written
    parts = train(recipe, data=clips, out=tmp_path / "parts", cache=cache, resume=True)
    assert parts.read_bytes() == whole.read_bytes()
    for name in ("metrics.jsonl", "recipe.json"):
        assert (parts.parent / name).read_bytes() == (whole.parent / name).read_bytes()
    reports = [path.with_name("report.json").read_text() for path in (parts, whole)]
    assert Report.from_json(reports[0]) == Report.from_json(reports[1])


def test_recipes_in_weights_have_names_of_files_alone() -> None:
    recipe = read_recipe(
        "iseebetter-x4-tiny-smoke",
        [
            "discriminator.motion=/home/me/spynet.pth",
            "discriminator.name=image-and-flow",
            'losses=[{name="adversarial"}, {name="perceptual", options={weights="/home/vgg.pth"}}]',
        ],
    )
    text = without_places(recipe).model_dump_json()
    assert "/home" not in text
    assert "spynet.pth" in text
    assert "vgg.pth" in text


def test_weights_do_not_say_where_their_files_lay(tmp_path: Path, clips: Path) -> None:
    start = train(tiny(), data=clips, out=tmp_path / "start")
    sets = f'data.sets=[{{name="mine", path="{clips}"}}]'
    recipe = tiny(f"network.init={start}", sets)
    path = train(recipe, out=tmp_path / "run")
    written = Recipe.model_validate_json(read(path)[0].recipe)
    assert written.network.init == start.name
    assert written.data.sets[0].path == clips.name
    assert str(tmp_path).encode() not in path.read_bytes()


def test_what_a_run_leaves(tmp_path: Path, clips: Path) -> None:
    recipe, lines = tiny(), list[str]()
    path = train(recipe, data=clips, out=tmp_path / "run", progress=lines.append)
    assert path == tmp_path / "run" / "swift-x4-clean.safetensors"
    provenance, _ = read(path)
    assert (provenance.name, provenance.scale, provenance.network) == ("swift:clean", 4, "swift")
    assert Recipe.model_validate_json(provenance.recipe) == recipe
    assert read_recipe(path.with_name("recipe.json")) == recipe
    assert "a0 (unknown), a1" in provenance.trained_on
    assert "Big Buck Bunny" in provenance.trained_on
    assert set(provenance.scores) == {"val-bi-y8"}
    figures = read_metrics(path)
    assert [figure["step"] for figure in figures if "loss" in figure] == list(range(1, 8))
    assert [figure["step"] for figure in figures if "psnr" in figure] == [3, 6, 7]
    scores = {figure["step"]: figure["psnr"] for figure in figures if "psnr" in figure}
    assert provenance.curve == scores
    assert figures[0]["rate"] == pytest.approx(1e-3)  # half of the way up to 2e-3
    rows = [row["name"] for row in json.loads(path.with_name("report.json").read_text())["rows"]]
    assert rows[0] == "bicubic"
    assert rows[-1] == "swift:clean"
    assert build(path).spec.scale == 4
    assert any(line.startswith("prepared a0") for line in lines)
    pictures = sorted(path.with_name("pictures").iterdir())
    assert [picture.name for picture in pictures] == ["0000003.png", "0000006.png", "0000007.png"]
    assert not list(tmp_path.rglob("*.partial*"))


def test_tensorboard_has_the_figures_of_the_log(tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for step, loss in ((0, 0.5), (1, 0.25)):
        run = Run(tiny(), tmp_path)
        run.step = step  # the second goes on after the first step, which the log has already
        with run.metrics() as log:
            log({"step": step + 1, "loss": loss, "norm": float("inf")})
    board = events.EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    seen = [(event.step, event.value) for event in board.Scalars("loss")]
    assert seen == [(1, 0.5), (2, 0.25)]
    assert [list(figure) for figure in read_metrics(tmp_path / "weights")] == [["step", "loss"]] * 2


def test_the_average_follows_the_weights(tmp_path: Path) -> None:
    run = Run(tiny(), tmp_path)
    first = run.network.out.weight.detach().clone()  # type: ignore[union-attr, operator]
    run.network.zero_grad()
    for parameter in run.network.parameters():
        parameter.grad = torch.ones_like(parameter)
    run.update(0.01, decay=0.75)
    moved = run.network.state_dict()["out.weight"]
    assert not torch.equal(moved, first)
    torch.testing.assert_close(run.average.state_dict()["out.weight"], 0.75 * first + 0.25 * moved)
    assert run.step == 1


def test_slow_steps_are_kept_after_minutes(
    tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upreel.training.trainer._SAVE_AFTER", -1.0)
    stop_before(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        train(tiny("save_every=1000"), data=clips, out=tmp_path / "run")
    assert Run.begin(tiny("save_every=1000"), tmp_path / "run", resume=True).step == 3


def test_a_run_is_not_overwritten_and_not_mixed_with_another(tmp_path: Path, clips: Path) -> None:
    recipe, out = tiny("save_every=1"), tmp_path / "run"
    train(recipe, data=clips, out=out)
    with pytest.raises(UsageError, match=r"has a run already\. Pass --resume"):
        train(recipe, data=clips, out=out)
    with pytest.raises(UsageError, match="was begun with, found other seed, optimizer;"):
        train(
            tiny("save_every=1", "seed=2", "optimizer.rate=1e-3"), data=clips, out=out, resume=True
        )


@pytest.mark.parametrize("content", [b"no checkpoint", {"step": 3}])
def test_what_is_no_checkpoint(tmp_path: Path, content: object) -> None:
    path = tmp_path / "checkpoint.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(WeightsError, match=r"expected (tensors|a checkpoint) .*checkpoint\.pt"):
        Run.begin(tiny(), tmp_path, resume=True)


def test_numbers_that_are_none_stop_the_run(tmp_path: Path, clips: Path) -> None:
    recipe = tiny("optimizer.rate=1e30", "optimizer.warm_up=0")
    with pytest.raises(NumericError, match=r"expected a finite .* at step \d; begin anew with"):
        train(recipe, data=clips, out=tmp_path / "run")


def test_without_splits_nothing_is_scored(tmp_path: Path, clips: Path) -> None:
    lines = list[str]()
    path = train(tiny(), data=clips / "train", out=tmp_path / "run", progress=lines.append)
    assert read(path)[0].scores == {}
    assert any("the network will not be scored" in line for line in lines)
    assert not path.with_name("report.json").exists()


def test_a_network_without_flow(tmp_path: Path, clips: Path) -> None:
    arguments = '{channels=4, layers=1, color="luma"}'
    recipe = tiny("network.name=compact", f"network.arguments={arguments}", "precision=fp32",
                  "name=compact:test")  # fmt: skip
    path = train(recipe, data=clips, out=tmp_path / "run")
    assert path.name == "compact-x4-test.safetensors"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("network.name=bicubic", "bicubic (has nothing to train|takes, but)"),
        ("network.arguments.chanels=3", "arguments that swift takes, but: .*chanels"),
        ("network.arguments.hidden=9", "expected at most 8 hidden"),
    ],
)
def test_a_network_that_cannot_be(tmp_path: Path, clips: Path, change: str, sentence: str) -> None:
    with pytest.raises((ConfigError, UsageError), match=sentence):
        train(tiny(change), data=clips, out=tmp_path / "run")


def test_a_stage_that_no_clip_has_is_refused_before_the_first_step(
    tmp_path: Path, clips: Path
) -> None:
    recipe = tiny("stages.1.frames=6")
    with pytest.raises(UsageError, match="expected clips of 6 frames and more than 16 low pixels"):
        train(recipe, data=clips, out=tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.jsonl").read_text()


def test_a_folder_without_clips(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="expected a folder with videos"):
        train(tiny(), data=tmp_path / "none", out=tmp_path / "run")


def test_credits_name_each_entry_once() -> None:
    still = Clip("photos-a-0", Path("train/photos/a.png"), 1, "CC0, somebody", still=True)
    moving = Clip("b.mp4", Path("train/b.mp4"), 2, "MIT, me")
    assert credit([still, still, moving], "") == "photos (CC0, somebody), b.mp4 (MIT, me)"
    assert credit([moving], "Thanks") == "b.mp4 (MIT, me). Thanks"
    assert find_commit() == "unknown" or len(find_commit()) == 40


def test_ping_pong_on_mirrored_sequences(tmp_path: Path, clips: Path) -> None:
    stages = "stages=[{steps=2, batch=2, crop=12, frames=3, mirrored=true}]"
    losses = "losses=[{name='rmse'}, {name='ping-pong', weight=0.1}]"
    path = train(tiny(stages, losses), data=clips / "train", out=tmp_path / "run")
    assert [figures["step"] for figures in read_metrics(path)] == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(recipes().keys() - {"glide"}))  # tests/recipes has its own
def test_the_smoke_run_of_a_recipe_learns_what_bicubic_lacks(tmp_path: Path, name: str) -> None:
    """Each takes a thread for half a minute to two."""
    clips = Path("procedural")
    # Without the weights of VGG, whose features those of a trunk with random weights stand for.
    seeded = [
        f"losses.{place}.options.seed=1"
        for place, loss in enumerate(read_recipe(name).losses)
        if loss.name == "perceptual"
    ]
    recipe = read_recipe(f"{name}-smoke", seeded)
    path = train(recipe, data=clips, out=tmp_path / "run")
    if recipe.discriminator is None:  # whose opponent learns too: the loss may well rise
        losses = [figures["loss"] for figures in read_metrics(path) if "loss" in figures]
        last = len(losses) // 3
        assert sum(losses[-last:]) / last < 0.97 * sum(losses[:50]) / 50
    report = Report.from_json(path.with_name("report.json").read_text())
    start = cast(Upscaler, Run(recipe, tmp_path / "start").network)
    held_out = find_clips(clips)
    begun = score({"start": start}, recipe.validation, clips, clips=held_out)["start"].means
    bicubic = max(row.psnr for row in report.rows if "bicubic" in row.name)
    assert report.rows[-1].psnr > bicubic
    assert report.rows[-1].psnr > begun["psnr"] + 0.3
    assert build(path).spec.scale == recipe.scale


def test_gradients_that_fp16_cannot_hold_stop_the_run(
    tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upreel.training.trainer._OVERFLOWS", 4)
    recipe = tiny("precision=fp16", 'losses=[{name="mse", weight=1e36}]')
    sentence = r"found none in the 4 steps up to step 4; begin anew with precision bf16 or fp32"
    with pytest.raises(NumericError, match=sentence):
        train(recipe, data=clips / "train", out=tmp_path / "run")
    figures = read_metrics(tmp_path / "run" / "weights")
    assert [figure["step"] for figure in figures] == [1, 2, 3]
    assert all("norm" not in figure for figure in figures)


def test_fp16_goes_on_after_an_overflow(tmp_path: Path, clips: Path) -> None:
    recipe = tiny("precision=fp16", 'losses=[{name="mse", weight=1e35}]')
    run = Run(recipe, tmp_path)
    weights = list(run.network.parameters())
    for value, overflows in ((torch.inf, 1), (torch.inf, 2), (1.0, 0)):
        run.network.zero_grad()
        run.backward(torch.stack([weight.sum() * value for weight in weights]).sum())
        run.unscale()
        run.update(1e-3, decay=0.5)
        assert run.overflows == overflows
    assert run.step == 3
