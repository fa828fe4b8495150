"""Scores that were found before, kept by what they depend on."""

from __future__ import annotations

import hashlib
import os
import platform
from contextlib import suppress
from functools import cache
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cv2
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from upreel.core.download import checksum
from upreel.core.files import PendingFile
from upreel.data.clips import Clip
from upreel.evaluation.protocols import Protocol
from upreel.evaluation.relay import Model, as_relay
from upreel.evaluation.report import ClipScore
from upreel.models.backbones import cache_folder
from upreel.models.upscaler import Upscaler

_ADAPTER = TypeAdapter(ClipScore)


class Results:
    """A folder with one small file for each upscaler, clip, protocol and state of the code."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use `folder`; the user's own place for caches if not given."""
        self.folder = folder or default_folder()

    def find(self, upscaler: str, clip: str, protocol: Protocol) -> ClipScore | None:
        """Scores that were kept; `None` where there are none.

        Args:
            upscaler: `fingerprint` of it.
            clip: `clip_fingerprint` of it.
            protocol: how it was scored.
        """
        try:
            return _ADAPTER.validate_json(self._path(upscaler, clip, protocol).read_bytes())
        except (OSError, ValidationError):
            return None  # not there, or no longer readable: it is made again

    def keep(self, upscaler: str, clip: str, protocol: Protocol, score: ClipScore) -> None:
        """Keep scores; see `find` for the arguments.

        Raises:
            OutputError: the folder cannot be written to.
        """
        target = self._path(upscaler, clip, protocol)
        target.parent.mkdir(parents=True, exist_ok=True)
        with PendingFile(target, overwrite=True) as pending:
            pending.path.write_bytes(_ADAPTER.dump_json(score))
            pending.commit()

    def _path(self, upscaler: str, clip: str, protocol: Protocol) -> Path:
        parts = (upscaler, clip, repr(protocol), _backbones(), *versions().values())
        key = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        return self.folder / key[:2] / f"{key}.json"


def default_folder() -> Path:
    """Where the system wants caches to lie."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "upreel" / "evaluation"


def fingerprint(model: Model) -> str:
    """SHA-256 of what a model computes with; empty where that cannot be known.

    Only modules are known whole: their class, structure, specification, number types and values.
    """
    marks = [_fingerprint(stage) for stage in as_relay(model).stages]
    if not all(marks) or len(marks) == 1:
        return marks[0] if len(marks) == 1 else ""
    return hashlib.sha256("\n".join(marks).encode()).hexdigest()


def _fingerprint(upscaler: Upscaler) -> str:
    if not isinstance(upscaler, nn.Module):
        return ""
    digest = hashlib.sha256()
    for text in (type(upscaler).__qualname__, str(upscaler), _describe(upscaler)):
        digest.update(text.encode())
    for name, value in upscaler.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _describe(upscaler: Upscaler) -> str:
    spec = upscaler.spec
    return repr(
        (spec.scale, spec.color, spec.rate, spec.past, spec.future, spec.step, sorted(spec.inputs))
    )


def clip_fingerprint(clip: Clip) -> str:
    """SHA-256 of the content of a clip's files, by their names, and how it is read."""
    digest = hashlib.sha256(repr((clip.name, clip.halve, clip.still, clip.drawing)).encode())
    files = sorted(clip.path.iterdir()) if clip.path.is_dir() else [clip.path]
    for file in files:
        if file.is_file():
            digest.update(f"{file.name} {checksum(file)}".encode())
    return digest.hexdigest()


def _backbones() -> str:
    """The files that users brought for perceptual metrics, by size and time of change."""
    folder = cache_folder()
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    kept = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files if f.is_file()]
    return repr(kept)


@cache
def versions() -> dict[str, str]:
    """What makes scores beside weights and clips: the package's code and the libraries below it."""
    digest = hashlib.sha256()
    root = Path(str(resources.files("upreel")))
    for layer in ("core", "ops", "video", "models", "metrics", "inference", "data", "evaluation"):
        for file in sorted((root / layer).rglob("*.py")):
            digest.update(file.read_bytes())
    libraries = {name: version(name) for name in ("torch", "numpy", "av")}
    for name in ("torchmetrics", "imageio-ffmpeg"):  # where they are here: they have metrics too
        with suppress(PackageNotFoundError):
            libraries[name] = version(name)
    return {
        "upreel": version("upreel"),
        "code": digest.hexdigest()[:16],
        **libraries,
        "opencv": cv2.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
