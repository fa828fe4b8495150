"""Every kind of network is trained by the one loop, scored, and found again in what it writes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.training.clips import draw_clip, write_clips
from upreel.models import upscaler_class
from upreel.models.msitf import MSITF
from upreel.models.weights import build, read
from upreel.training.recipe import read_recipe
from upreel.training.trainer import train

SMALL = "features=6, channels=4"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    write_clips(folder / "train", {"a": draw_clip(1, 6)})
    write_clips(folder / "val", {"v": draw_clip(9, 3)})
    return folder


@pytest.mark.parametrize(
    ("network", "arguments", "scale", "packed"),
    [
        ("rbpn", f"blocks=1, frames=3, color='luma', flow='dis', residual=true, {SMALL}", 4, True),
        ("rbpn", f"blocks=1, frames=5, color='rgb', {SMALL}", 2, False),
        ("rbpn", f"blocks=1, frames=4, future=false, flow='zeros', {SMALL}", 8, False),
        ("dbpn", f"stages=3, color='luma', {SMALL}", 3, True),
        ("srresnet", "blocks=1, channels=4", 4, False),
    ],
)
def test_networks_are_trained(
    network: str, arguments: str, scale: int, packed: bool, clips: Path, tmp_path: Path
) -> None:
    recipe = read_recipe(
        "rbpn-x4-tiny",
        [
            f"name={network}:test",
            f"scale={scale}",
            f"network={{name='{network}', arguments={{{arguments}}}}}",
            f"data.packed={str(packed).lower()}",
            "stages=[{steps=2, batch=2, crop=8, frames=5}]",
            "optimizer.warm_up=0",
        ],
    )
    path = train(recipe, data=clips, out=tmp_path)
    assert path.name == f"{network}-x{scale}-test.safetensors"
    assert read(path)[0].scores[recipe.protocol]["psnr"] > 0
    assert isinstance(build(path), upscaler_class(network))


def test_a_network_that_makes_more_frames_than_it_sees(clips: Path, tmp_path: Path) -> None:
    """Which parts of it are left out at random depends on the recipe alone."""
    stage = "stages=[{steps=2, batch=2, crop=8, frames=2}]"
    recipe = read_recipe("msitf-x4-smoke", [stage, "optimizer.warm_up=0"])
    one = train(recipe, data=clips, out=tmp_path / "one")
    torch.rand(3)
    other = train(recipe, data=clips, out=tmp_path / "other")
    assert one.name == "msitf-x4.safetensors"
    assert one.read_bytes() == other.read_bytes()
    assert read(one)[0].scores["stvsr-vid4-bd"]["psnr"] > 0
    assert isinstance(build(one), MSITF)
