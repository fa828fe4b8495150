"""REPRODUCE.md tells to run what exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from upreel.cli import app
from upreel.evaluation.protocols import PROTOCOLS, find_protocol
from upreel.evaluation.published import read_published
from upreel.models.weights import scales_of
from upreel.training.recipe import read_recipe

TEXT = (Path(__file__).parent.parent / "REPRODUCE.md").read_text(encoding="utf-8")
LINES = [
    line
    for box in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    for line in box.splitlines()
    if line.strip()
]


@pytest.mark.parametrize("line", LINES)
def test_every_command_can_be_run(line: str) -> None:
    program, name, *arguments = shlex.split(line, comments=True)
    assert program == "upreel"
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    given = command.make_context(name, arguments).params  # an unknown option is an error
    if name == "train":
        assert read_recipe(given["recipe"], ()).name
        return
    assert name == "eval"
    protocol = find_protocol(given["protocol"], given["scale"])
    for model in given["models"]:
        assert protocol.scale in scales_of(model)


def test_every_protocol_that_is_named_exists() -> None:
    named = set(re.findall(r"`((?:[a-z0-9]+-)+(?:y8|y|rgb|t|script|vid4|vimeo))`", TEXT))
    assert named
    assert named <= set(PROTOCOLS)


def test_every_published_network_is_listed_with_its_figures() -> None:
    rows = TEXT.split("## 4.")[1]
    for entry in read_published():
        method = entry.method.split(",")[0]
        if method != "Bicubic":
            assert method in rows, f"{method} is missing"
        figure = f"{entry.scores['psnr']:.2f}"
        assert figure in TEXT, f"{figure} of {entry.method} under {entry.protocol} is missing"
