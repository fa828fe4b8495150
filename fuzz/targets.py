"""Readers in Python: recipes, indices, weights, scans, archives, ledgers. Coverage (atheris) leads.

Each is given a file and has to come back with nothing but errors of ours, and without a deed: see
`hearing`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from fuzz.hearing import hearing
from fuzz.limits import SECONDS, WAITING, OvertimeError, within
from upreel.errors import UpreelError

CORPUS = Path(__file__).parent / "corpus"
RUN = "--run"
_MEGABYTES = 3072
"""Of memory, with torch."""
_IMPORTING = 3600
"""Seconds of the processor for the first files, on which all that is imported gets its counters."""
_LONGEST = 1 << 16
"""Bytes of a file."""


@dataclass(frozen=True, slots=True)
class Target:
    """Readers of files.

    Attributes:
        check: reads a file.
        suffixes: of the files.
        modules: whose branches lead the way.
        imports: what makes files of its own when it is imported, which is no deed of a file.
        made: suffix and content of files to begin with, beside those in the corpus.
    """

    check: Callable[[Path], None]
    suffixes: tuple[str, ...]
    modules: tuple[str, ...]
    imports: tuple[str, ...] = ()
    made: Callable[[], Iterable[tuple[str, bytes]]] = tuple

    def run(self, content: bytes, suffix: str, seconds: float = SECONDS) -> None:
        """Read a file with this content, in at most these seconds of the processor.

        Raises:
            Exception: it was none of ours, a `DeedError`, or it took too much memory.
            OvertimeError: it took too long.
        """
        for name in self.imports:
            import_module(name)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"file{suffix}"
            path.write_bytes(content)
            with within(seconds), hearing(path.parent), contextlib.suppress(UpreelError):
                self.check(path)


def _check_recipe(path: Path) -> None:
    from upreel.training.recipe import read_recipe
    from upreel.training.scan_recipes import read_scan_recipe

    with contextlib.suppress(UpreelError):
        read_recipe(path)
    read_scan_recipe(path)


def _check_index(path: Path) -> None:
    from upreel.data.clips import find_clips
    from upreel.data.datasets.index import NAME, read_index

    if path.suffix == ".json":
        path = path.rename(path.with_name(NAME))
        read_index(path.parent)
    else:
        path = path.rename(path.with_name("index.tsv"))
    for split in ("train", "val"):
        for clip in find_clips(path.parent, split):
            assert clip.path.resolve().is_relative_to(path.parent.resolve()), clip.path


def _check_weights(path: Path) -> None:
    from upreel.models import weights
    from upreel.models.vgg import read_tensors

    with contextlib.suppress(UpreelError):
        read_tensors(path)
    weights.read(path)
    weights.build(path)


def _check_scan(path: Path) -> None:
    from upreel.inference.scans import summary
    from upreel.scans.readers import read_scan
    from upreel.scans.writers import write_scan

    scan = read_scan(path)
    summary(scan)
    write_scan(scan, path.with_name("out.npz"), overwrite=True)


def _check_archive(path: Path) -> None:
    from upreel.data.datasets.prepare import extract

    root = path.parent / "root"
    root.mkdir()
    extract(path, root)
    assert {*path.parent.iterdir()} == {path, root}
    assert not any(each.is_symlink() for each in root.rglob("*"))


def _check_ledger(path: Path) -> None:
    from fuzz.work import check

    check(path)


def _made_ledgers() -> Iterable[tuple[str, bytes]]:
    from fuzz.work import seeds

    return seeds()


def _check_planted(path: Path) -> None:
    from fuzz.planted import read

    read(path)


TARGETS = {
    "recipes": Target(
        _check_recipe, (".toml", ".json"), ("upreel",), ("upreel.training.scan_recipes",)
    ),
    "indices": Target(_check_index, (".json", ".tsv"), ("upreel.data",), ("upreel.data.clips",)),
    "weights": Target(
        _check_weights, (".safetensors", ".pth", ".pkl"),
        ("upreel.models", "torch._weights_only_unpickler"),
        ("upreel.models.weights",),
    ),
    "scans": Target(
        _check_scan,
        (".asd", ".gwy", ".ibw", ".jpk", ".npy", ".npz", ".png", ".spm", ".stp", ".tif", ".top"),
        ("upreel.scans", "AFMReader", "igor2", "pySPM", "tifffile"),
        ("pySPM", "AFMReader.asd", "igor2.binarywave", "upreel.inference.scans"),
    ),
    "archives": Target(
        _check_archive, (".zip",), ("upreel.data.datasets", "zipfile"),
        ("upreel.data.datasets.prepare",),
    ),
    "ledger": Target(
        _check_ledger, (".json", ".packets"), ("upreel.inference", "upreel.video"),
        ("fuzz.work",), _made_ledgers,
    ),
}  # fmt: skip
PLANTED = "planted"
_ALL = {
    **TARGETS,
    PLANTED: Target(_check_planted, (".txt",), ("fuzz.planted",), made=lambda: [(".txt", b"no")]),
}


def seeds(target: str) -> Iterator[tuple[str, bytes]]:
    """Suffix and content of the files to begin with."""
    yield from _ALL[target].made()
    for path in sorted((CORPUS / target).glob("*")):
        yield path.suffix, path.read_bytes()


def fuzz_python(
    target: str, out: Path, *, seconds: float, seed: int = 1, files: int | None = None
) -> int:
    """Let atheris try files in a process of its own until the time is over.

    Args:
        target: whose readers.
        out: where files go that did harm; emptied.
        seconds: at most.
        seed: of the changes.
        files: stop after as many.

    Returns:
        The exit status: 1 where something was found, which is in `out` then.
    """
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as corpus:
        suffixes = _ALL[target].suffixes
        for number, (suffix, content) in enumerate(seeds(target)):
            first = bytes([suffixes.index(suffix)])
            (Path(corpus) / f"{number:04d}").write_bytes(first + content)
        options = {
            "max_total_time": round(seconds), "seed": seed, "timeout": round(WAITING),
            "runs": -1 if files is None else files, "rss_limit_mb": _MEGABYTES,
            "max_len": _LONGEST, "artifact_prefix": f"{out}/", "print_final_stats": 1,
        }  # fmt: skip
        command = [sys.executable, "-m", "fuzz", RUN, target, str(out), corpus]
        done = subprocess.run(
            [*command, *(f"-{name}={value}" for name, value in options.items())],
            cwd=Path(__file__).parent.parent, check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},
        )  # fmt: skip
    return int(done.returncode != 0 or any(out.iterdir()))


def run_atheris(target: str, out: Path, arguments: list[str]) -> None:
    """Hand this process to atheris, which ends it. What is found is written into `out`."""
    import atheris
    import torch  # noqa: F401 - before the branches are counted: its own lead nowhere

    logging.disable()
    chosen = _ALL[target]
    with atheris.instrument_imports(include=list(chosen.modules)):
        for suffix, content in seeds(target):  # imports all that is needed
            with contextlib.suppress(Exception):
                chosen.run(content, suffix, seconds=_IMPORTING)
    found: set[str] = set()

    def try_file(data: bytes) -> None:
        suffix = chosen.suffixes[data[0] % len(chosen.suffixes)] if data else ""
        try:
            chosen.run(data[1:], suffix)
        except (Exception, OvertimeError) as error:
            name = f"{type(error).__name__}-{_place(error)}"
            if name not in found:
                found.add(name)
                (out / f"{name}{suffix}").write_bytes(data[1:])
                (out / f"{name}{suffix}.txt").write_text(traceback.format_exc())

    atheris.Setup([sys.argv[0], *arguments], try_file)
    atheris.Fuzz()


def _place(error: BaseException) -> str:
    """Module and line where an error arose, not counting who watches."""
    frames = traceback.extract_tb(error.__traceback__)
    inner = [frame for frame in frames if frame.name not in ("end", "hear")] or frames
    return f"{Path(inner[-1].filename).stem}-{inner[-1].lineno}"
