"""The recipes for scans: those that ship, what is refused, and a short run of each."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from upreel.errors import ConfigError
from upreel.inference.denoising import load_denoiser
from upreel.losses.discriminator import Shown
from upreel.losses.srgan_discriminator import SrganDiscriminator
from upreel.models.weights import build, read
from upreel.training import pseudo_truth
from upreel.training.denoising import DenoiserRecipe
from upreel.training.pseudo_truth import (
    Match,
    PseudoTruthRecipe,
    build_rbpn,
    denoise_clip,
    draw_batch,
    network_arguments,
    train_on_pseudo_truth,
)
from upreel.training.scan_recipes import read_scan_recipe, scan_recipes, train_scans

SMALL = ["movies=1", "size=32", "steps=2", "batch=1", "validate_every=2", "scored=1"]
RBPN = [*SMALL, "patch=24", "frames=3", 'flow="zeros"', "judge=4"]


def small_rbpn(*changes: str) -> PseudoTruthRecipe:
    latest = {change.split("=")[0]: change for change in (*RBPN, *changes)}
    recipe = read_scan_recipe("rbpn-afm-tiny", [*latest.values()])
    assert isinstance(recipe, PseudoTruthRecipe)
    return recipe


def read_metrics(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("name", scan_recipes())
def test_recipes_that_ship_are_valid(name: str) -> None:
    assert read_scan_recipe(name).steps > 100


def test_what_was_published() -> None:
    recipe = read_scan_recipe("rbpn-afm")
    assert recipe == PseudoTruthRecipe()
    assert isinstance(recipe, PseudoTruthRecipe)
    assert network_arguments(recipe) == {  # 10,165,223 weights: tests/models/test_rbpn.py
        "scale": 1, "trunk": 2, "variant": "paper", "frames": 7, "color": "rgb",
        "flow": "variational",
    }  # fmt: skip


@pytest.mark.parametrize(("trunk", "kernels"), [(1, {1, 3}), (2, {1, 3, 6})])
def test_trunks_of_one_and_two(trunk: int, kernels: set[int]) -> None:
    recipe = read_scan_recipe("rbpn-afm-tiny", [f"trunk={trunk}"])
    assert isinstance(recipe, PseudoTruthRecipe)
    layers = [m for m in build_rbpn(recipe).modules() if isinstance(m, torch.nn.Conv2d)]
    assert {layer.kernel_size[0] for layer in layers} == kernels
    assert layers[-1].kernel_size[0] == max(kernels)


def test_a_batch_has_the_base_in_the_middle_and_is_always_the_same() -> None:
    recipe = read_scan_recipe("rbpn-afm-tiny", ["size=48", "patch=24", "movies=1", "batch=2"])
    assert isinstance(recipe, PseudoTruthRecipe)
    batch = draw_batch(recipe, 0)
    assert batch.clip.shape == (2, 7, 1, 24, 24)
    assert batch.target.shape == batch.good.shape == (2, 1, 24, 24)
    assert all(not torch.equal(scan, batch.target[0]) for scan in batch.clip[0])
    assert torch.equal(draw_batch(recipe, 0).clip, batch.clip)


def test_any_good_scan_is_shown_to_the_discriminator(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    clean = (0.5 + 0.02 * random.standard_normal((10, 24, 24))).astype(np.float32)
    monkeypatch.setattr(pseudo_truth, "_images", lambda *_: clean)
    batch = draw_batch(small_rbpn("batch=12"), 0)
    same = [torch.equal(*pair) for pair in zip(batch.good, batch.target, strict=True)]
    assert 0 < sum(same) < 12
    monkeypatch.setattr(pseudo_truth, "_images", lambda *_: np.full_like(clean, 0.5))
    batch = draw_batch(small_rbpn("batch=2"), 0)  # none is good
    assert torch.equal(batch.good, batch.target)


def test_noise2noise_makes_weights_that_denoise(tmp_path: Path) -> None:
    recipe = read_scan_recipe("denoise-afm", [*SMALL, "channels=4", "bases=1"])
    assert isinstance(recipe, DenoiserRecipe)
    path = train_scans(recipe, tmp_path)
    assert path.name == "denoise-afm.safetensors"
    provenance = read(path)[0]
    assert provenance.name == "denoise:afm"
    assert provenance.scores["simulated-afm"]["psnr"] > 20
    assert load_denoiser(path).first.weight.shape[0] == 4


@pytest.mark.parametrize("adversarial", [0.0, 0.005])
def test_the_pseudo_truth_makes_weights_of_rbpn(tmp_path: Path, adversarial: float) -> None:
    lines: list[str] = []
    recipe = small_rbpn(f"adversarial={adversarial}")
    network = build(train_scans(recipe, tmp_path, progress=lines.append))
    assert network.spec.scale == 1
    assert lines[-1].startswith("step 2/2")
    assert all(("discriminator" in line) == bool(adversarial) for line in read_metrics(tmp_path))


def test_the_adversarial_part_is_the_mean_probability_of_a_discriminator() -> None:
    """As published: 0.005, no logarithm on either side; both learn from one forward pass."""
    recipe = small_rbpn("adversarial=0.005", 'color="rgb"', "rate=0.01")
    match, judge = Match(recipe), SrganDiscriminator(3, channels=4)
    weights = match.state()["network"]
    assert isinstance(weights, dict)
    judge.load_state_dict(weights)
    output, good = torch.rand(2, 2, 3, 24, 24, generator=torch.Generator().manual_seed(1))
    output.requires_grad_()
    fake, real = (judge(Shown(image[:, None]))[0].sigmoid().mean() for image in (output, good))
    loss = match.loss_of(output, good)
    assert loss.item() == pytest.approx(-0.005 * fake.item(), rel=1e-5)
    loss.backward()  # type: ignore[no-untyped-call]
    assert output.grad is not None
    assert output.grad.abs().sum() > 0
    before = match.follow()["discriminator"]
    assert before == pytest.approx(1 - real.item() + fake.item(), rel=1e-4)
    for _ in range(5):
        match.loss_of(output, good)
        after = match.follow()["discriminator"]
    assert after < before


def test_a_resumed_match_gives_the_same_bits(tmp_path: Path) -> None:
    recipe = small_rbpn("steps=3", "save_every=1", "adversarial=0.1")
    whole = train_on_pseudo_truth(recipe, tmp_path / "whole")

    def stop(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_on_pseudo_truth(recipe, tmp_path / "parts", progress=stop)
    lines: list[str] = []
    parts = train_on_pseudo_truth(recipe, tmp_path / "parts", progress=lines.append)
    assert lines[0] == "goes on from step 2"
    for key, value in whole.state_dict().items():
        assert torch.equal(parts.state_dict()[key], value), key
    assert read_metrics(tmp_path / "parts")[-1] == read_metrics(tmp_path / "whole")[-1]


@pytest.mark.slow
@pytest.mark.parametrize("adversarial", [0.0, 0.005])
def test_rbpn_learns_from_the_best_scan(tmp_path: Path, adversarial: float) -> None:
    """A smoke run of the fork's method: from first weights to more than the scan itself."""
    changes = ("steps=160", "movies=8", "size=48", "batch=2", "rate=2e-3", "validate_every=160")
    recipe = small_rbpn(*changes, f"adversarial={adversarial}", "judge=8", 'flow="dis"')
    train_on_pseudo_truth(recipe, tmp_path)
    lines = read_metrics(tmp_path)
    assert lines[-1]["psnr"] > 23  # the noisy scans of these movies have 21.8
    if adversarial:
        assert all(0 < line["discriminator"] < 2 for line in lines)


@pytest.mark.slow
def test_a_step_of_the_published_size() -> None:
    recipe = read_scan_recipe("rbpn-afm", ["movies=1", "size=48", "patch=16", "batch=1"])
    assert isinstance(recipe, PseudoTruthRecipe)
    network, batch = build_rbpn(recipe), draw_batch(recipe, 0)
    output = denoise_clip(network, batch.clip)
    assert output.shape == (1, 3, 16, 16)
    (output - batch.target).abs().mean().backward()  # type: ignore[no-untyped-call]
    assert sum(p.numel() for p in network.parameters()) == 10_165_223
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["step=3"], "Extra inputs are not permitted at 'step'"),
        (["steps=0"], "greater than or equal to 1 at 'steps'"),
        (['method="magic"'], "expected a method out of noise2noise, pseudo-truth"),
        (["steps"], "expected TOML"),
    ],
)
def test_mistakes_get_a_sentence(changes: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_scan_recipe("denoise-afm", changes)


def test_unknown_names_and_the_ones_there_are() -> None:
    with pytest.raises(ConfigError, match=r"a recipe out of denoise-afm, rbpn-afm.* found"):
        read_scan_recipe("denoise-sem")
