"""REPRODUCE.md tells to run what exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from upreel.cli import app
from upreel.data.datasets.layouts import GROUPS_PAGE, REDS_FRAMES, SPMCS_FRAMES, UDM10_FRAMES, VID4
from upreel.data.datasets.prepare import ORIGINS, archive_of
from upreel.evaluation.protocols import PROTOCOLS, find_protocol
from upreel.evaluation.published import find_published, read_published
from upreel.models.weights import scales_of
from upreel.training.recipe import read_recipe

TEXT = (Path(__file__).parent.parent / "REPRODUCE.md").read_text(encoding="utf-8")
LINES = [
    line
    for box in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    for line in box.splitlines()
    if line.strip()
]


def parse(line: str) -> tuple[str, dict[str, Any]]:
    """The name of a command, and what is given to it; an unknown option is an error."""
    program, name, *arguments = shlex.split(line, comments=True)
    assert program == "upreel"
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    if name == "data":
        name, *arguments = arguments
        command = command.commands[name]
    return name, command.make_context(name, arguments).params


@pytest.mark.parametrize("line", LINES)
def test_every_command_can_be_run(line: str) -> None:
    name, given = parse(line)
    if name == "train":
        assert read_recipe(given["recipe"], ()).name
    elif name == "prepare":
        page = ORIGINS[given["dataset"]].page
        assert page in TEXT.split("## 2.")[0]
        if given["fetch"]:
            assert archive_of(given["dataset"], test_only=given["test_only"])
    else:
        assert name == "eval"
        protocol = find_protocol(given["protocol"], given["scale"])
        for model in given["models"]:
            assert protocol.scale in scales_of(model)


SETS = {"Vid4": "vid4", "REDS4": "reds", "UDM10": "udm10", "SPMCS": "spmcs",
        "Vimeo-90K-T": "vimeo90k"}  # fmt: skip


def test_what_is_scored_is_what_was_prepared() -> None:
    given = [parse(line) for line in LINES]
    roots = {each["dataset"]: each["root"] for name, each in given if name == "prepare"}
    assert sorted(roots) == sorted(SETS.values())
    for name, each in given:
        if name == "eval":
            data = PROTOCOLS[each["protocol"]].data
            assert each["data"] == (roots[SETS[data]] if data in SETS else Path("clips"))


def test_the_table_of_data_agrees_with_what_is_checked() -> None:
    rows = {line.split("|")[1].strip(): line for line in TEXT.split("## 2.")[0].splitlines()
            if line.startswith("|")}  # fmt: skip
    assert ", ".join(str(count) for count in VID4.values()) + " frames" in rows["Vid4"]
    assert f"{REDS_FRAMES} frames" in rows["REDS"]
    assert f"ten clips of {UDM10_FRAMES} frames" in rows["UDM10"]
    assert f"30 clips of {SPMCS_FRAMES} frames" in rows["SPMCS"]
    assert GROUPS_PAGE in TEXT


def test_every_bicubic_row_is_the_one_that_eval_shows() -> None:
    section = TEXT.split("## 2.")[1].split("## 3.")[0]
    rows = dict(re.findall(r"^\| `(\S+)` \| (.+) \|$", section, re.MULTILINE))
    run = [each["protocol"] for name, each in map(parse, section_lines(section)) if name == "eval"]
    assert set(rows) == set(run) - {"ristn-script", "rbpn-script"}
    for protocol, stated in rows.items():
        published = [each for each in find_published(protocol) if each.method == "Bicubic"]
        figures = [f"{each.scores['psnr']:.2f}/{each.scores['ssim']:.4f}" for each in published]
        assert figures == ([stated] if "/" in stated else [])


def section_lines(section: str) -> list[str]:
    return [line for line in LINES if line in section]


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
