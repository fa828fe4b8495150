"""SRVGGNet-compact: the small per-frame network that fast applications run.

Source: the `SRVGGNetCompact` of Real-ESRGAN (Wang et al. 2021, "Real-ESRGAN: training real-world
blind super-resolution with pure synthetic data"). Written anew; no weights ship: it is the peer
that speed is compared with.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from upreel.models.upscaler import Color, Spec, State, Window


class Compact(nn.Module):
    """A plain stack of 3x3 convolutions at input resolution, added to the repeated input."""

    def __init__(
        self, scale: int = 4, *, color: Color = "rgb", channels: int = 64, layers: int = 16
    ) -> None:
        """Build it with random weights.

        Args:
            scale: how many times larger.
            color: what its frames are.
            channels: of every layer.
            layers: convolutions between the first and the last.
        """
        super().__init__()
        self.scale, self.color, self.layers = scale, color, layers
        planes = 3 if color == "rgb" else 1
        stack: list[nn.Module] = []
        for index in range(layers + 1):
            stack += [
                nn.Conv2d(channels if index else planes, channels, 3, padding=1),
                nn.PReLU(channels),
            ]
        self.body = nn.Sequential(*stack)
        self.last = nn.Conv2d(channels, planes * scale * scale, 3, padding=1)

    @property
    def spec(self) -> Spec:
        """No context, no state; each convolution looks one pixel further."""
        return Spec(scale=self.scale, color=self.color, halo=self.layers + 2)

    def forward(self, clip: Tensor) -> Tensor:
        """Enlarge `(B, T, C, H, W)` to `(B, T, C, H * scale, W * scale)`, float32."""
        low = clip.flatten(0, 1)
        residual = self.last(self.body(low.to(self.last.weight.dtype))).float()
        high = F.pixel_shuffle(residual, self.scale) + F.interpolate(low, scale_factor=self.scale)
        return high.view(*clip.shape[:2], *high.shape[1:])

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge the middle of a window: see `Upscaler.step`."""
        return self(window.middle), {}
