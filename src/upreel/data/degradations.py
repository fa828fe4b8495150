"""From a clip to its low version: a chain of steps, the same each time for the same key.

A chain is a tuple of steps. In text, steps are joined by `+`, and arguments stand in brackets:
`blur(sigma=0.6|1.2, chance=0.5)+BI+noise(sigma=2)+codec(crf=18..28)`. `a|b` is one of several and
`a..b` any whole number in between, drawn once for a clip. Each step draws from a generator of its
own, so that changing one step does not change the draws of the others.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Literal, Protocol, get_args

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from upreel.data.codec import ENCODERS, Codec, CodecSettings, through_codec
from upreel.errors import UsageError
from upreel.ops.blur import bd_basicvsr, bd_duf, gaussian_blur, slanted_blur
from upreel.ops.resize import imresize

Luma = NDArray[np.uint8]
Codes = NDArray[np.uint8]
Frames = Iterator[Tensor]
Reduction = Literal["BI", "BD-DUF", "BD-BasicVSR", "area"]


class Step(Protocol):
    """One thing that happens to a clip."""

    def apply(self, frames: Frames, scale: int, random: np.random.Generator) -> Frames:
        """Change frames `(C, H, W)`, float32, 0..255, which need be neither whole nor in range."""
        ...


Chain = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Reduce:
    """Make frames smaller: `BI` (MATLAB's antialiased bicubic), `BD-DUF`, `BD-BasicVSR`, `area`.

    `BI` rounds the new size up where a side is no multiple of the scale, the others down.
    """

    kind: Reduction = "BI"

    def apply(self, frames: Frames, scale: int, random: np.random.Generator) -> Frames:
        """See `Step`."""
        reductions: dict[Reduction, Callable[[Tensor], Tensor]] = {
            "BI": lambda frame: imresize(frame, 1 / scale),
            "BD-DUF": lambda frame: bd_duf(frame, scale),
            "BD-BasicVSR": lambda frame: bd_basicvsr(frame, scale),
            "area": lambda frame: F.avg_pool2d(frame, scale),
        }
        return map(reductions[self.kind], frames)


@dataclass(frozen=True, slots=True)
class Blur:
    """Blur with a Gaussian, the same for all frames of a clip.

    Attributes:
        sigma: standard deviations to draw from, in pixels of the frames that come in.
        ratio: of the shorter axis of the Gaussian to the longer one, to draw from.
        angle: of the longer axis to draw from, in degrees from the rows, downwards.
        chance: how often this step happens at all.
    """

    sigma: tuple[float, ...] = (1.0,)
    ratio: tuple[float, ...] = (1.0,)
    angle: tuple[float, ...] = (0.0,)
    chance: float = 1.0

    def apply(self, frames: Frames, scale: int, random: np.random.Generator) -> Frames:
        """See `Step`."""
        happens = random.random() < self.chance
        sigma, ratio, angle = (
            float(random.choice(values)) for values in (self.sigma, self.ratio, self.angle)
        )
        if not happens or sigma == 0:
            return frames
        if ratio == 1:
            return (gaussian_blur(frame, sigma) for frame in frames)
        sigmas, radians = (sigma, sigma * ratio), math.radians(angle)
        return (slanted_blur(frame, sigmas, radians) for frame in frames)


@dataclass(frozen=True, slots=True)
class Noise:
    """Add Gaussian noise, independent for each value.

    Attributes:
        sigma: standard deviations to draw from, in 8-bit levels.
        chance: how often this step happens at all.
    """

    sigma: tuple[float, ...] = (2.0,)
    chance: float = 1.0

    def apply(self, frames: Frames, scale: int, random: np.random.Generator) -> Frames:
        """See `Step`."""
        happens = random.random() < self.chance
        sigma = float(random.choice(self.sigma))
        if not happens or sigma == 0:
            return frames
        return (
            frame + torch.from_numpy(random.normal(0, sigma, frame.shape)).float()
            for frame in frames
        )


@dataclass(frozen=True, slots=True)
class Encode:
    """Round, encode and decode. All frames are held in memory as 8 bits.

    Attributes:
        codec: families to draw from.
        crf: constant rate factors to draw from.
        preset: the encoder's names for speed against size, to draw from.
    """

    codec: tuple[Codec, ...] = ("h264",)
    crf: tuple[int, ...] = (24,)
    preset: tuple[str, ...] = ("medium",)

    def apply(self, frames: Frames, scale: int, random: np.random.Generator) -> Frames:
        """See `Step`."""
        codec, crf, preset = (
            int(random.integers(len(values))) for values in (self.codec, self.crf, self.preset)
        )
        settings = CodecSettings(self.codec[codec], self.crf[crf], self.preset[preset])
        decoded = through_codec(np.stack([to_codes(frame) for frame in frames]), settings)
        return (torch.from_numpy(frame).float() for frame in decoded)


CHAINS: dict[str, Chain] = {
    **{kind: (Reduce(kind),) for kind in get_args(Reduction)},
    **{f"codec{crf}": (Reduce("BI"), Encode(crf=(crf,))) for crf in range(18, 37)},
    **{f"hevc{crf}": (Reduce("BI"), Encode(("h265",), (crf,))) for crf in range(18, 37)},
}
"""Chains that have a name."""
_STEPS: dict[str, type[Blur | Noise | Encode]] = {"blur": Blur, "noise": Noise, "codec": Encode}


def degrade(clip: Codes, chain: Chain, *, scale: int, key: str = "") -> Codes:
    """Make the low version of a clip.

    Args:
        clip: `(T, C, H, W)`, 8 bits, one channel of luma or RGB.
        chain: what happens to it.
        scale: how many times smaller it gets.
        key: what the draws depend on.

    Returns:
        `(T, C, H / scale, W / scale)`, 8 bits.
    """
    return np.stack(list(degrade_frames(clip, chain, scale=scale, key=key)))


def degrade_frames(
    frames: Iterable[Codes], chain: Chain, *, scale: int, key: str = ""
) -> Iterator[Codes]:
    """As `degrade`, frame by frame `(C, H, W)`; only `Encode` holds more than one frame."""
    stream: Frames = (torch.from_numpy(np.array(frame)).float() for frame in frames)
    for position, step in enumerate(chain):
        random = np.random.default_rng((zlib.crc32(key.encode()), position))
        stream = step.apply(stream, scale, random)
    return map(to_codes, stream)


def to_codes(image: Tensor) -> Codes:
    """Round to 8 bits."""
    codes: Codes = image.round().clamp(0, 255).byte().numpy()
    return codes


def samples_first(chain: Chain) -> bool:
    """Whether low samples lie on the first pixel of each block (BD-DUF), not in its middle."""
    return Reduce("BD-DUF") in chain


def parse_chain(text: str) -> Chain:
    """Read a chain: `BD-DUF`, or `blur(sigma=1.2)+BI+codec(crf=24)`.

    Raises:
        UsageError: a step or an argument is unknown, or nothing or several things reduce.
    """
    chain = tuple(step for part in text.split("+") for step in _parse_part(part.strip()))
    if sum(isinstance(step, Reduce) for step in chain) != 1:
        reductions = ", ".join(get_args(Reduction))
        raise UsageError(f"expected one step out of {reductions} in a chain, found {text!r}")
    return chain


def _parse_part(part: str) -> Chain:
    name, _, rest = part.partition("(")
    if not rest and name in CHAINS:
        return CHAINS[name]
    if name not in _STEPS or (rest and not rest.endswith(")")):
        known = ", ".join([*CHAINS, *(f"{step}(...)" for step in _STEPS)])
        raise UsageError(f"expected steps out of {known}, joined by '+', found {part!r}")
    pairs = [pair.partition("=") for pair in rest[:-1].split(",") if pair.strip()]
    return (_build(name, {key.strip(): value.strip() for key, _, value in pairs}),)


def _build(name: str, arguments: Mapping[str, str]) -> Step:
    known = [field.name for field in fields(_STEPS[name])]
    for key in arguments:
        if key not in known:
            raise UsageError(f"expected {', '.join(known)} as arguments of {name}, found {key!r}")
    if name == "codec":
        return _build_codec(arguments)
    try:
        values = {key: tuple(map(float, text.split("|"))) for key, text in arguments.items()}
        if any(number < 0 for key in values if key != "angle" for number in values[key]):
            raise ValueError
        chance = values.pop("chance", (1.0,))[0]
        return Blur(**values, chance=chance) if name == "blur" else Noise(**values, chance=chance)
    except ValueError as error:
        said = ", ".join(f"{key}={value}" for key, value in arguments.items())
        raise UsageError(f"expected values such as 1.2 or 0.5|1 in {name}, found {said}") from error


def _build_codec(arguments: Mapping[str, str]) -> Encode:
    default = Encode()
    codecs: list[Codec] = [
        codec for codec in ENCODERS for name in arguments.get("codec", "h264").split("|")
        if name == codec
    ]  # fmt: skip
    if len(codecs) != len(arguments.get("codec", "h264").split("|")):
        raise UsageError(f"expected {' or '.join(ENCODERS)}, found {arguments['codec']!r}")
    preset = tuple(arguments["preset"].split("|")) if "preset" in arguments else default.preset
    return Encode(tuple(codecs), _whole(arguments.get("crf", "24")), preset)


def _whole(text: str) -> tuple[int, ...]:
    """`24`, `18|24|28`, or `18..28` with both ends."""
    numbers: tuple[int, ...] = ()
    if ends := re.fullmatch(r"(\d+)\.\.(\d+)", text):
        numbers = tuple(range(int(ends[1]), int(ends[2]) + 1))
    elif re.fullmatch(r"\d+(\|\d+)*", text):
        numbers = tuple(map(int, text.split("|")))
    if not numbers or max(numbers) > 51:
        raise UsageError(f"expected a crf of 0 to 51 such as 24 or 18..28, found {text!r}")
    return numbers
