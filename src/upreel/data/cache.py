"""Training clips packed as arrays that are mapped into memory: luma, low versions of it, flow.

A pack is a folder. For each clip there is `NAME.high.npy`, `(T, H, W)`, and for each version made
by a degradation `NAME.VERSION.npy`, `(T', h, w)`, both 8-bit luma in studio range, and
`NAME.VERSION.flow.npy`, `(T', S, 2, h, w, 2)` in half precision: for temporal strides 1 to S the
flow to the frame before and to the frame after, x then y, in pixels of the low frame. A version may
hold fewer frames than its clip. `NAME.VERSION.json`, written last, says which ones and how they
were made.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from upreel.core.files import PendingFile
from upreel.data.clips import Clip, read_luma
from upreel.data.degradations import Chain, Luma, degrade
from upreel.errors import MediaError
from upreel.ops.flow import Dis, dis_flow

log = logging.getLogger(__name__)

FORMAT = 5
"""Of the files; to be raised when flow or low frames are made in another way."""
LONGEST = 1000
"""Frames of a clip that are read; a version may choose among them."""


@dataclass(frozen=True, slots=True)
class Version:
    """A clip as a network sees it in training.

    Attributes:
        name: of the clip and the degradation.
        high: the truth, `(T, H, W)`, 8 bits; it may go on beyond the low frames to the right and
            below.
        low: `(T, h, w)`, 8 bits, of the same frames.
        flow: `(T, S, 2, h, w, 2)`, see the head of this file.
    """

    name: str
    high: Luma
    low: Luma
    flow: NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Packing:
    """How versions are made.

    Attributes:
        degradations: by the name of the version that each makes.
        scale: how many times smaller low frames are.
        strides: temporal strides with flow.
        frames: of a version at most; where a clip has more, the run of them is drawn.
        smallest: clips whose low frames have a shorter side are left out.
        flow: what finds it.
    """

    degradations: Mapping[str, Chain]
    scale: int
    strides: int = 2
    frames: int = LONGEST
    smallest: int = 32
    flow: Dis = "dis"

    def path(self, cache: Path, clip: str, version: str) -> Path:
        """Where a version lies, without the end of its name."""
        provider = "" if self.flow == "dis" else f"-{self.flow}"
        return cache / f"{clip}.{version}-x{self.scale}{provider}"


def pack(clips: Iterable[Clip], cache: Path, packing: Packing) -> Iterator[str]:
    """Write what is missing of a pack.

    Args:
        clips: which clips.
        cache: the folder; made if it does not exist. It is for one folder of clips.
        packing: how.

    Yields:
        The name of each file that has been made, for a progress line.

    Raises:
        MediaError: a clip cannot be read.
        OutputError: the disk is full.
    """
    cache.mkdir(parents=True, exist_ok=True)
    for clip in clips:
        path = cache / f"{clip.name}.high.npy"
        if not path.exists():
            _write(path, np.stack(list(islice(read_luma(clip), LONGEST))))
            yield path.relative_to(cache).as_posix()
        high: Luma = np.load(path, mmap_mode="r")
        if min(high.shape[1:]) // packing.scale < packing.smallest:
            continue
        for version, degradation in packing.degradations.items():
            stem = packing.path(cache, clip.name, version)
            key = stem.relative_to(cache).as_posix()
            if _write_version(stem, high, degradation, packing, key=key):
                yield key


def _write_version(
    stem: Path, high: Luma, degradation: Chain, packing: Packing, *, key: str
) -> bool:
    """Make a version, unless it is there and was made in the same way."""
    random = np.random.default_rng(zlib.crc32(key.encode()))
    begin = int(random.integers(max(0, len(high) - packing.frames) + 1))
    end = min(begin + packing.frames, len(high))
    made_by = {"format": FORMAT, "chain": repr(degradation), "begin": begin, "end": end}
    made_by["strides"] = packing.strides
    note, text = stem.with_name(f"{stem.name}.json"), json.dumps(made_by)
    if note.exists() and note.read_text() == text:
        return False
    note.unlink(missing_ok=True)
    height, width = (side // packing.scale * packing.scale for side in high.shape[1:])
    seen = np.asarray(high[begin:end, :height, :width])
    low = degrade(seen[:, None], degradation, scale=packing.scale, key=key)[:, 0]
    _write(stem.with_name(f"{stem.name}.npy"), low)
    _write(stem.with_name(f"{stem.name}.flow.npy"), find_flow(low, packing.strides, packing.flow))
    note.write_text(text)
    return True


def find_flow(low: Luma, strides: int, kind: Dis = "dis") -> NDArray[np.float16]:
    """Flow between the frames of a clip, `(T, S, 2, h, w, 2)`: see the head of this file."""
    flow = np.zeros((len(low), strides, 2, *low.shape[1:], 2), np.float16)
    for index, frame in enumerate(low):
        for stride in range(1, strides + 1):
            for slot, other in enumerate((index - stride, index + stride)):
                if 0 <= other < len(low):
                    flow[index, stride - 1, slot] = dis_flow(frame, low[other], kind=kind)
    return flow


def _write(path: Path, array: NDArray[np.generic]) -> None:
    """Write under another name first: a pack that was interrupted goes on where it stopped."""
    path.parent.mkdir(parents=True, exist_ok=True)  # an index names clips `00001/0001`
    with PendingFile(path, overwrite=True) as pending:
        with pending.path.open("wb") as file:
            np.save(file, array)
        pending.commit()


def open_pack(clips: Iterable[Clip], cache: Path, packing: Packing) -> list[Version]:
    """Map the versions of clips into memory.

    Raises:
        MediaError: there is none.
    """
    found = []
    for clip in clips:
        for version in packing.degradations:
            stem = packing.path(cache, clip.name, version)
            note = stem.with_name(f"{stem.name}.json")
            if not note.exists():
                continue
            begin = json.loads(note.read_text())["begin"]
            low: Luma = np.load(f"{stem}.npy", mmap_mode="r")
            flow: NDArray[np.float16] = np.load(f"{stem}.flow.npy", mmap_mode="r")
            high: Luma = np.load(cache / f"{clip.name}.high.npy", mmap_mode="r")
            key = stem.relative_to(cache).as_posix()
            found.append(Version(key, high[begin : begin + len(low)], low, flow))
    if not found:
        side = packing.smallest * packing.scale
        raise MediaError(f"expected clips of at least {side}x{side} pixels, found none")
    return found
