"""TPSR, a reconstruction: space-time from temporal profiles, slices of a clip along x and time.

Source: Xiao et al. 2020 (ACM MM), "Space-time video super-resolution using temporal profiles". The
paper's idea and its three modules; neither its layers, nor its losses and clips, nor weights or
figures could be had. What is here is our reading of it: no score of the authors belongs to it.

A line of pixels through time is an image, in which whatever moves along the line draws a slanted
stripe. Each of these images, with weights that all share, becomes `scale` times wider and has twice
the rows, less one (profile super-resolution). The features go back to frames, where lines see
their neighbours, which is how motion across the lines is seen, and frames theirs; then the other
axis becomes larger (feature shuffling). Convolutions at the final size add detail to bicubic
interpolation, of a new frame to that of both neighbours' mean (refining). Nothing looks for motion.
Any number of frames is fine; what moves further between two of them than the convolutions see,
`Spec.halo` at most, stays double.

The network wants the whole clip; `step` gives it a window. What that costs is in
`docs/experiments.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.models.basicvsr import SLOPE, ResidualBlock
from upreel.models.upscaler import Spec, State, Window

Variant = Literal["paper", "tiny"]

_STRIP = 2**16  # pixels of a frame or of profiles whose features are held at a time
_CONTEXT = 4  # frames before and after that a step sees
_STEP = 2  # frames that it enlarges
_TILE = 192  # above which features of the frames of a step no longer fit


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a network is.

    Attributes:
        channels: of all features.
        profile: residual blocks on profiles.
        mixing: those where lines see each other.
        refining: those at the size of the output.
    """

    channels: int
    profile: int
    mixing: int
    refining: int


VARIANTS: dict[Variant, Sizes] = {"paper": Sizes(64, 12, 2, 5), "tiny": Sizes(16, 4, 1, 1)}
"""A size like that of networks of its time, and one that a CPU can train."""


class TPSR(nn.Module):
    """See the head of this file. 1,903,363 weights for a scale of 4."""

    def __init__(self, scale: int = 4, *, variant: Variant = "paper") -> None:
        """Build it with random weights.

        Args:
            scale: how many times larger frames get.
            variant: how large it is.
        """
        super().__init__()
        self.scale, self.sizes = scale, VARIANTS[variant]
        wide = self.sizes.channels
        self.profile = nn.Sequential(
            nn.Conv2d(3, wide, 3, padding=1),
            nn.LeakyReLU(SLOPE, inplace=True),
            *(ResidualBlock(wide) for _ in range(self.sizes.profile)),
            nn.Conv2d(wide, wide * 2 * scale, 3, padding=1),
        )
        self.mixing = nn.Sequential(
            nn.Conv2d(wide, wide, 3, padding=1),
            nn.LeakyReLU(SLOPE, inplace=True),
            *(ResidualBlock(wide) for _ in range(self.sizes.mixing)),
        )
        self.fusion = nn.Sequential(
            nn.Conv2d(3 * wide, wide, 1),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Conv2d(wide, wide, 1),
        )
        self.lines = nn.Conv2d(wide, wide * scale, 3, padding=1)
        self.refining = nn.Sequential(*(ResidualBlock(wide) for _ in range(self.sizes.refining)))
        self.last = nn.Conv2d(wide, 3, 3, padding=1)
        self.last.weight.data.mul_(0.1)

    @property
    def spec(self) -> Spec:
        """Frames on both sides; as far around a pixel as its convolutions see along a profile."""
        low = 2 + 2 * self.sizes.profile
        high = 3 + 2 * (self.sizes.mixing + self.sizes.refining)
        return Spec(
            scale=self.scale,
            color="rgb",
            rate=2,
            past=_CONTEXT,
            future=_CONTEXT,
            step=_STEP,
            halo=low - -high // self.scale,
            tile=_TILE,
        )

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge the middle of a window: see `Upscaler.step`."""
        last = 2 * (window.clip.shape[1] - window.future)
        made = list(self._make(window.clip, range(2 * window.past, last - (not window.future))))
        if not window.future:
            made.append(made[-1])  # there is no next frame
        return torch.stack(made, 1), {}

    def forward(self, clip: Tensor) -> Tensor:
        """Enlarge a whole clip: `(B, T, 3, H, W)` to `(B, 2T - 1, 3, H * scale, W * scale)`."""
        return torch.stack(list(self._make(clip, range(2 * clip.shape[1] - 1))), 1)

    def _make(self, clip: Tensor, instants: range) -> Iterator[Tensor]:
        """The frames of a clip at some instants, in halves of a frame, one after the other."""
        first, last = max(instants.start - 1, 0), min(instants.stop, 2 * clip.shape[1] - 2)
        features = self._profile(clip, range(first, last + 1))
        mixed = [self.mixing(each) for each in features.unbind(1)]
        for instant in instants:
            places = (min(max(instant + way, first), last) - first for way in (-1, 0, 1))
            before, here, after = (mixed[place] for place in places)
            fused = here + self.fusion(torch.cat((before, here, after), 1))
            low = (clip[:, instant // 2] + clip[:, (instant + 1) // 2]) / 2
            yield self._refine(fused, low)

    def _profile(self, clip: Tensor, instants: range) -> Tensor:
        """Features at some instants, `(B, len(instants), channels, H, W * scale)`."""
        frames, width, strips = clip.shape[1], clip.shape[-1], []
        rows = max(_STRIP // (frames * width), 1)
        for some in torch.split(clip.to(self.last.weight.dtype), rows, -2):
            wide = shuffle(self.profile(to_profiles(some)), 2, self.scale)
            strips.append(to_frames(wide[:, :, instants.start : instants.stop], some.shape[-2]))
        return torch.cat(strips, -2)

    def _refine(self, features: Tensor, low: Tensor) -> Tensor:
        """Features `(B, channels, H, W * scale)` and what they belong to as a frame of full size.

        Large frames are done in strips, because features at the size of the output are many.
        """
        height, width = low.shape[-2:]
        reach = 1 - -(2 * self.sizes.refining + 1) // self.scale
        rows, strips = max(_STRIP // width, 1), []
        for top in range(0, height, rows):
            begin, end = max(top - reach, 0), min(top + rows + reach, height)
            lines = F.leaky_relu_(self.lines(features[..., begin:end, :]), SLOPE)
            detail = self.last(self.refining(shuffle(lines, self.scale, 1)))
            detail = detail[..., self.scale * (top - begin) :, :]
            strips.append(detail[..., : self.scale * rows, :])
        base = F.interpolate(low.float(), scale_factor=self.scale, mode="bicubic")
        return base + torch.cat(strips, -2).float()


def to_profiles(clip: Tensor) -> Tensor:
    """Slices of a clip, `(B, T, C, H, W)`, along x and time: `(B * H, C, T, W)`."""
    return clip.permute(0, 3, 2, 1, 4).flatten(0, 1)


def to_frames(profiles: Tensor, height: int) -> Tensor:
    """The inverse of `to_profiles`: `(B * H, C, T, W)` to `(B, T, C, H, W)`."""
    return profiles.reshape(-1, height, *profiles.shape[1:]).permute(0, 3, 2, 1, 4)


def shuffle(image: Tensor, rows: int, columns: int) -> Tensor:
    """A pixel shuffle with a factor of its own for each axis.

    `(B, C * rows * columns, H, W)` to `(B, C, H * rows, W * columns)`.
    """
    batch, _, height, width = image.shape
    parts = image.reshape(batch, -1, rows, columns, height, width)
    return parts.permute(0, 1, 4, 2, 5, 3).flatten(4, 5).flatten(2, 3)
