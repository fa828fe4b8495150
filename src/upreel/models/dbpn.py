"""DBPN: back-projection between low and high resolution, for single images.

Source: Haris et al. 2018, "Deep back-projection networks for super-resolution"; layers, names of
tensors and the first weights as in the authors' PyTorch code (alterzero/DBPN-Pytorch). RBPN is made
of the same blocks (`models/rbpn.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import cast

import torch
from torch import Tensor, nn

from upreel.errors import WeightsError
from upreel.models.pixels import PLANES, exactly, interpolate, tile_of, type_of
from upreel.models.upscaler import Color, Spec, State, Window

_KERNELS = {1: (3, 1, 1), 2: (6, 2, 2), 3: (7, 3, 2), 4: (8, 4, 2), 8: (12, 8, 2)}
"""Kernel, stride and padding of what changes the resolution, by scale; 3 is not in that code."""


def steps_of(scale: int) -> tuple[int, int, int]:
    """Kernel, stride and padding of a convolution that changes the resolution `scale` times.

    Raises:
        ValueError: there is none for this scale.
    """
    if scale not in _KERNELS:
        raise ValueError(f"expected a scale out of {', '.join(map(str, _KERNELS))}, found {scale}")
    return _KERNELS[scale]


class ConvBlock(nn.Module):
    """A convolution, then PReLU with a single slope unless `act` is off."""

    def __init__(
        self, channels: int, out: int, kernel: int, stride: int = 1, padding: int = 0, *,
        act: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, stride, padding)
        self.act = nn.PReLU() if act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to `(B, out, H / stride, W / stride)`."""
        y: Tensor = self.act(self.conv(x))
        return y


class DeconvBlock(nn.Module):
    """A transposed convolution, then PReLU with a single slope."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, padding: int) -> None:
        super().__init__()
        self.deconv = nn.ConvTranspose2d(channels, out, kernel, stride, padding)
        self.act = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to `(B, out, H * stride, W * stride)`."""
        y: Tensor = self.act(self.deconv(x))
        return y


class UpBlock(nn.Module):
    """Up, down again, and what was lost of the input is brought up as well.

    With `inputs` above 1, as many features are first reduced to one by a 1x1 convolution.
    """

    def __init__(self, channels: int, scale: int, *, inputs: int = 1) -> None:
        super().__init__()
        steps = steps_of(scale)
        self.conv = ConvBlock(channels * inputs, channels, 1) if inputs > 1 else None
        self.up_conv1 = DeconvBlock(channels, channels, *steps)
        self.up_conv2 = ConvBlock(channels, channels, *steps)
        self.up_conv3 = DeconvBlock(channels, channels, *steps)

    def forward(self, low: Tensor) -> Tensor:
        """`(B, C * inputs, H, W)` to `(B, C, H * scale, W * scale)`."""
        if self.conv is not None:
            low = self.conv(low)
        high: Tensor = self.up_conv1(low)
        lost = self.up_conv2(high) - low
        added: Tensor = self.up_conv3(lost)
        return high + added


class DownBlock(nn.Module):
    """Down, up again, and what was lost of the input is brought down as well.

    With `inputs` above 1, as many features are first reduced to one by a 1x1 convolution.
    """

    def __init__(self, channels: int, scale: int, *, inputs: int = 1) -> None:
        super().__init__()
        steps = steps_of(scale)
        self.conv = ConvBlock(channels * inputs, channels, 1) if inputs > 1 else None
        self.down_conv1 = ConvBlock(channels, channels, *steps)
        self.down_conv2 = DeconvBlock(channels, channels, *steps)
        self.down_conv3 = ConvBlock(channels, channels, *steps)

    def forward(self, high: Tensor) -> Tensor:
        """`(B, C * inputs, H * scale, W * scale)` to `(B, C, H, W)`."""
        if self.conv is not None:
            high = self.conv(high)
        low: Tensor = self.down_conv1(high)
        lost = self.down_conv2(low) - high
        added: Tensor = self.down_conv3(lost)
        return low + added


