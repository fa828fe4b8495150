from __future__ import annotations

from pathlib import Path

import pytest

from upreel.data.degradations import Noise, Reduce
from upreel.errors import ConfigError, UsageError
from upreel.training.recipe import read_recipe, recipes
from upreel.training.tables import Stage

CLEAN = "swift-x4-clean"


@pytest.mark.parametrize(
    "name",
    [
        "clear-x4-clean",
        "clear-x4-bd",
        "clear-x4-real",
        "swift-x4-clean",
        "swift-x4-real",
        "swift-x4-bd",
        "swift-x3-clean",
        "swift-x3-real",
        "swift-x2-clean",
        "swift-x2-real",
    ],
)
def test_recipes_that_ship_are_those_of_the_weights_that_ship(name: str) -> None:
    recipe = read_recipe(name)
    network, _, flavour = recipe.name.partition(":")
    assert f"{network}-x{recipe.scale}-{flavour}" == name
    assert recipe.stages[-1].frames >= 12
    assert "Blender Foundation" in recipe.credits
    assert name in recipes()


def test_a_run_can_be_repeated_from_what_it_wrote(tmp_path: Path) -> None:
    recipe = read_recipe("swift-x4-real")
    path = tmp_path / "recipe.json"
    path.write_text(recipe.model_dump_json())
    assert read_recipe(path) == recipe


def test_values_can_be_changed() -> None:
    changes = ["optimizer.rate=1e-4", "stages.1.steps=7", "network.init=my.safetensors",
               "network.arguments.channels = 16", "data.versions.bi=BI+noise(sigma=2)"]  # fmt: skip
    recipe = read_recipe(CLEAN, changes)
    assert recipe.optimizer.rate == 1e-4
    assert recipe.stages[1].steps == 7
    assert recipe.network.init == "my.safetensors"
    assert recipe.network.arguments["channels"] == 16
    assert recipe.packing.degradations["bi"] == (Reduce("BI"), Noise((2.0,)))
    whole = read_recipe(CLEAN, ["stages=[{steps=5, batch=1, crop=16, frames=3}]"])
    assert whole.stages == (Stage(steps=5, batch=1, crop=16, frames=3),)
    assert whole.steps == 5


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("data.frame=3", "unknown key 'frame' in data: did you mean 'frames'"),
        ("optimiser.rate=3", "unknown key 'optimiser' in the recipe: did you mean 'optimizer'"),
        ("stages.1.size=3", "unknown key 'size' in stages.1: it has steps, batch, crop, frames"),
        ("data.versions.bi=blurr+BI", "data.versions: expected steps out of .* found 'blurr'"),
        ("network.names=swift", "did you mean 'name'"),
        ("seed=one", "valid integer at 'seed', found 'one'"),
        ("seed=1.0", "valid integer at 'seed', found 1.0"),
        ("optimizer.name=sgd", "'adam', 'adamw' or 'muon' at 'optimizer.name', found 'sgd'"),
        ("optimizer.average=1.0", "less than 1 at 'optimizer.average'"),
        ("losses=[{name='l7'}]", "expected a loss out of adversarial, .* found 'l7'"),
        ("network.name=swif", "network.name: expected one of swift, .* found 'swif'"),
        ("scale=5", "2, 3, 4 or 8 at 'scale', found 5"),
        ("stages=[]", "at least 1 item .* at 'stages'"),
        ("data={versions={a='BI',b='BD-DUF'}}", "all with or all without BD-DUF"),
        ("stages.9.steps=1", "entry of a list at '9' of 'stages.9.steps'"),
        ("scale.a=1", "expected a table to set 'scale.a' in"),
        ("seed", "expected KEY=VALUE"),
    ],
)
def test_what_makes_no_sense_gets_a_sentence(change: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        read_recipe(CLEAN, [change])


@pytest.mark.parametrize("name", recipes())
def test_smoke_is_a_short_run_of_the_same_recipe(name: str) -> None:
    recipe, smoke = read_recipe(name), read_recipe(f"{name}-smoke")
    assert smoke.steps <= 600 < recipe.steps
    assert smoke.network.init == ""
    assert (smoke.name, smoke.protocol) == (recipe.name, recipe.protocol)
    assert [loss.name for loss in smoke.losses] == [loss.name for loss in recipe.losses]
    assert read_recipe(f"{name}-smoke", ["stages.0.steps=7"]).steps == 7


def test_an_unknown_protocol_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="expected a protocol out of val-bi-y8"):
        read_recipe(CLEAN, ["protocol=vid4"])


def test_files_that_are_no_recipes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a recipe out of .*compact-x4.* found 'swift-x9'"):
        read_recipe("swift-x9")
    with pytest.raises(ConfigError, match=r"expected a recipe at .* found no such file"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "a.toml").write_text("name = [")
    with pytest.raises(ConfigError, match=r"expected TOML in .*a.toml"):
        read_recipe(tmp_path / "a.toml")
    (tmp_path / "b.toml").write_text('name = "a"')
    with pytest.raises(ConfigError, match="the key 'scale' is missing in the recipe"):
        read_recipe(tmp_path / "b.toml")


def test_a_folder_that_is_called_like_a_recipe_is_no_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "swift-x4-clean").mkdir()
    assert read_recipe("swift-x4-clean").scale == 4
