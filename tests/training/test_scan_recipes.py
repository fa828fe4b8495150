"""The recipes for scans: those that ship, what is refused, and a short run of each."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from upreel.errors import ConfigError
from upreel.inference.denoising import load_denoiser
from upreel.models.weights import build, read
from upreel.training.denoising import DenoiserRecipe
from upreel.training.pseudo_truth import (
    PseudoTruthRecipe,
    build_rbpn,
    draw_batch,
    network_arguments,
)
from upreel.training.scan_recipes import read_scan_recipe, scan_recipes, train_scans

SMALL = ["movies=1", "size=32", "steps=2", "batch=1", "validate_every=2", "scored=1"]


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
    clip, target = draw_batch(recipe, 0)
    assert clip.shape == (2, 7, 1, 24, 24)
    assert target.shape == (2, 1, 24, 24)
    assert all(not torch.equal(scan, target[0]) for scan in clip[0])
    assert torch.equal(draw_batch(recipe, 0)[0], clip)


def test_noise2noise_makes_weights_that_denoise(tmp_path: Path) -> None:
    recipe = read_scan_recipe("denoise-afm", [*SMALL, "channels=4", "bases=1"])
    assert isinstance(recipe, DenoiserRecipe)
    path = train_scans(recipe, tmp_path)
    assert path.name == "denoise-afm.safetensors"
    provenance = read(path)[0]
    assert provenance.name == "denoise:afm"
    assert provenance.scores["simulated-afm"]["psnr"] > 20
    assert load_denoiser(path).first.weight.shape[0] == 4


def test_the_pseudo_truth_makes_weights_of_rbpn(tmp_path: Path) -> None:
    lines: list[str] = []
    recipe = read_scan_recipe("rbpn-afm-tiny", [*SMALL, "patch=24", "frames=3", 'flow="zeros"'])
    path = train_scans(recipe, tmp_path, progress=lines.append)
    network = build(path)
    assert network.spec.scale == 1
    assert lines[-1].startswith("step 2/2")


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
