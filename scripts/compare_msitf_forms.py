"""MSITF as published and repaired: `python scripts/compare_msitf_forms.py OUT`.

Small networks see the same procedural clips in the same order: with the features of the first
frame alone or of both, and with the base as published or aligned in time. Then they make every
other frame of other procedural clips, and what they score is printed. Runs that are in OUT already
are not made again. Two to three minutes of a core for each.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path
from typing import get_args

import torch

from upreel.evaluation.report import Report
from upreel.models.msitf import Base
from upreel.models.pyramid import AlignSource
from upreel.training.recipe import read_recipe
from upreel.training.trainer import train


def main(out: Path) -> None:
    """Train what is missing, print all scores."""
    torch.set_num_threads(1)
    forms = list(product(get_args(AlignSource), get_args(Base)))
    for source, base in forms:
        report = learn(source, base, out / f"{source}-{base}")
        if (source, base) == forms[0]:
            print(f"{report.baselines[-1]}: {describe(report, report.baselines[-1])}")
        print(f"{source}, {base}: {describe(report, 'msitf')}", flush=True)


def learn(source: str, base: str, out: Path) -> Report:
    """The scores of a run, which is made if it is not there."""
    arguments = [f"network.arguments.align_source={source}", f"network.arguments.base={base}"]
    recipe = read_recipe("msitf-x4-smoke", [*arguments, "seed=1"])
    if not (out / "report.json").exists():
        train(recipe, data=Path("procedural"), out=out, resume=True)
    return Report.from_json((out / "report.json").read_text())


def describe(report: Report, name: str) -> str:
    """The scores of a row."""
    row = report[name]
    given, new = (row.mean("psnr", frames=kind) for kind in report.kinds)
    return f"{row.psnr:.2f} dB; {given:.2f} of given frames, {new:.2f} of new ones"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
