"""Protocols: what a score's name stands for. A score without one means nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from upreel.data.datasets.layouts import REDS4
from upreel.errors import UsageError

CRFS = {"codec": range(18, 37, 3), "hevc": range(18, 37, 6)}
"""How much low frames are compressed, by what names of protocols call H.264 and H.265."""

WORDINGS = {
    "BI": "antialiased bicubic reduction",
    "BD-DUF": "Gaussian blur (sigma 0.4 x scale, 13x13) sampled from the first pixel",
    "BD-BasicVSR": "Gaussian blur (sigma 1.6, 12x12) sampled at the middle of each block",
    **{
        f"codec{crf}": "antialiased bicubic reduction, then H.264 (x264, medium without mbtree, "
        f"CRF {crf})"
        for crf in CRFS["codec"]
    },
    **{
        f"hevc{crf}": "antialiased bicubic reduction, then H.265 (x265, medium without cutree, "
        f"CRF {crf})"
        for crf in CRFS["hevc"]
    },
    "PIL": "antialiased bicubic reduction as Pillow does it",
    "none": "frames as they are",
}
"""How low frames are made: the names of `data.degradations`, Pillow's bicubic, or not at all."""

Colors = Literal["luma", "y", "rgb"]
"""What is read and scored: `luma` is a video's own Y plane, read, reduced and scored alone; `y` is
RGB, read and reduced as such, of which Y of BT.601 in studio range is scored; `rgb` is all of it.
"""

Levels = Literal["rounded", "truncated", "unrounded"]
"""Results before scoring: rounded to 8 bits; that, and then Y cut down to whole levels; or as they
are, neither rounded nor clipped."""

Selection = Literal["all", "middle", "windows", "new"]
"""Frames that are scored: all; the middle one; those that RISTN's script writes, the first three of
each window of five; or those that had to be made between others."""


ANY = "any clips"


@dataclass(frozen=True, slots=True)
class Protocol:
    """All that a score depends on beside the upscaler and the clips.

    Each score is a mean over the frames of a clip, then over clips.

    Attributes:
        name: with which every score is printed.
        degradation: how low frames are made, one of `WORDINGS`; they are 8 bits.
        scale: by how much they are smaller.
        colors: what is scored.
        levels: whether results are rounded first.
        frames: how many frames of each clip are read, from its start; `None` for all.
        trim: frames dropped at each end of a clip, before anything else.
        width: to which wider frames are cut, around their middle; `None` for not at all.
        selection: of the frames that are read, those that are scored.
        mirror: whether a clip is followed by itself reversed, for networks that want long ones.
        rate: 2 where every other frame is left out and has to be made.
        crop: rows and columns of the truth that do not count: top, left, bottom, right.
        window: of SSIM: a Gaussian of 11x11 with sigma 1.5, or 7x7 with equal weights.
        metrics: what is measured.
        data: the benchmark, for people; of any clips where the name promises no others.
        names: of its clips, where a data set has more than those that are tested on.
    """

    name: str
    degradation: str
    scale: int = 4
    colors: Colors = "y"
    levels: Levels = "rounded"
    frames: int | None = None
    trim: int = 0
    width: int | None = None
    selection: Selection = "all"
    mirror: bool = False
    rate: Literal[1, 2] = 1
    crop: tuple[int, int, int, int] = (0, 0, 0, 0)
    window: Literal["gaussian11", "uniform7"] = "gaussian11"
    metrics: tuple[str, ...] = ("psnr", "ssim", "tof")
    data: str = ANY
    names: tuple[str, ...] = ()

    def measuring(self, metrics: Iterable[str]) -> Protocol:
        """The same protocol with other metrics, after PSNR, by which reports order and plot."""
        return replace(self, metrics=tuple(dict.fromkeys(("psnr", *metrics))))

    @property
    def phase(self) -> float:
        """Where low samples lie in their blocks: the argument of `Bicubic` that is aligned."""
        return (1 - self.scale) / 2 if self.degradation == "BD-DUF" else 0.0

    @property
    def description(self) -> str:
        """The protocol in one line."""
        return "; ".join(
            (
                f"{self.name} x{self.scale}: {WORDINGS[self.degradation]}",
                *self._scored(),
                "mean of frames, then of clips",
                *(("tOF by Farneback flow",) if "tof" in self.metrics else ()),
            )
        )

    def _scored(self) -> list[str]:
        colors = {
            "luma": "luma",
            "y": "Y of BT.601 in studio range, of RGB",
            "rgb": "RGB",
        }[self.colors]
        levels = {
            "rounded": "8 bits",
            "truncated": "8 bits, Y cut to whole levels",
            "unrounded": "neither rounded nor clipped",
        }[self.levels]
        first = "all frames" if self.frames is None else f"first {self.frames} frames"
        frames = {
            "all": first,
            "middle": "the middle frame",
            "windows": "the first three frames of each window of five",
            "new": f"of {first} those made anew",
        }[self.selection]
        said = [f"{colors}, {levels}", frames]
        if self.trim:
            said.append(f"{self.trim} frames dropped at each end")
        if self.width is not None:
            said.append(f"cut to a width of {self.width}")
        if self.mirror:
            said.append("followed by the clip reversed")
        if self.rate == 2:
            said.append("every other frame is made anew")
        if len(set(self.crop)) == 1:
            said.append(f"border of {self.crop[0]} ignored" if self.crop[0] else "no border")
        else:
            said.append("ignored at top, left, bottom, right: {} {} {} {}".format(*self.crop))
        said.append({"gaussian11": "SSIM 11x11 Gaussian", "uniform7": "SSIM 7x7"}[self.window])
        return said


