"""Swift: the default network. Small, causal but for one frame of look-ahead, recurrent, luma only.

Our own design, after FRVSR (Sajjadi et al. 2018, "Frame-recurrent video super-resolution": the
previous output, moved along the motion, is an input) and RLSP (Fuoli et al. 2019, "Efficient video
super-resolution through recurrent latent space propagation": so is a hidden state). What differs:

* Motion comes from outside (`ops.flow`), found on the small luma; nothing is learned for it.
* The previous output is moved by whole large pixels: it stays as sharp as it was made.
* The output is bicubic interpolation plus what the network adds. The interpolation and the sum are
  computed in float32 whatever the convolutions run in, so that flat areas keep their code values.
* With `fold` 2 the convolutions run at half the input resolution on four times the channels of
  input and output: the same number of multiplications with four times the weights.

`docs/experiments.md` has the measurements behind these choices.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.models.bicubic import cubic_kernel
from upreel.models.upscaler import Spec, State, StateSpec, Window
from upreel.ops.warp import bilinear_taps, gather_blocks, sum_rows


class Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same."""
        return x + self.second(F.relu(self.first(x)))


class Swift(nn.Module):
    """See the head of this file."""

    skip: Tensor

    def __init__(
        self,
        scale: int = 4,
        *,
        channels: int = 64,
        blocks: int = 2,
        hidden: int = 14,
        fold: int = 2,
        phase: float = 0.0,
    ) -> None:
        """Build it with random weights that add almost nothing to bicubic interpolation.

        Args:
            scale: how many times larger.
            channels: of the convolutions.
            blocks: residual blocks of two convolutions.
            hidden: channels of the state at input resolution; at most `channels / fold**2`.
            fold: side of the square of input pixels that become the channels of one.
            phase: of the interpolation, see `Bicubic`; -1.5 for BD-DUF at a scale of 4.
        """
        super().__init__()
        if hidden * fold**2 > channels:
            raise ValueError(
                f"expected at most {channels // fold**2} hidden channels for {channels} channels "
                f"folded by {fold}, found {hidden}"
            )
        self.scale, self.hidden, self.fold = scale, hidden, fold
        self.into = nn.Conv2d(fold**2 * (2 + hidden + scale**2), channels, 3, padding=1)
        self.body = nn.Sequential(*(Residual(channels) for _ in range(blocks)))
        self.out = nn.Conv2d(channels, (scale * fold) ** 2, 3, padding=1)
        self.register_buffer("skip", _folded(cubic_kernel(scale, phase=phase), scale, fold), False)
        self._start()

    def _start(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
                nn.init.zeros_(nn.init.zeros_(module.bias) if module.bias is not None else module.weight)
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, Residual):
                    module.second.weight.mul_(0.3)
            self.out.weight.mul_(0.1)
