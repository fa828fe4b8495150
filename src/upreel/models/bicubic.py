"""Bicubic and Lanczos interpolation as upscalers: what every table compares with."""

from __future__ import annotations

import torch
from torch import Tensor

from upreel.models.linear import Linear
from upreel.ops.resize import Kernel, taps


class Bicubic(Linear):
    """Keys' cubic convolution with a = -0.5, the same as `ops.resize` and MATLAB's `imresize`.

    Computed as a small filter for each phase and a pixel shuffle, which is several times faster
    than one resize of each axis.
    """

    def __init__(self, scale: int = 4, *, phase: float = 0.0) -> None:
        """Build the filters.

        Args:
            scale: how many times larger.
            phase: where a sample lies, in output pixels from the centre of the block of
                `scale * scale` output pixels that it stands for. Zero for BI. BD-DUF samples the
                first pixel of each block: -1.5 for a scale of 4, `(1 - scale) / 2` in general.
        """
        kernel = interpolation_kernel(scale, phase=phase)
        super().__init__(scale, size=kernel.shape[-1])
        self.kernel.copy_(kernel)


class Lanczos(Linear):
    """Lanczos interpolation with three lobes, the same as `ops.resize`."""

    def __init__(self, scale: int = 4) -> None:
        """Build the filters: how many times larger."""
        kernel = interpolation_kernel(scale, kernel="lanczos3")
        super().__init__(scale, size=kernel.shape[-1])
        self.kernel.copy_(kernel)


def interpolation_kernel(scale: int, *, phase: float = 0.0, kernel: Kernel = "cubic") -> Tensor:
    """Filters of an interpolation, `(scale * scale, 1, size, size)`, float32.

    Output channel `i * scale + j` is row `i`, column `j` of the output block (pixel shuffle's
    order). See `Bicubic` for the other arguments.
    """
    length = 16
    centre = length // 2
    indices, weights = taps(length, length * scale, kernel=kernel, shift=-phase / scale)
    block = slice(centre * scale, (centre + 1) * scale)
    offsets, weights = indices[block] - centre, weights[block]
    reach = int(offsets[weights != 0].abs().max())
    offsets = torch.where(weights != 0, offsets, 0)
    rows = torch.zeros(scale, 2 * reach + 1, dtype=torch.float64)
    rows.scatter_add_(1, offsets + reach, weights)
    filters = torch.einsum("ik,jl->ijkl", rows, rows)
    return filters.reshape(scale * scale, 1, *filters.shape[-2:]).float()
