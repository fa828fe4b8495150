"""Protocols: what a score's name stands for. A score without one means nothing."""

from __future__ import annotations

from dataclasses import dataclass

from upreel.data.degradations import Degradation
from upreel.errors import UsageError

_DEGRADATIONS: dict[str, tuple[Degradation, str]] = {
    "val-bi-y8": (Degradation("bi"), "antialiased bicubic reduction"),
    "val-bd-duf-y8": (
        Degradation("bd-duf"),
        "Gaussian blur (sigma 0.4 x scale) sampled from the first pixel",
    ),
    "val-codec24-y8": (
        Degradation("bi", codec="h264", crf=(24, 24), presets=("medium",)),
        "antialiased bicubic reduction, then H.264 (x264, medium, CRF 24)",
    ),
}


@dataclass(frozen=True, slots=True)
class Protocol:
    """All that a score depends on beside the upscaler and the clips.

    Luma in studio range; low frames and results rounded to 8 bits; PSNR, SSIM and tOF of each
    frame (pair), mean over a clip, then over clips.

    Attributes:
        name: with which every score is printed.
        degradation: how low frames are made.
        wording: the same for people.
        scale: by how much they are smaller.
        frames: how many of each clip count, from its start.
        border: pixels on each side of the truth that do not count.
    """

    name: str
    degradation: Degradation
    wording: str
    scale: int
    frames: int = 15
    border: int = 8

    @property
    def phase(self) -> float:
        """Where low samples lie in their blocks: the argument of `Bicubic` that is aligned."""
        return (1 - self.scale) / 2 if self.degradation.reduction == "bd-duf" else 0.0

    @property
    def description(self) -> str:
        """The protocol in one line."""
        return (
            f"{self.name} x{self.scale}: {self.wording}; luma, 8 bits, "
            f"first {self.frames} frames, border of {self.border} ignored, "
            "mean of frames, then of clips; tOF by Farneback flow"
        )


def find_protocol(name: str, scale: int = 4) -> Protocol:
    """Look a protocol up by its name, such as `val-bi-y8`.

    Raises:
        UsageError: there is no such protocol, or it has no such scale.
    """
    if name not in _DEGRADATIONS:
        raise UsageError(f"expected a protocol out of {', '.join(_DEGRADATIONS)}, found {name!r}")
    if scale not in (2, 3, 4):
        raise UsageError(f"expected 2, 3 or 4 as the scale of {name}, found {scale}")
    return Protocol(name, *_DEGRADATIONS[name], scale)
