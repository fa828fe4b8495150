"""How the linear filters were made that ship with the package as the baseline of every table.

`python -m upreel.evaluation.linear_fit DATA` makes them anew. DATA has an `index.tsv` that tells
training clips from validation clips (see `data.clips.find_clips`).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from upreel.data.clips import find_clips
from upreel.evaluation.baselines import linear_name
from upreel.evaluation.evaluate import score
from upreel.evaluation.pairs import read_pair
from upreel.evaluation.protocols import Protocol, find_protocol
from upreel.models.linear import fit
from upreel.models.weights import Provenance, folder, save, write_manifest

FITTED = (
    ("val-bi-y8", 2),
    ("val-bi-y8", 3),
    ("val-bi-y8", 4),
    ("val-bd-duf-y8", 4),
    ("val-codec24-y8", 2),
    ("val-codec24-y8", 3),
    ("val-codec24-y8", 4),
)
EVERY = 7
"""Of the frames that a protocol reads of a clip, each so manieth is used for the fit."""


def fit_linear(protocol: Protocol, data: Path, target: Path) -> Path:
    """Fit the filters for one protocol on training clips, score them, and write them.

    Args:
        protocol: whose low frames the filters are for.
        data: the folder of clips.
        target: the folder of weights.

    Raises:
        MediaError: there are no clips for training, or none for validation.
    """
    clips = find_clips(data, "train")

    def pairs() -> Iterator[tuple[Tensor, Tensor]]:
        for clip in clips:
            pair = read_pair(clip, protocol)
            for low, high in zip(pair.low[::EVERY], pair.high[::EVERY], strict=True):
                yield low[0], high[0]

    linear = fit(pairs(), protocol.scale)
    name = linear_name(protocol)
    (row,) = score({name: linear}, protocol, data).rows
    path = target / f"{name.replace(':', '-')}-x{protocol.scale}.safetensors"
    provenance = Provenance(
        network="linear",
        arguments={"scale": protocol.scale},
        name=name,
        scale=protocol.scale,
        trained_on=", ".join(f"{clip.name} ({clip.credit})" for clip in clips),
        recipe="python -m upreel.evaluation.linear_fit",
        scores={protocol.name: row.means},
    )
    save(path, linear, provenance)
    return path


def main() -> None:
    """Fit all filters that ship."""
    parser = argparse.ArgumentParser(description="Fit the linear filters of the tables anew.")
    parser.add_argument("data", type=Path, help="folder with index.tsv, train/ and val/")
    data = parser.parse_args().data
    for name, scale in FITTED:
        fit_linear(find_protocol(name, scale), data, folder())
    write_manifest()


if __name__ == "__main__":
    main()
