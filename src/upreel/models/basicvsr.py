"""BasicVSR: features travel through the clip, first from its end to its beginning, then back.

Source: Chan et al. 2021, "BasicVSR: the search for essential components in video super-resolution
and beyond"; layers, names of tensors and the first weights as in BasicSR. The parts are shared with
its followers (`models.basicvsrpp`, `models.iconvsr`) and with EDVR.

The network wants the whole clip. `step` gives it a window: the way from beginning to end goes on
from window to window in the state, the way back starts anew at the end of each, `future` frames
after the last one that is enlarged. Memory does not grow with the length of the clip. What that
costs fades with each frame ahead: the last frame of a window lies 56 dB from the whole clip with
none, 72 with three, 81 with five, where a clip's PSNR differs by 0.0001 dB, of a briefly trained
`tiny` (`docs/experiments.md`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.models import spynet
from upreel.models.spynet import SPyNet
from upreel.models.upscaler import Spec, State, StateSpec, Window
from upreel.ops.warp import warp

Variant = Literal["paper", "tiny"]

SLOPE = 0.1
"""Of the leaky rectifiers of this family."""

TILE = 320
"""Side of the tiles of this family, in pixels of a frame: the tensors of a window take 2.2 GB at
most (IconVSR 2.4, DFlow 2.5, EDVR 1.8) in float32. Frames of 320x180 stay whole."""

_STRIP = 2**16  # pixels of a frame whose large features are held at a time
_REACH = 2  # of the last layers, in pixels of the frame


@dataclass(frozen=True, slots=True)
class Widths:
    """How large a network is.

    Attributes:
        features: channels of what travels.
        blocks: residual blocks of each trunk.
        tail: channels at the size of the output.
        flow: channels of SPyNet's first convolutions.
    """

    features: int
    blocks: int
    tail: int = 64
    flow: int = 32


VARIANTS: dict[Variant, Widths] = {"paper": Widths(64, 30), "tiny": Widths(24, 3, 16, 8)}
"""The published size, and one that a CPU can train."""


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        for conv in (self.conv1, self.conv2):
            nn.init.kaiming_normal_(conv.weight)
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
            conv.weight.data.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same."""
        y: Tensor = x + self.conv2(F.relu(self.conv1(x), inplace=True))
        return y


class Trunk(nn.Module):
    """A convolution, then residual blocks."""

    def __init__(self, planes: int, channels: int, blocks: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(planes, channels, 3, padding=1),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks))),
        )

    def forward(self, *parts: Tensor) -> Tensor:
        """Features of several `(B, ?, H, W)`, one behind the other: `(B, channels, H, W)`."""
        kind = next(self.parameters()).dtype
        features: Tensor = self.main(torch.cat([part.to(kind) for part in parts], 1))
        return features