_FIDELITY = ("psnr", "ssim")
_LISTED = (
    Protocol("val-bi-y8", "BI", colors="luma", frames=15, crop=(8, 8, 8, 8)),
    Protocol("val-bd-duf-y8", "BD-DUF", colors="luma", frames=15, crop=(8, 8, 8, 8)),
    *(
        Protocol(f"val-{name}{crf}-y8", f"{name}{crf}", colors="luma", frames=15, crop=(8, 8, 8, 8))
        for name, crfs in CRFS.items()
        for crf in crfs
    ),
    Protocol(
        "val-tsr-y8", "none", scale=1, colors="luma", frames=15, selection="new", rate=2,
        crop=(8, 8, 8, 8), metrics=_FIDELITY,
    ),
    Protocol(
        "val-stvsr-y8", "BI", colors="luma", frames=15, rate=2, crop=(8, 8, 8, 8),
        metrics=_FIDELITY,
    ),
    Protocol("vid4-bi-y", "BI", data="Vid4"),
    Protocol("vid4-bd-y", "BD-DUF", data="Vid4"),
    Protocol("vid4-bd-basicvsr-y", "BD-BasicVSR", data="Vid4"),
    Protocol("reds4-bi-rgb", "BI", colors="rgb", data="REDS4", names=REDS4),
    Protocol(
        "vimeo90k-t", "BI", selection="middle", mirror=True, metrics=_FIDELITY, data="Vimeo-90K-T"
    ),
    Protocol("udm10-bd-y", "BD-DUF", data="UDM10"),
    Protocol("udm10-bd-basicvsr-y", "BD-BasicVSR", data="UDM10"),
    Protocol("spmcs-bi-y", "BI", data="SPMCS"),
    Protocol("stvsr-vid4", "BI", rate=2, metrics=_FIDELITY, data="Vid4"),
    Protocol("stvsr-vid4-bd", "BD-BasicVSR", rate=2, metrics=_FIDELITY, data="Vid4"),
    Protocol("stvsr-vimeo", "BI", rate=2, metrics=_FIDELITY, data="Vimeo-90K-T"),
    Protocol(
        "rbpn-script", "PIL", colors="rgb", levels="unrounded", crop=(5, 5, 4, 4),
        metrics=_FIDELITY, data="Vid4",
    ),
    Protocol(
        "ristn-script", "PIL", levels="truncated", trim=2, width=704, selection="windows",
        window="uniform7", metrics=_FIDELITY, data="Vid4",
    ),
)  # fmt: skip
PROTOCOLS = {protocol.name: protocol for protocol in _LISTED}


def find_protocol(name: str, scale: int | None = None) -> Protocol:
    """Look a protocol up by its name, such as `val-bi-y8`; at its own scale if none is given.

    Raises:
        UsageError: there is no such protocol, or it has no such scale.
    """
    if name not in PROTOCOLS:
        raise UsageError(f"expected a protocol out of {', '.join(PROTOCOLS)}, found {name!r}")
    found = PROTOCOLS[name]
    scale = scale or found.scale
    enlarges = name.startswith("val-") and found.degradation != "none"
    if scale not in ((2, 3, 4, 8) if enlarges else (found.scale,)):
        expected = "2, 3, 4 or 8" if enlarges else str(found.scale)
        raise UsageError(f"expected {expected} as the scale of {name}, found {scale}")
    return replace(found, scale=scale)
