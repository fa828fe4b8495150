"""Weights of other people's networks: where they are published, and where they lie once fetched."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from upreel.core.download import Progress, download
from upreel.errors import UsageError, WeightsError


@dataclass(frozen=True, slots=True)
class Backbone:
    """One published file.

    Attributes:
        address: where it is.
        sha256: its SHA-256; the first digits of it are part of its published name.
        licence: under which it may be used, in words.
    """

    address: str
    sha256: str
    licence: str

    @property
    def file(self) -> str:
        """The name of the file."""
        return self.address.rpartition("/")[2]


_PUBLISHED = "https://download.pytorch.org/models"
_LICENCE = "published by torchvision (BSD-3-Clause), trained on ImageNet (research terms)"

BACKBONES = {
    "vgg16": Backbone(
        f"{_PUBLISHED}/vgg16-397923af.pth",
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        _LICENCE,
    ),
    "vgg19": Backbone(
        f"{_PUBLISHED}/vgg19-dcbb9e9d.pth",
        "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
        _LICENCE,
    ),
    "alexnet": Backbone(
        f"{_PUBLISHED}/alexnet-owt-7be5be79.pth",
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        _LICENCE,
    ),
}


def find_backbone(name: str) -> Backbone:
    """The entry of a name.

    Raises:
        UsageError: there is none.
    """
    if name not in BACKBONES:
        raise UsageError(f"expected weights out of {', '.join(BACKBONES)}, found {name!r}")
    return BACKBONES[name]


def cache_folder() -> Path:
    """Where fetched weights lie: `$UPREEL_CACHE`, else `upreel` in the user's cache folder."""
    if named := os.environ.get("UPREEL_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "upreel"


def weights_file(name: str) -> Path:
    """The fetched file of a backbone.

    Raises:
        UsageError: there is no backbone of this name.
        WeightsError: it has not been fetched.
    """
    path = cache_folder() / find_backbone(name).file
    if not path.is_file():
        raise WeightsError(
            f"expected the weights of {name} at {path}, found none: "
            f"run 'upreel models get {name}', or name a file of yours"
        )
    return path


def get(name: str, *, progress: Progress | None = None) -> Path:
    """Fetch the weights of a backbone, unless they are here.

    Args:
        name: in `BACKBONES`.
        progress: is told bytes done and bytes in all, first before anything is fetched.

    Raises:
        UsageError: there is no backbone of this name.
        DownloadError: they cannot be fetched, or are not what was published.
    """
    backbone = find_backbone(name)
    return download(
        backbone.address,
        cache_folder() / backbone.file,
        sha256=backbone.sha256,
        progress=progress,
    )
