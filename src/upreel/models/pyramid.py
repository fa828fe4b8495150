"""Features of the instant between two frames, or of a memory at a frame, by pyramids.

Source: Xiang et al. 2020, "Zooming Slow-Mo", whose alignment MSITF runs in one direction; layers
and names of tensors as in MSITF. Offsets are found at a quarter of the size and refined at each
larger one, as in EDVR; there is no optical flow.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.models.basicvsr import SLOPE
from upreel.models.edvr import DeformConv
from upreel.ops.deform import deform_conv2d

AlignSource = Literal["first", "both"]
"""Whose features are sampled: those of the first frame alone, as published, or of both."""

Pyramid = tuple[Tensor, Tensor, Tensor]
"""Features at the full size, half of it and a quarter, `(B, C, H, W)`."""

MULTIPLE = 4
"""Of the sides of a frame."""

_REACH = 10.0
"""How far a tap of a deformable convolution can look at each size, pixels."""


class BoundedDeformConv(DeformConv):
    """A deformable convolution whose taps stay near."""

    def forward(self, x: Tensor, hints: Tensor) -> Tensor:
        """Both `(B, C, H, W)`, to the same."""
        found = self.conv_offset(hints)
        offset, mask = found.split([found.shape[1] // 3 * 2, found.shape[1] // 3], 1)
        reach = _REACH * offset.float().tanh()
        return deform_conv2d(x, reach, mask=mask.sigmoid(), weight=self.weight, bias=self.bias)


class PyramidAlignment(nn.ModuleDict):
    """Sample the features of one frame so that they fit those of another."""

    def __init__(self, channels: int) -> None:
        both = 2 * channels
        layers: dict[str, nn.Module] = {}
        for level in (3, 2, 1):
            top = level == 3
            layers[f"L{level}_offset_conv1_1"] = _conv(both, channels)
            layers[f"L{level}_offset_conv2_1"] = _conv(channels if top else both, channels)
            if not top:
                layers[f"L{level}_offset_conv3_1"] = _conv(channels, channels)
            layers[f"L{level}_dcnpack_1"] = BoundedDeformConv(channels)
            if not top:
                layers[f"L{level}_fea_conv_1"] = _conv(both, channels)
        super().__init__(layers)

    def forward(self, sampled: Pyramid, other: Pyramid) -> Tensor:
        """Features of the full size, `(B, C, H, W)`."""
        hints = features = torch.empty(0)
        for level, theirs, ours in zip((3, 2, 1), sampled[::-1], other[::-1], strict=True):
            hints_there, features_there = hints, features
            hints = _bend(self[f"L{level}_offset_conv1_1"](torch.cat((theirs, ours), 1)))
            if level < 3:  # motion is twice as long at twice the size
                hints = torch.cat((hints, 2 * _double(hints_there)), 1)
            hints = _bend(self[f"L{level}_offset_conv2_1"](hints))
            if level < 3:
                hints = _bend(self[f"L{level}_offset_conv3_1"](hints))
            features = self[f"L{level}_dcnpack_1"](theirs, hints)
            if level < 3:
                pair = torch.cat((features, _double(features_there)), 1)
                features = self[f"L{level}_fea_conv_1"](pair)
            if level > 1:
                features = _bend(features)
        return features

    def align(self, first: Pyramid, second: Pyramid, source: AlignSource) -> Tensor:
        """The first's features alone, or the mean of these and of the second's, sampled alike."""
        if source == "first":
            aligned: Tensor = self(first, second)
            return aligned
        large, half, quarter = (torch.cat(each) for each in zip(first, second, strict=True))
        swapped = [torch.cat(each) for each in zip(second, first, strict=True)]
        one, other = self((large, half, quarter), (swapped[0], swapped[1], swapped[2])).chunk(2)
        mean: Tensor = (one + other) / 2
        return mean


class PyramidFeatures(nn.Module):
    """What makes a pyramid, and aligns two of them."""

    def __init__(self, channels: int, source: AlignSource) -> None:
        super().__init__()
        self.source = source
        self.fea_L2_conv1 = _conv(channels, channels, stride=2)
        self.fea_L2_conv2 = _conv(channels, channels)
        self.fea_L3_conv1 = _conv(channels, channels, stride=2)
        self.fea_L3_conv2 = _conv(channels, channels)
        self.pcd_align = PyramidAlignment(channels)
        self.fusion = nn.Conv2d(channels, channels, 1)

    def build(self, large: Tensor) -> Pyramid:
        """The pyramid of features `(B, C, H, W)`, sides multiples of four."""
        half = _bend(self.fea_L2_conv2(_bend(self.fea_L2_conv1(large))))
        quarter = _bend(self.fea_L3_conv2(_bend(self.fea_L3_conv1(half))))
        return large, half, quarter

    def fuse(self, first: Pyramid, second: Pyramid) -> Tensor:
        """Features `(B, C, H, W)` made of both."""
        fused: Tensor = self.fusion(self.pcd_align.align(first, second, self.source))
        return fused


def _conv(planes: int, channels: int, *, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(planes, channels, 3, stride, 1)


def _bend(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE)


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
