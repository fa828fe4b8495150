"""VMAF, by an FFmpeg program that was built with libvmaf."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from torch import Tensor

from upreel.errors import UpreelError, WeightsError
from upreel.metrics.colors import to_luma
from upreel.metrics.metric import Seen

_LOG = "vmaf.json"


@dataclass(frozen=True, slots=True)
class Vmaf:
    """VMAF of libvmaf's own model (v0.6.1), which looks at luma and at frames before and after.

    Li et al. 2016, "Toward a practical perceptual video quality metric".

    Attributes:
        program: FFmpeg.
        name: as protocols call it.
        higher_is_better: true.
    """

    program: str
    name: str = "vmaf"
    higher_is_better: bool = True

    @classmethod
    def find(cls) -> Vmaf:
        """Find the program: of the system, or of the package imageio-ffmpeg.

        Raises:
            WeightsError: there is none with libvmaf.
        """
        for program in _programs():
            if _has_vmaf(program):
                return cls(program)
        raise WeightsError(
            "expected an FFmpeg program with libvmaf, found none: pip install imageio-ffmpeg"
        )

    def values(self, clip: Iterable[Seen]) -> tuple[float, ...]:
        """The score of each frame, 0 to 100.

        Raises:
            UpreelError: FFmpeg failed.
        """
        with tempfile.TemporaryDirectory(prefix="upreel-vmaf-") as folder:
            place = Path(folder)
            size = (0, 0)
            with (place / "output").open("wb") as output, (place / "truth").open("wb") as truth:
                for seen in clip:
                    for file, frame in zip((output, truth), seen.both, strict=True):
                        file.write(_planes(frame))
                    size = (seen.both[0].shape[-1], seen.both[0].shape[-2])
            return self._run(place, size)

    def _run(self, folder: Path, size: tuple[int, int]) -> tuple[float, ...]:
        raw = ["-f", "rawvideo", "-pix_fmt", "yuv444p", "-s", "{}x{}".format(*size), "-i"]
        graph = f"libvmaf=log_fmt=json:log_path={_LOG}"
        command = [
            self.program, "-v", "error", "-nostdin", *raw, "output", *raw, "truth",
            "-lavfi", graph, "-f", "null", "-",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode or not (folder / _LOG).is_file():
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise UpreelError(f"expected VMAF of FFmpeg, but it says: {last}")
        read = json.loads((folder / _LOG).read_text(encoding="utf-8"))
        return tuple(float(frame["metrics"]["vmaf"]) for frame in read["frames"])


def _planes(frame: Tensor) -> bytes:
    """Luma of 8 bits in studio range, and chroma without colour."""
    luma = (to_luma(frame) * 255).round().clamp(0, 255).byte().cpu().numpy()
    return np.ascontiguousarray(luma).tobytes() + bytes([128]) * (2 * luma.size)


def _programs() -> list[str]:
    found = [program] if (program := shutil.which("ffmpeg")) else []
    if find_spec("imageio_ffmpeg") is not None:
        with suppress(RuntimeError):  # the package is there without its program
            found.append(str(import_module("imageio_ffmpeg").get_ffmpeg_exe()))
    return found


@cache
def _has_vmaf(program: str) -> bool:
    command = [program, "-hide_banner", "-filters"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return False
    return " libvmaf " in done.stdout
