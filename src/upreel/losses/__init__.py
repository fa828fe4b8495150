"""What networks are trained on. Recipes choose one by its name in `LOSSES`."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from upreel.losses.pixels import charbonnier

Loss = Callable[[Tensor, Tensor], Tensor]
"""`(B, T, C, H, W)` of output and of truth to `(B, T)`: the mean over each frame."""

LOSSES: dict[str, Loss] = {"charbonnier": charbonnier}