class DBPN(nn.Module):
    """See the head of this file. Stages from the third on see all that came before (dense)."""

    def __init__(
        self,
        scale: int = 4,
        *,
        color: Color = "rgb",
        stages: int = 7,
        features: int = 256,
        channels: int = 64,
        residual: bool = False,
    ) -> None:
        """Build it with random weights.

        Args:
            scale: 1, 2, 3, 4 or 8.
            color: what its frames are.
            stages: times that features are brought up: 7 for D-DBPN, 2 for DBPN-S.
            features: of the first convolution.
            channels: of the back-projection.
            residual: whether the interpolated frame is added.
        """
        super().__init__()
        self.scale, self.color, self.stages, self.residual = scale, color, stages, residual
        self.channels = channels
        self.feat0 = ConvBlock(PLANES[color], features, 3, padding=1)
        self.feat1 = ConvBlock(features, channels, 1)
        for stage in range(1, stages + 1):
            self.add_module(f"up{stage}", UpBlock(channels, scale, inputs=max(stage - 1, 1)))
            if stage < stages:
                self.add_module(f"down{stage}", DownBlock(channels, scale, inputs=stage))
        self.output_conv = ConvBlock(stages * channels, PLANES[color], 3, padding=1, act=False)
        start(self)
        if residual:  # begin close to what is added to
            self.output_conv.conv.weight.data.mul_(0.1)

    @staticmethod
    def arguments_of(tensors: Mapping[str, Tensor]) -> dict[str, int | str | bool] | None:
        """What the constructor has to be called with for published weights, if these are such."""
        if not {"feat0.conv.weight", "up1.up_conv1.deconv.weight", "output_conv.conv.weight"} <= (
            tensors.keys()
        ):
            return None
        first, last = tensors["feat0.conv.weight"], tensors["output_conv.conv.weight"]
        up = tensors["up1.up_conv1.deconv.weight"]
        stages = next(n for n in count(1) if f"up{n + 1}.up_conv1.deconv.weight" not in tensors)
        return {
            "scale": scale_of(up),
            "color": "luma" if len(last) == 1 else "rgb",
            "stages": stages,
            "features": len(first),
            "channels": len(up),
        }

    @property
    def spec(self) -> Spec:
        """A single frame. What a pixel depends on reaches far, and fades."""
        return Spec(
            scale=self.scale,
            color=self.color,
            exact=False,
            tile=tile_of(self.stages * self.channels, self.scale),
        )

    def forward(self, clip: Tensor) -> Tensor:
        """Enlarge `(B, T, C, H, W)` to `(B, T, C, H * scale, W * scale)`, float32."""
        frame = clip.flatten(0, 1)
        low = [self.feat1(enter(self.feat0, frame))]
        high: list[Tensor] = []
        for stage in range(1, self.stages + 1):
            high.insert(0, self.get_submodule(f"up{stage}")(torch.cat(low, 1)))
            if stage == self.stages:
                break
            down = self.get_submodule(f"down{stage}")(torch.cat(high, 1))
            # The frame's own features are seen by the first stage alone.
            low = [down] if stage == 1 else [down, *low]
        image = exactly(self.output_conv.conv, torch.cat(high, 1))
        if self.residual:
            image = image + interpolate(frame, self.scale)
        return image.view(*clip.shape[:2], *image.shape[1:])

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge the middle of a window: see `Upscaler.step`."""
        return self(window.middle), {}


def start(network: nn.Module) -> None:
    """First weights as published: He's normal ones by the fan that torch finds, biases zero."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight)
            nn.init.zeros_(cast(Tensor, module.bias))


def scale_of(deconv: Tensor) -> int:
    """The scale of a network whose transposed convolutions have such weights.

    Raises:
        WeightsError: there is none.
    """
    kernels = {kernel: scale for scale, (kernel, _, _) in _KERNELS.items()}
    if deconv.shape[-1] not in kernels:
        raise WeightsError(
            f"expected kernels of {', '.join(map(str, kernels))} pixels in a back-projection "
            f"network, found {deconv.shape[-1]}"
        )
    return kernels[deconv.shape[-1]]


def enter(block: ConvBlock, frame: Tensor) -> Tensor:
    """The first features of a frame."""
    x = exactly(block.conv, frame)
    features: Tensor = block.act(x.to(type_of(block.conv, frame.device)))
    return features
