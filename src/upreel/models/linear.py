"""One linear filter for each phase of the output: the best that a network has to beat."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.models.upscaler import Spec, State, Window


class Linear(nn.Module):
    """Enlarge luma by `scale * scale` filters, one for each position inside an output block.

    The border is mirrored with its sample repeated, as `ops.resize` does.
    """

    kernel: Tensor

    def __init__(self, scale: int = 4, *, size: int = 7) -> None:
        """Start as a repetition of samples.

        Args:
            scale: how many times larger.
            size: side of a filter, odd, in input pixels.
        """
        super().__init__()
        self.scale = scale
        kernel = torch.zeros(scale * scale, 1, size, size)
        kernel[..., size // 2, size // 2] = 1
        self.register_buffer("kernel", kernel)

    @property
    def spec(self) -> Spec:
        """No context, no state; a halo of half a filter."""
        return Spec(scale=self.scale, color="luma", halo=self.kernel.shape[-1] // 2)

    def forward(self, clip: Tensor) -> Tensor:
        """Filter `(B, T, C, H, W)` to `(B, T, C, H * scale, W * scale)`."""
        low = mirror(clip, self.kernel.shape[-1] // 2)
        phases = F.conv2d(low.reshape(-1, 1, *low.shape[-2:]), self.kernel.to(low))
        high = F.pixel_shuffle(phases, self.scale)
        return high.view(*clip.shape[:-2], *high.shape[-2:])

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge the middle of a window: see `Upscaler.step`."""
        return self(window.middle), {}


def mirror(image: Tensor, width: int) -> Tensor:
    """Extend the last two axes by `width` on each side, mirrored with the outer sample repeated."""
    for axis in (-2, -1):
        size = image.shape[axis]
        at = torch.arange(-width, size + width, device=image.device).remainder(2 * size)
        image = image.index_select(axis, torch.minimum(at, 2 * size - 1 - at))
    return image


def fit(pairs: Iterable[tuple[Tensor, Tensor]], scale: int, *, size: int = 7) -> Linear:
    """Find the filters with the least squared error, by the normal equations in double precision.

    Args:
        pairs: low `(H, W)` and its truth `(H * scale, W * scale)`, any range, equal weight for
            each pixel. Pixels whose filter would reach over the border are left out.
        scale: how many times larger.
        size: side of a filter, odd.

    Raises:
        ValueError: a truth is not `scale` times as large as its low frame.
    """
    taps, border = size * size, size // 2
    gram = torch.zeros(taps, taps, dtype=torch.float64)
    right = torch.zeros(taps, scale * scale, dtype=torch.float64)
    for low, high in pairs:
        if high.shape != (low.shape[0] * scale, low.shape[1] * scale):
            raise ValueError(
                f"expected a truth {scale} times as large as {tuple(low.shape)}, "
                f"found {tuple(high.shape)}"
            )
        patches = F.unfold(low[None, None].double(), size)[0]
        blocks = F.pixel_unshuffle(high[None].double(), scale)
        blocks = blocks[:, border : low.shape[0] - border, border : low.shape[1] - border]
        gram += patches @ patches.T
        right += patches @ blocks.flatten(1).T
    # The tiny ridge matters only where the frames lack detail and the filters are not determined.
    ridge = 1e-9 * gram.diagonal().mean() * torch.eye(taps, dtype=torch.float64)
    filters = torch.linalg.solve(gram + ridge, right)
    linear = Linear(scale, size=size)
    linear.kernel.copy_(filters.T.reshape(scale * scale, 1, size, size))
    return linear
