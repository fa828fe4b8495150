"""Fit the model of natural pictures that the metric `niqe` compares with.

    python scripts/fit_niqe.py PHOTOGRAPH... --licence TEXT

Photographs should be sharp, free of artefacts, and free to use for anything.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file

from upreel.metrics.niqe import fit
from upreel.ops.color import rgb_to_ycbcr
from upreel.video.coding import rgb_by_tags
from upreel.video.reader import Reader

TARGET = Path(__file__).parents[1] / "src/upreel/metrics/niqe.safetensors"


def read_luma(path: Path) -> torch.Tensor:
    """BT.601 luma in studio range, `(H, W)`, 0..1."""
    with Reader(path) as reader:
        frame = next(iter(reader))
        return rgb_to_ycbcr(rgb_by_tags(frame, reader.video), "smpte170m", "tv", 8)[0]


def main() -> None:
    """Fit, write, and say on how many pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", nargs="+", type=Path)
    parser.add_argument("--licence", required=True, help="of the photographs")
    arguments = parser.parse_args()
    paths = sorted(arguments.photographs)
    model = fit(read_luma(path) for path in paths)
    tensors = {"mean": model.mean, "covariance": model.covariance.contiguous()}
    names = " ".join(path.name for path in paths)
    save_file(tensors, TARGET, {"pictures": names, "licence": arguments.licence})
    print(f"{TARGET.name}: {len(paths)} photographs")


if __name__ == "__main__":
    main()
