"""EDVR: neighbours aligned by a pyramid of deformable convolutions, then weighed by attention.

Source: Wang et al. 2019, "EDVR: video restoration with enhanced deformable convolutional networks";
layers, names of tensors and the first weights as in BasicSR. The variant `paper` is EDVR-M, the
medium size, which later networks are compared with and IconVSR has inside; `large` is EDVR-L.

What differs: frames of any size; they are mirrored to a multiple of four.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.models.basicvsr import SLOPE, TILE, ResidualBlock, Tail, check_scale
from upreel.models.upscaler import Spec, State, StateSpec, Window
from upreel.ops.deform import deform_conv2d

Variant = Literal["paper", "large", "tiny"]

VARIANTS: dict[Variant, tuple[int, int, int]] = {
    "paper": (64, 5, 10),
    "large": (128, 5, 40),
    "tiny": (16, 1, 2),
}
"""Channels, and residual blocks before and after the fusion."""

MULTIPLE = 4
_GROUPS = 8
_LEVELS = ("l3", "l2", "l1")
_SIZES = ("large", "half", "quarter")
"""Features of a frame, each half as large as those before."""


def _conv(planes: int, channels: int, size: int = 3, *, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(planes, channels, size, stride, size // 2)


def _bend(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE)


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class DeformConv(nn.Module):
    """A deformable convolution whose offsets and masks are made of other features."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        like = _conv(channels, channels)
        self.weight, self.bias = like.weight, nn.Parameter(torch.zeros(channels))
        self.conv_offset = _conv(channels, 27 * _GROUPS)
        for tensor in self.conv_offset.parameters():
            nn.init.zeros_(tensor)

    def forward(self, x: Tensor, hints: Tensor) -> Tensor:
        """Both `(B, C, H, W)`, to the same."""
        offset, mask = self.conv_offset(hints).split([18 * _GROUPS, 9 * _GROUPS], 1)
        return deform_conv2d(x, offset, mask=mask.sigmoid(), weight=self.weight, bias=self.bias)


