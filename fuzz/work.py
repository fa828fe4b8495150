"""The work that somebody has left of an output: its ledger and its files of packets."""

from __future__ import annotations

import contextlib
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path

from upreel.inference.assembly import VideoAssembly
from upreel.inference.join import SegmentedWriter
from upreel.inference.ledger import NAME, read_ledger
from upreel.inference.pins import Pins
from upreel.inference.plan import Start
from upreel.inference.work import Work, folder_of, is_result
from upreel.video.encoding import Encoding
from upreel.video.packets import read_packets
from upreel.video.reader import Reader
from upreel.video.track import VideoTrack

_SOURCE = Path(__file__).parent / "corpus" / "media" / "ffv1.mkv"
_TARGET = "out.mkv"
_FRAMES = 3
_CHECKSUM = 4
"""Bytes at the end of a file of packets."""


def seeds() -> Iterator[tuple[str, bytes]]:
    """The files of finished work as the code of today writes them: suffix and content."""
    for name, content in _finished().items():
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
    for name, content in _finished().items():
        (folder / name).write_bytes(path.read_bytes() if name == NAME else content)
    is_result(target)
    _go_on(target)


@cache
def _finished() -> Mapping[str, bytes]:
    """The files of work whose result is about to get its name."""
    with tempfile.TemporaryDirectory() as folder:
        return _go_on(Path(folder) / _TARGET)


def _go_on(target: Path) -> Mapping[str, bytes]:
    """Do what is left of an output, and return the files that it was joined from."""
    files: dict[str, bytes] = {}

    def keep() -> None:
        files.update({file.name: file.read_bytes() for file in sorted(work.path.glob("[0l]*.*"))})

    pins = Pins(device="cpu", precision="fp32", threads=1, encoder_threads=1)
    with Reader(_SOURCE) as source, contextlib.ExitStack() as stack:
        work = stack.enter_context(Work(target))
        found = read_ledger(work.path)
        work.begin({"the input": "a"} if found is None else found.job, lambda: pins)
        _ = work.ledger.frames, work.ledger.origin, work.ledger.damage
        size = source.video.width, source.video.height
        encoding = Encoding("ffv1", threads=1)
        track = VideoTrack(target.suffix, source=source, size=size, encoding=encoding)
        assembly = VideoAssembly(target, track, source=source, audio=False, overwrite=True)
        writer = stack.enter_context(
            SegmentedWriter(target, assembly, source=source, work=work, check=keep)
        )
        begin = work.ledger.start
        if begin is not None:
            for number, frame in enumerate(islice(source, _FRAMES), begin.number):
                writer.expect(Start(number, number, False))
                writer.write(replace(frame, segment=number))
        writer.finish()
    return files
