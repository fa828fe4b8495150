"""Training clips packed as arrays that are mapped into memory: luma, low versions of it, flow.

A pack is a folder. For each clip there is `NAME.high.npy`, `(T, H, W)`, and for each version made
by a degradation `NAME.VERSION.npy`, `(T', h, w)`, both 8-bit luma in studio range, and
`NAME.VERSION.flow.npy`, `(T', S, 2, h, w, 2)` in half precision: for temporal strides 1 to S the
flow to the frame before and to the frame after, x then y, in pixels of the low frame. A version may
hold fewer frames than its clip; `NAME.VERSION.json` says where it begins.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from upreel.data.degradations import Degradation, degrade
from upreel.ops.flow import dis_flow

log = logging.getLogger(__name__)

Luma = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Version:
    """A clip as a network sees it in training.

    Attributes:
        name: of the clip and the degradation.
        high: the truth, `(T, H, W)`, 8 bits.
        low: `(T, h, w)`, 8 bits, of the same frames.
        flow: `(T, S, 2, h, w, 2)`, see the head of this file.
    """

    name: str
    high: Luma
    low: Luma
    flow: NDArray[np.float16]


def pack(
    clips: Iterable[tuple[str, Iterator[Luma]]],
    cache: Path,
    degradations: dict[str, Degradation],
    *,
    scale: int,
    strides: int = 2,
    frames: int = 120,
) -> None:
    """Write what is missing of a pack.

    Args:
        clips: names and the luma of their frames, which is read only where it is needed.
        cache: the folder; made if it does not exist.
        degradations: by the name of the version that each makes.
        scale: how many times smaller low frames are.
        strides: temporal strides with flow.
        frames: of a version at most.
    """
    cache.mkdir(parents=True, exist_ok=True)
    for name, source in clips:
        path = cache / f"{name}.high.npy"
        if not path.exists():
            _write(path, _aligned(np.stack(list(source))))
        high: Luma = np.load(path, mmap_mode="r")
        for version, degradation in degradations.items():
            stem = f"{name}.{version}-x{scale}"
            if not (cache / f"{stem}.flow.npy").exists():
                log.info("making %s", stem)
                _write_version(cache / stem, high, degradation, scale, strides, frames)


def _aligned(high: Luma) -> Luma:
    """Cut to a multiple of 8, so that every scale fits."""
    _, height, width = high.shape
    return high[:, : height // 8 * 8, : width // 8 * 8]


def _write_version(
    stem: Path, high: Luma, degradation: Degradation, scale: int, strides: int, frames: int
) -> None:
    low = degrade(np.asarray(high[:frames]), degradation, scale=scale, key=stem.name)
    flow = np.zeros((len(low), strides, 2, *low.shape[1:], 2), np.float16)
    for index, frame in enumerate(low):
        for stride in range(1, strides + 1):
            for slot, other in enumerate((index - stride, index + stride)):
                if 0 <= other < len(low):
                    flow[index, stride - 1, slot] = dis_flow(frame, low[other])
    stem.with_name(f"{stem.name}.json").write_text(json.dumps({"frames": len(low)}))
    _write(stem.with_name(f"{stem.name}.npy"), low)
    _write(stem.with_name(f"{stem.name}.flow.npy"), flow)


def _write(path: Path, array: NDArray[np.generic]) -> None:
    """Write under another name first: a pack that was interrupted goes on where it stopped."""
    partial = path.with_name(f"{path.stem}.partial.npy")
    np.save(partial, array)
    partial.rename(path)


def open_pack(cache: Path, versions: Iterable[str], *, scale: int) -> list[Version]:
    """Map all clips of a pack that have one of the versions.

    Raises:
        FileNotFoundError: there is none.
    """
    found = []
    for version in versions:
        suffix = f".{version}-x{scale}.flow.npy"
        for path in sorted(cache.glob(f"*{suffix}")):
            name = path.name.removesuffix(suffix)
            flow: NDArray[np.float16] = np.load(path, mmap_mode="r")
            low: Luma = np.load(cache / f"{name}.{version}-x{scale}.npy", mmap_mode="r")
            high: Luma = np.load(cache / f"{name}.high.npy", mmap_mode="r")
            found.append(Version(f"{name}.{version}", high[: len(low)], low, flow))
    if not found:
        raise FileNotFoundError(f"expected packed clips in {cache}, found none at x{scale}")
    return found
