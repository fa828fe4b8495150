"""The work that somebody has left of an output: its ledger and its files of packets."""

from __future__ import annotations

import contextlib
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from upreel.inference.ledger import NAME
from upreel.inference.pipeline import Options, Progress, upscale
from upreel.inference.work import folder_of
from upreel.video.encoding import Encoding
from upreel.video.packets import read_packets

_SOURCE = Path(__file__).parent / "corpus" / "media" / "ffv1.mkv"
_TARGET = "out.mkv"
_OPTIONS = Options(
    model="bicubic", scale=2, device="cpu", precision="fp32", segment=1,
    encoding=Encoding("ffv1", threads=1),
)  # fmt: skip
_CHECKSUM = 4
"""Bytes at the end of a file of packets."""


class _StoppedError(BaseException):
    """What a run is stopped with."""


def seeds() -> Iterator[tuple[str, bytes]]:
    """The files of a run that was stopped, as the code of today writes them: suffix, content."""
    for name, content in _stopped().items():
        yield (".json", content) if name == NAME else (".packets", content[:-_CHECKSUM])


def check(path: Path) -> None:
    """Read packets, without their checksum; or go on with a ledger to the finished video."""
    if path.suffix == ".packets":
        content = path.read_bytes()
        path.write_bytes(content + zlib.crc32(content).to_bytes(_CHECKSUM, "little"))
        for _ in read_packets(path):
            pass
        return
    target = path.with_name(_TARGET)
    folder = folder_of(target)
    folder.mkdir()
    for name, content in _stopped().items():
        (folder / name).write_bytes(path.read_bytes() if name == NAME else content)
    upscale(_SOURCE, target, _OPTIONS)


@cache
def _stopped() -> Mapping[str, bytes]:
    """The files of a run that was stopped with two segments finished."""

    def stop(progress: Progress) -> None:
        if progress.frames == 3:
            raise _StoppedError

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / _TARGET
        with contextlib.suppress(_StoppedError):
            upscale(_SOURCE, target, _OPTIONS, progress=stop)
        files = sorted(folder_of(target).glob("[!.]*.*"))
        return {file.name: file.read_bytes() for file in files}