class Tail(nn.Module):
    """A network that ends in four times the size: its last layers, and the sum with the frame."""

    def build_tail(self, features: int, tail: int = 64) -> None:
        """Add the layers."""
        self.upconv1 = nn.Conv2d(features, features * 4, 3, padding=1)
        self.upconv2 = nn.Conv2d(features, tail * 4, 3, padding=1)
        self.conv_hr = nn.Conv2d(tail, tail, 3, padding=1)
        self.conv_last = nn.Conv2d(tail, 3, 3, padding=1)

    def enlarge(self, features: Tensor, frame: Tensor) -> Tensor:
        """Turn `(B, C, H, W)` into what the frame `(B, 3, H, W)` lacks, and add it in float32.

        Large frames are done in strips, because features at the size of the output are many.

        Returns:
            `(B, 3, H * 4, W * 4)`, float32.
        """
        height, width = frame.shape[-2:]
        rows = max(_STRIP // width, 1)
        strips = []
        for top in range(0, height, rows):
            first, last = max(0, top - _REACH), min(height, top + rows + _REACH)
            lacks = self._lacks(features[..., first:last, :])
            strips.append(lacks[..., 4 * (top - first) :, :][..., : 4 * rows, :])
        base = F.interpolate(frame.float(), scale_factor=4, mode="bilinear", align_corners=False)
        high: Tensor = base + torch.cat(strips, -2).float()
        return high

    def _lacks(self, features: Tensor) -> Tensor:
        for conv in (self.upconv1, self.upconv2):
            features = F.leaky_relu_(F.pixel_shuffle(conv(features), 2), SLOPE)
        lacks: Tensor = self.conv_last(F.leaky_relu_(self.conv_hr(features), SLOPE))
        return lacks


class BasicVSR(Tail):
    """See the head of this file. 6,291,311 weights as published."""

    def __init__(
        self,
        scale: int = 4,
        *,
        variant: Variant = "paper",
        features: int | None = None,
        blocks: int | None = None,
        chunk: int = 10,
        future: int = 5,
    ) -> None:
        """Build it with random weights.

        Args:
            scale: 4.
            variant: how large it is.
            features: instead of the variant's.
            blocks: instead of the variant's.
            chunk: frames that one step enlarges.
            future: frames that one step sees after these.

        Raises:
            ValueError: there is no such network.
        """
        super().__init__()
        check_scale(scale)
        widths = VARIANTS[variant]
        self.features, self.chunk, self.future = features or widths.features, chunk, future
        blocks = widths.blocks if blocks is None else blocks
        self.spynet = SPyNet(channels=widths.flow)
        self.backward_trunk = Trunk(3 + self.features, self.features, blocks)
        self.forward_trunk = Trunk(3 + self.features, self.features, blocks)
        self.fusion = nn.Conv2d(2 * self.features, self.features, 1)
        self.build_tail(self.features, widths.tail)

    @staticmethod
    def arguments_of(tensors: Mapping[str, Tensor]) -> dict[str, int] | None:
        """What the constructor has to be called with for weights after `rename`, if these fit."""
        if not {"fusion.weight", "backward_trunk.main.0.weight"} <= tensors.keys():
            return None
        return {
            "features": len(tensors["fusion.weight"]),
            "blocks": blocks_of(tensors, "backward_trunk"),
        }

    @property
    def spec(self) -> Spec:
        """The frame before, some after; features of the frame before."""
        return Spec(
            scale=4,
            color="rgb",
            past=1,
            future=self.future,
            step=self.chunk,
            state={"features": StateSpec(self.features)},
            exact=False,
            windowed=60.0,
            tile=TILE,
        )

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge the middle of a window: see `Upscaler.step`."""
        frames = window.clip.unbind(1)
        behind = self._propagate_back(frames, window.past, len(frames) - window.future)
        features, high = state.get("features"), []
        for index, later in enumerate(behind, window.past):
            features = self._advance(frames, index, features)
            fused = F.leaky_relu_(self.fusion(torch.cat((later, features), 1)), SLOPE)
            high.append(self.enlarge(fused, frames[index]))
        assert features is not None
        return torch.stack(high, 1), {"features": features}

    def forward(self, clip: Tensor) -> Tensor:
        """Enlarge a whole clip, as published: `(B, T, 3, H, W)` to `(B, T, 3, H * 4, W * 4)`."""
        return self.step(Window(clip), {})[0]

    def _propagate_back(self, frames: Sequence[Tensor], first: int, last: int) -> list[Tensor]:
        """Features on the way from the end to the beginning, of the frames `first..last - 1`."""
        kept: list[Tensor] = []
        features: Tensor | None = None
        for index in reversed(range(first, len(frames))):
            if features is None:
                features = blank(frames[index], self.features)
            else:
                flow = self.spynet(frames[index], frames[index + 1])
                features = move(features, flow)
            features = self.backward_trunk(frames[index], features)
            if index < last:
                kept.insert(0, features)
        return kept

    def _advance(self, frames: Sequence[Tensor], index: int, features: Tensor | None) -> Tensor:
        """One step on the way from the beginning to the end."""
        if features is None:
            features = blank(frames[index], self.features)
        else:
            features = move(features, self.spynet(frames[index], frames[index - 1]))
        advanced: Tensor = self.forward_trunk(frames[index], features)
        return advanced


def blank(frame: Tensor, channels: int) -> Tensor:
    """Features of nothing, `(B, channels, H, W)`."""
    return frame.new_zeros(len(frame), channels, *frame.shape[-2:])


def move(features: Tensor, flow: Tensor) -> Tensor:
    """Warp features `(B, C, H, W)`, zeros outside, computed in float32."""
    return warp(features.float(), flow, outside="zeros").to(features.dtype)


def check_scale(scale: int) -> None:
    """Refuse what these networks cannot do.

    Raises:
        ValueError: the scale is not 4.
    """
    if scale != 4:
        raise ValueError(f"expected a scale of 4, found {scale}")


def blocks_of(tensors: Mapping[str, Tensor], trunk: str) -> int:
    """How many residual blocks a trunk has."""
    return next(n for n in count() if f"{trunk}.main.2.{n}.conv1.weight" not in tensors)


def rename(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give tensors of mmagic's files of this family the names that they have here and in BasicSR.

    Names that are right already are kept.
    """
    renamed = {}
    for key, value in spynet.rename(tensors).items():
        own = key.removeprefix("generator.")
        for theirs, ours in _OURS.items():
            own = own.replace(theirs, ours)
        if own != "step_counter":
            renamed[own] = value
    return renamed


_OURS = {
    "backward_resblocks.": "backward_trunk.",
    "forward_resblocks.": "forward_trunk.",
    "upsample1.upsample_conv.": "upconv1.",
    "upsample2.upsample_conv.": "upconv2.",
}
