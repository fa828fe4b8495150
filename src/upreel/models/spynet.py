"""SPyNet: optical flow by a pyramid of small networks, each of which corrects the one before.

Source: Ranjan and Black 2017, "Optical flow estimation using a spatial pyramid network"; layers and
names of tensors as in BasicSR. It lives inside BasicVSR and its followers, whose files hold it, and
can be used alone.

What differs: it takes frames of any size, also of one pixel. The coarsest level begins from a flow
of zeros at its own size, where the authors' code enlarges one of half that size, which is empty for
frames of up to 32 pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.ops.warp import warp

_LEVELS = 6
_MULTIPLE = 2 ** (_LEVELS - 1)


class Level(nn.Module):
    """Frame, moved neighbour and flow, `(B, 8, H, W)`, to what the flow lacks, `(B, 2, H, W)`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = (8, channels, 2 * channels, channels, channels // 2)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 7, padding=3), nn.ReLU(inplace=True)]
        last = nn.Conv2d(channels // 2, 2, 7, padding=3)
        # Without weights that know flow, begin with little of it: random motion is worse than none.
        last.weight.data.mul_(0.1)
        last.bias.data.zero_()  # type: ignore[union-attr]
        self.basic_module = nn.Sequential(*layers, last)

    def forward(self, x: Tensor) -> Tensor:
        """See above. Flow is float32 whatever the convolutions run in."""
        lacks: Tensor = self.basic_module(x.to(next(self.parameters()).dtype))
        return lacks.float()


class SPyNet(nn.Module):
    """See the head of this file. 1,440,300 weights as published."""

    mean: Tensor
    std: Tensor

    def __init__(self, *, channels: int = 32) -> None:
        """Build it with random weights that find almost no motion.

        Args:
            channels: of the first convolution of each level, on which the others depend.
        """
        super().__init__()
        self.basic_module = nn.ModuleList(Level(channels) for _ in range(_LEVELS))
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        self.register_buffer("mean", mean.view(1, 3, 1, 1))
        self.register_buffer("std", std.view(1, 3, 1, 1))

    def forward(self, frame: Tensor, neighbour: Tensor) -> Tensor:
        """Flow so that `frame(p)` looks like `neighbour(p + flow(p))`.

        Args:
            frame: RGB, `(B, 3, H, W)`, 0..1.
            neighbour: same shape.

        Returns:
            `(B, 2, H, W)`, float32: x then y, in pixels.
        """
        height, width = frame.shape[-2:]
        tall, wide = (-(-side // _MULTIPLE) * _MULTIPLE for side in (height, width))
        flow = self._descend(*(self._pyramid(image, (tall, wide)) for image in (frame, neighbour)))
        flow = F.interpolate(flow, (height, width), mode="bilinear", align_corners=False)
        return flow * flow.new_tensor([width / wide, height / tall]).view(1, 2, 1, 1)

    def _pyramid(self, image: Tensor, size: tuple[int, int]) -> list[Tensor]:
        """The image, stretched to a size and normalised, smallest first."""
        image = F.interpolate(image.float(), size, mode="bilinear", align_corners=False)
        images = [(image - self.mean.float()) / self.std.float()]
        for _ in range(_LEVELS - 1):
            images.insert(0, F.avg_pool2d(images[0], 2))
        return images

    def _descend(self, frames: list[Tensor], neighbours: list[Tensor]) -> Tensor:
        """From the smallest images to the largest."""
        flow = torch.zeros_like(frames[0][:, :2])
        for level, frame, neighbour in zip(self.basic_module, frames, neighbours, strict=True):
            if flow.shape != frame[:, :2].shape:
                flow = 2 * F.interpolate(flow, scale_factor=2, mode="bilinear", align_corners=True)
            seen = torch.cat((frame, warp(neighbour, flow), flow), 1)
            flow = flow + level(seen)
        return flow


def rename(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give tensors of mmagic's SPyNet, alone or inside a network, BasicSR's names.

    There each convolution is a module of its own beside its activation.
    """
    return {_rename(key): value for key, value in tensors.items()}


def _rename(key: str) -> str:
    if "basic_module." not in key or ".conv." not in key:
        return key
    level, layer, _, last = key.rsplit(".", 3)
    return f"{level}.{2 * int(layer)}.{last}"
