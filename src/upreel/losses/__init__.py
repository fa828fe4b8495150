"""What networks are trained on. Recipes choose one by its name in `LOSSES`."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from upreel.losses.pixels import charbonnier, rmse, steady_rmse

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Output and truth, `(B, T, C, H, W)`, and what each frame counts, `(T,)`, to a single number."""

LOSSES: dict[str, Loss] = {"charbonnier": charbonnier, "rmse": rmse, "steady-rmse": steady_rmse}
