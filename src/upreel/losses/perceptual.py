"""Compare what a network trained on photographs sees in two pictures, not their pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from upreel.errors import UsageError
from upreel.losses.seen import Seen
from upreel.models.vgg import TrunkName, make_trunk, standardize

Values = Literal["imagenet", "raw", "maximum"]

_DARKEST = 1 / 255


class Perceptual:
    """The distance of features, averaged over each layer and summed over layers.

    Source: Johnson et al. 2016, "Perceptual losses for real-time style transfer and
    super-resolution". SRGAN takes `relu5_4` and squares, ESRGAN `conv5_4` and absolute values,
    iSeeBetter `pool5` of `vgg16`, squares and raw values, Chadha and Masoud 2019 `relu3_1`, squares
    and values divided by their maximum.
    """

    def __init__(
        self,
        *,
        trunk: TrunkName = "vgg19",
        layers: list[str] | None = None,
        layer_weights: list[float] | None = None,
        distance: Literal["l1", "mse"] = "l1",
        values: Values = "imagenet",
        weights: str = "",
        seed: int | None = None,
    ) -> None:
        """Load the trunk.

        Args:
            trunk: which network.
            layers: `conv5_4` is before its ReLU, `relu5_4` after it. The last convolution
                without it.
            layer_weights: what each layer counts; 1 without it.
            distance: absolute or squared.
            values: what the trunk is shown. `imagenet`: what it was trained on, see `standardize`;
                `raw`: 0..1; `maximum`: output and truth each divided by its greatest value in the
                batch. With the last two features are weaker than they could be, and with the last
                one nobody notices that an output is too dark: they are for repeating what was
                published.
            weights: a file; without it, what `upreel models get` fetched.
            seed: random numbers in place of weights: see `make_trunk`.

        Raises:
            UsageError: an option cannot be.
            WeightsError: there are no weights, or they do not fit.
        """
        path = Path(weights).expanduser() if weights else None
        self.trunk = make_trunk(trunk, weights=path, seed=seed)
        self.layers = layers or [name for name in self.trunk.layers if name[0] == "c"][-1:]
        self.trunk.check(self.layers)
        self.layer_weights = layer_weights or [1.0] * len(self.layers)
        if len(self.layer_weights) != len(self.layers):
            raise UsageError(
                f"expected a layer_weight for each of {len(self.layers)} layers of perceptual, "
                f"found {len(self.layer_weights)}"
            )
        self.distance, self.values = distance, values

    def __call__(self, seen: Seen) -> Tensor:
        """The loss of a batch; luma is shown to the trunk as grey."""
        self.trunk.to(seen.output.device)
        output = self.trunk(self._prepare(seen.output), self.layers)
        with torch.no_grad():
            truth = self.trunk(self._prepare(seen.truth), self.layers)
        total = seen.output.new_zeros((), dtype=output[0].dtype)
        for ours, theirs, counts in zip(output, truth, self.layer_weights, strict=True):
            error = (ours - theirs).square() if self.distance == "mse" else (ours - theirs).abs()
            frames = error.mean((1, 2, 3)).view(seen.output.shape[:2])
            total = total + counts * (frames @ seen.weight.to(frames)).mean()
        return total

    def _prepare(self, clip: Tensor) -> Tensor:
        """The frames of `(B, T, C, H, W)` as the trunk sees them."""
        images = clip.flatten(0, 1).float()
        if self.values == "imagenet":
            return standardize(images)
        if self.values == "maximum":
            images = images / images.amax().clamp_min(_DARKEST)
        return images.expand(-1, 3, -1, -1)