class PyramidAlignment(nn.Module):
    """PCD: align a neighbour from its smallest features to its largest, then once more."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        both = 2 * channels
        self.offset_conv1 = nn.ModuleDict({level: _conv(both, channels) for level in _LEVELS})
        self.offset_conv2 = nn.ModuleDict(
            {level: _conv(channels if level == "l3" else both, channels) for level in _LEVELS}
        )
        self.offset_conv3 = nn.ModuleDict(
            {level: _conv(channels, channels) for level in _LEVELS[1:]}
        )
        self.dcn_pack = nn.ModuleDict({level: DeformConv(channels) for level in _LEVELS})
        self.feat_conv = nn.ModuleDict({level: _conv(both, channels) for level in _LEVELS[1:]})
        self.cas_offset_conv1 = _conv(both, channels)
        self.cas_offset_conv2 = _conv(channels, channels)
        self.cas_dcnpack = DeformConv(channels)

    def forward(self, neighbour: Sequence[Tensor], middle: Sequence[Tensor]) -> Tensor:
        """Features of three sizes each, largest first; to those of the largest size."""
        hints = features = torch.empty(0)
        for level, theirs, ours in zip(_LEVELS, neighbour[::-1], middle[::-1], strict=True):
            found = _bend(self.offset_conv1[level](torch.cat((theirs, ours), 1)))
            if level != "l3":  # motion is twice as long at twice the size
                found = torch.cat((found, 2 * _double(hints)), 1)
            hints = _bend(self.offset_conv2[level](found))
            if level != "l3":
                hints = _bend(self.offset_conv3[level](hints))
            aligned = self.dcn_pack[level](theirs, hints)
            if level != "l3":
                aligned = self.feat_conv[level](torch.cat((aligned, _double(features)), 1))
            features = aligned if level == "l1" else _bend(aligned)
        found = _bend(self.cas_offset_conv1(torch.cat((features, middle[0]), 1)))
        return _bend(self.cas_dcnpack(features, _bend(self.cas_offset_conv2(found))))


class Attention(nn.Module):
    """TSA: weigh aligned frames by how they resemble the middle one, fuse them, weigh in space."""

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        self.temporal_attn1, self.temporal_attn2 = (_conv(channels, channels) for _ in range(2))
        self.feat_fusion = _conv(frames * channels, channels, 1)
        self.spatial_attn1 = _conv(frames * channels, channels, 1)
        self.spatial_attn2 = _conv(2 * channels, channels, 1)
        self.spatial_attn3 = _conv(channels, channels)
        self.spatial_attn4 = _conv(channels, channels, 1)
        self.spatial_attn5 = _conv(channels, channels)
        self.spatial_attn_l1 = _conv(channels, channels, 1)
        self.spatial_attn_l2 = _conv(2 * channels, channels)
        self.spatial_attn_l3 = _conv(channels, channels)
        self.spatial_attn_add1, self.spatial_attn_add2 = (
            _conv(channels, channels, 1) for _ in range(2)
        )

    def forward(self, aligned: Tensor) -> Tensor:
        """`(B, T, C, H, W)` to `(B, C, H, W)`."""
        frames = aligned.shape[1]
        ours = self.temporal_attn1(aligned[:, frames // 2])
        theirs = self.temporal_attn2(aligned.flatten(0, 1)).view_as(aligned)
        likeness = (theirs * ours[:, None]).sum(2, keepdim=True).sigmoid()
        weighed = (aligned * likeness).flatten(1, 2)
        fused = _bend(self.feat_fusion(weighed))
        half = _bend(self.spatial_attn2(_pool(_bend(self.spatial_attn1(weighed)))))
        quarter = _bend(self.spatial_attn_l2(_pool(_bend(self.spatial_attn_l1(half)))))
        quarter = _double(_bend(self.spatial_attn_l3(quarter)))
        half = _bend(self.spatial_attn4(_bend(self.spatial_attn3(half)) + quarter))
        attention = self.spatial_attn5(_double(half))
        added = self.spatial_attn_add2(_bend(self.spatial_attn_add1(attention)))
        features: Tensor = fused * attention.sigmoid() * 2 + added
        return features


def _pool(x: Tensor) -> Tensor:
    """Largest values and means of 3x3, at half the size."""
    return torch.cat((F.max_pool2d(x, 3, 2, 1), F.avg_pool2d(x, 3, 2, 1)), 1)


class FusedFeatures(nn.Module):
    """Features of a frame made of it and its neighbours."""

    def __init__(self, channels: int, frames: int, blocks: int, *, attention: bool = True) -> None:
        super().__init__()
        self.conv_first = _conv(3, channels)
        self.feature_extraction = nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))
        self.conv_l2_1 = _conv(channels, channels, stride=2)
        self.conv_l2_2 = _conv(channels, channels)
        self.conv_l3_1 = _conv(channels, channels, stride=2)
        self.conv_l3_2 = _conv(channels, channels)
        self.pcd_align = PyramidAlignment(channels)
        self.fusion = (
            Attention(channels, frames) if attention else _conv(frames * channels, channels, 1)
        )

    def fuse(self, clip: Tensor) -> Tensor:
        """`(B, T, 3, H, W)`, sides multiples of four, to `(B, C, H, W)` for the middle frame."""
        sizes = self.extract(clip.flatten(0, 1))
        return self.align([x.view(*clip.shape[:2], *x.shape[1:]).unbind(1) for x in sizes])

    def extract(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features of frames `(B, 3, H, W)`, each for itself, at their size, a half, a quarter."""
        large = frames.to(self.conv_first.weight.dtype)
        large = self.feature_extraction(_bend(self.conv_first(large)))
        half = _bend(self.conv_l2_2(_bend(self.conv_l2_1(large))))
        return large, half, _bend(self.conv_l3_2(_bend(self.conv_l3_1(half))))

    def align(self, sizes: Sequence[Sequence[Tensor]]) -> Tensor:
        """Features of the middle frame, `(B, C, H, W)`, of those of all frames in three sizes."""
        frames = len(sizes[0])
        middle = [x[frames // 2] for x in sizes]
        aligned = torch.stack(
            [self.pcd_align([x[frame] for x in sizes], middle) for frame in range(frames)], 1
        )
        fused: Tensor = self.fusion(
            aligned if isinstance(self.fusion, Attention) else aligned.flatten(1, 2)
        )
        return fused


class EDVR(FusedFeatures, Tail):
    """See the head of this file. EDVR-M has 3,300,131 weights as published."""

    def __init__(
        self,
        scale: int = 4,
        *,
        variant: Variant = "paper",
        frames: int = 5,
        attention: bool = True,
    ) -> None:
        """Build it with random weights.

        Args:
            scale: 4.
            variant: how large it is.
            frames: that it looks at, an odd number.
            attention: whether aligned frames are weighed before they are fused.

        Raises:
            ValueError: there is no such network.
        """
        check_scale(scale)
        if frames % 2 == 0:
            raise ValueError(f"expected an odd number of frames, found {frames}")
        channels, before, after = VARIANTS[variant]
        super().__init__(channels, frames, before, attention=attention)
        self.channels = channels
        self.side = frames // 2
        self.reconstruction = nn.Sequential(*(ResidualBlock(channels) for _ in range(after)))
        self.build_tail(channels, 64)

    @staticmethod
    def arguments_of(tensors: Mapping[str, Tensor]) -> dict[str, str | int | bool] | None:
        """What the constructor has to be called with for these weights, if they fit."""
        if not {"pcd_align.cas_dcnpack.weight", "reconstruction.0.conv1.weight"} <= tensors.keys():
            return None
        channels = len(tensors["conv_first.weight"])
        attention = "fusion.weight" not in tensors
        fusion = tensors["fusion.feat_fusion.weight" if attention else "fusion.weight"]
        return {
            "variant": next(name for name, sizes in VARIANTS.items() if sizes[0] == channels),
            "frames": fusion.shape[1] // channels,
            "attention": attention,
        }

    @property
    def spec(self) -> Spec:
        """Neighbours on both sides; features of the frames that the next window has too."""
        channels = 2 * self.side * self.channels
        return Spec(
            scale=4,
            color="rgb",
            past=self.side,
            future=self.side,
            state={
                name: StateSpec(channels, Fraction(1, 2**level), cache=True)
                for level, name in enumerate(_SIZES)
            },
            multiple=MULTIPLE,
            exact=False,
            tile=TILE,
        )

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge one frame: see `Upscaler.step`. Missing neighbours are mirrored in time."""
        height, width = window.clip.shape[-2:]
        clip, last = fill(window.clip), window.clip.shape[1] - 1
        seen = self._see(clip, window, state)
        places = range(window.past - self.side, window.past + self.side + 1)
        there = [seen[_mirrored(place, last) - window.past] for place in places]
        features = self.reconstruction(self.align(list(zip(*there, strict=True))))
        high = self.enlarge(features, clip[:, window.past])[..., : 4 * height, : 4 * width]
        missing = [torch.zeros_like(x) for x in seen[0]]
        kept = [seen.get(offset, missing) for offset in range(1 - self.side, self.side + 1)]
        sizes = zip(_SIZES, zip(*kept, strict=True), strict=True)
        return high[:, None], {name: torch.cat(parts, 1) for name, parts in sizes}

    def _see(self, clip: Tensor, window: Window, state: State) -> dict[int, Sequence[Tensor]]:
        """Features of each frame of a window, by offset from the one to enlarge.

        The state has those of the frames that the step before saw.
        """
        known = list[tuple[Tensor, ...]]()
        if state:
            parts = (torch.split(state[name], self.channels, 1) for name in _SIZES)
            known = list(zip(*parts, strict=True))
        return {
            offset: known[offset + self.side]
            if offset + self.side < len(known)
            else self.extract(clip[:, place])
            for place, offset in enumerate(range(-window.past, window.future + 1))
        }

    def forward(self, clip: Tensor) -> Tensor:
        """Enlarge all frames of a clip that have all their neighbours.

        Args:
            clip: `(B, T, 3, H, W)`, 0..1, at least as many frames as the network looks at.

        Returns:
            `(B, T - frames + 1, 3, H * 4, W * 4)`, float32.
        """
        height, width = clip.shape[-2:]
        filled, high = fill(clip), []
        for middle in range(self.side, clip.shape[1] - self.side):
            seen = filled[:, middle - self.side : middle + self.side + 1]
            features = self.reconstruction(self.fuse(seen))
            high.append(self.enlarge(features, filled[:, middle]))
        return torch.stack(high, 1)[..., : 4 * height, : 4 * width]


def fill(clip: Tensor) -> Tensor:
    """Mirror frames at the bottom and on the right, up to sides that are multiples of four."""
    for axis in (-2, -1):
        size = clip.shape[axis]
        at = [_mirrored(place, size - 1) for place in range(-(-size // MULTIPLE) * MULTIPLE)]
        clip = clip.index_select(axis, torch.tensor(at, device=clip.device))
    return clip


def _mirrored(place: int, last: int) -> int:
    """A place that lies in `0..last`, or the one that is as far inside; or the nearest."""
    place = abs(place)
    return max(0, min(place, 2 * last - place))
