"""What is installed brings its weights, and they work where nothing else is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BUILD = "from setuptools.build_meta import build_wheel; build_wheel('out')"
LOAD = """
import json, torch, upreel
from upreel.inference.denoising import load_denoiser
from upreel.inference.loop import enlarge
from upreel.models import ZOO
from upreel.models.weights import load, manifest, shipped
sizes = {}
for weights in manifest():
    header = weights.provenance
    path = shipped(header.name, header.scale)
    if header.network not in ZOO:
        load_denoiser(path)
        sizes[path.name] = []
        continue
    network = load(header.name, header.scale)
    frames = ((number, torch.full((1, 24, 20), 0.5)) for number in range(4))
    sizes[path.name] = [[number, *high.shape] for number, high in enlarge(network, frames)]
print(json.dumps([upreel.__file__, sizes]))
"""


@pytest.mark.slow
def test_the_weights_of_a_wheel_work_in_an_empty_home(tmp_path: Path) -> None:
    source, site = tmp_path / "source", tmp_path / "site"
    unwanted = shutil.ignore_patterns("*.egg-info", "__pycache__")
    shutil.copytree(ROOT / "src", source / "src", ignore=unwanted)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    run([sys.executable, "-c", BUILD], source, dict(os.environ))
    (wheel,) = (source / "out").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(site), "HOME": str(tmp_path / "home")}
    place, sizes = json.loads(run([sys.executable, "-c", LOAD], tmp_path, clean))
    assert Path(place).is_relative_to(site)
    shipped = (ROOT / "src" / "upreel" / "weights").glob("*.safetensors")
    assert sizes.keys() == {path.name for path in shipped}
    for name, found in sizes.items():
        scale = next((scale for scale in (2, 3, 4) if f"-x{scale}" in name), None)
        if scale is not None:
            assert found == [[number, 1, 24 * scale, 20 * scale] for number in range(4)], name


def run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """What a process prints."""
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
