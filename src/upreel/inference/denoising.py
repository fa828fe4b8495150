"""A movie of scans without its noise: each scan with the help of those around it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from upreel.errors import MediaError, WeightsError
from upreel.models.denoiser import Evidence, ScanDenoiser
from upreel.models.weights import read, shipped
from upreel.scans.bursts import Burst, join
from upreel.scans.registration import burst_around
from upreel.scans.scan import Heights
from upreel.scans.scars import mark_scars

BURST = 10
"""Scans that are looked at together."""
_FEWEST = 3
_DISAGREE = 2.0  # standard deviations of the noise
_NOISIEST = 0.3
"""The most noise of a pixel that training draws, in parts of the roughness."""
NETWORK = "scan-denoiser"
"""Its name in files of weights."""


def load_denoiser(path: Path | None = None) -> ScanDenoiser:
    """The network with weights from a file; with those that ship if there is none.

    Raises:
        WeightsError: the file is damaged, or made for another network.
    """
    path = path or shipped("denoise:afm", 1)
    provenance, tensors = read(path)
    if provenance.network != NETWORK:
        raise WeightsError(
            f"expected weights of a {NETWORK} in {path}, found those of a {provenance.network}, "
            "which does not denoise scans"
        )
    try:
        network = ScanDenoiser(channels=int(provenance.arguments["channels"]))
        network.load_state_dict(tensors)
    except (KeyError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path} does not fit the network {NETWORK}: {error}") from error
    return network.eval().requires_grad_(False)


def denoise_movie(
    heights: Heights, network: ScanDenoiser, *, burst: int = BURST
) -> Iterator[Heights]:
    """Take the noise off each scan of a movie or a burst.

    Args:
        heights: `(T, H, W)`, any unit, at least three scans.
        network: with its weights.
        burst: how many scans are looked at for each, itself among them; fewer (3 at
            least) where the sample changes so much that those far away say nothing.

    Yields:
        `(H, W)`, one for each scan, in the heights' unit, where the scan lay: as tilted and drifted
        as before.

    Raises:
        MediaError: there are fewer than three scans.
    """
    if len(heights) < _FEWEST:
        raise MediaError(
            f"expected at least {_FEWEST} scans of a place, found {len(heights)}: a single scan "
            "has nothing to be compared with; use the classical corrections"
        )
    burst = max(_FEWEST, burst)
    for number in range(len(heights)):
        around = burst_around(number, len(heights), burst)
        yield denoise(join(heights[around], number - around.start), network)


def denoise(burst: Burst, network: ScanDenoiser) -> Heights:
    """Take the noise off the base of a burst: `(H, W)`, in its unit."""
    # Where noise buries the surface, a network that is told of more noise than it has seen trusts
    # single scans too much: the real movie that showed this has as much noise as roughness.
    evidence, scale = weigh(burst, burst.noise / _NOISIEST)
    asked = torch.from_numpy(find_changes(burst))[None, None].float()
    even = (torch.arange(len(burst.base)) % 2).float().view(1, 1, -1, 1)
    with torch.inference_mode():
        # Each row is asked for while it is hidden, as in training.
        odd_rows, even_rows = network(evidence, asked * (1 - even)), network(evidence, asked * even)
    clean = torch.where(even.bool(), odd_rows, even_rows)[0, 0].numpy() * scale
    return (clean + burst.plane).astype(np.float32)


def find_changes(burst: Burst) -> NDArray[np.bool_]:
    """Where the sample changes from scan to scan, so that the base has to be asked: `(H, W)`.

    That is where the others disagree by more than noise, over more rows than a scar has. Everywhere
    else the base has nothing to add but its own errors; nor has it where it has a scar.
    """
    moved = (burst.spread > _DISAGREE * burst.noise).astype(np.uint8)
    tall = cv2.dilate(cv2.erode(moved, np.ones((4, 1), np.uint8)), np.ones((7, 5), np.uint8))
    changes: NDArray[np.bool_] = (tall > 0) & ~mark_scars(burst.shown[None])[0]
    return changes


def weigh(burst: Burst, least: float = 0.0) -> tuple[Evidence, float]:
    """What the network is told of a burst, and by what heights were divided: the roughness.

    Args:
        burst: of which.
        least: to divide by at least.
    """
    scale = max(float(burst.mean.std()), least, 1e-12)
    noise = burst.noise / np.sqrt(np.maximum(burst.count, 0.5))
    maps = (burst.mean, noise, burst.spread, burst.shown, burst.before, burst.after)
    tensors = [torch.from_numpy((one / scale).astype(np.float32))[None, None] for one in maps]
    return Evidence(*tensors), scale
