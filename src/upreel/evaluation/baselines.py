"""What every table compares with, and how the linear filters in it were made.

`python -m upreel.evaluation.baselines DATA` fits the filters anew on the training clips of a folder
and writes them into the package.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from upreel.evaluation.pairs import find_clips, read_pair
from upreel.evaluation.protocols import Protocol, find_protocol
from upreel.models.bicubic import Bicubic
from upreel.models.linear import fit
from upreel.models.upscaler import Upscaler
from upreel.models.weights import Provenance, folder, load, names, save, write_manifest

FITTED = (
    ("val-bi-y8", 2),
    ("val-bi-y8", 4),
    ("val-bd-duf-y8", 4),
    ("val-codec24-y8", 2),
    ("val-codec24-y8", 4),
)


def find_baselines(protocol: Protocol) -> dict[str, Upscaler]:
    """Bicubic, the same moved to where the samples lie, and the best linear filter if one ships."""
    bicubic = Bicubic(protocol.scale)
    found: dict[str, Upscaler] = {"bicubic": bicubic, "bicubic aligned": bicubic}
    if protocol.phase:
        found["bicubic aligned"] = Bicubic(protocol.scale, phase=protocol.phase)
    if protocol.scale in names().get(linear_name(protocol), ()):
        found["linear"] = load(linear_name(protocol), protocol.scale)
    return found


def linear_name(protocol: Protocol) -> str:
    """The name under which the linear filter for a protocol ships."""
    return f"linear:{protocol.degradation.split('-')[0]}"


def fit_linear(protocol: Protocol, data: Path) -> Path:
    """Fit the linear filters for one protocol and write them where shipped weights lie.

    Args:
        protocol: whose low frames the filters are for.
        data: a folder with training clips; every seventh of the frames that a protocol reads of
            each is used.

    Raises:
        MediaError: there are no clips.
    """
    clips = find_clips(data, "train")

    def pairs() -> Iterator[tuple[Tensor, Tensor]]:
        for clip in clips:
            pair = read_pair(clip, protocol)
            for low, high in zip(pair.low[::7], pair.high[::7], strict=True):
                yield low[0], high[0]

    linear = fit(pairs(), protocol.scale)
    name = linear_name(protocol)
    path = folder() / f"{name.replace(':', '-')}-x{protocol.scale}.safetensors"
    provenance = Provenance(
        network="linear",
        arguments={"scale": protocol.scale},
        name=name,
        scale=protocol.scale,
        trained_on=", ".join(f"{clip.name} ({clip.credit})" for clip in clips),
        recipe="python -m upreel.evaluation.baselines",
    )
    save(path, linear, provenance)
    return path


def main() -> None:
    """Fit all filters that ship."""
    parser = argparse.ArgumentParser(description="Fit the linear filters of the tables anew.")
    parser.add_argument("data", type=Path, help="folder with index.tsv and train/")
    data = parser.parse_args().data
    for name, scale in FITTED:
        fit_linear(find_protocol(name, scale), data)
    write_manifest()


if __name__ == "__main__":
    main()
