"""Trunks that were trained to name what a picture shows: VGG16, VGG19, AlexNet.

Losses and metrics compare pictures by the features in between. Parameters are named and shaped as
in torchvision's published files, of which the classifier is left out.

Simonyan and Zisserman 2015, "Very deep convolutional networks for large-scale image recognition";
Krizhevsky 2014, "One weird trick for parallelizing convolutional neural networks".
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast, get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from upreel.errors import UsageError, WeightsError
from upreel.models.backbones import weights_file
from upreel.models.foreign import load_plain

TrunkName = Literal["vgg16", "vgg19", "alexnet"]

_VGG_WIDTHS = (64, 128, 256, 512, 512)
_VGG_DEPTHS: dict[TrunkName, tuple[int, ...]] = {
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}
# Channels in and out, side, stride, padding; whether a pooling follows the ReLU.
_ALEXNET = (
    (3, 64, 11, 4, 2, True),
    (64, 192, 5, 1, 2, True),
    (192, 384, 3, 1, 1, False),
    (384, 256, 3, 1, 1, False),
    (256, 256, 3, 1, 1, True),
)
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)


def standardize(image: Tensor) -> Tensor:
    """Bring `(B, 3, H, W)` in 0..1 to the range that the trunks were trained on.

    ImageNet's mean is taken off and its deviation divided by. One channel is taken three times.
    """
    if image.shape[1] == 1:
        image = image.expand(-1, 3, -1, -1)
    mean = torch.tensor(_MEAN, device=image.device, dtype=image.dtype).view(3, 1, 1)
    deviation = torch.tensor(_DEVIATION, device=image.device, dtype=image.dtype).view(3, 1, 1)
    return (image - mean) / deviation


class Trunk(nn.Module):
    """The convolutions of one of the networks.

    Attributes:
        layers: the names of what can be asked for, and their places: `conv5_4` is the last
            convolution of VGG19 before its ReLU, `relu5_4` after it, `pool5` what follows; AlexNet
            has `conv1`, `relu1`, `pool1`, ...
    """

    def __init__(self, name: TrunkName) -> None:
        """Make it, with random numbers.

        Raises:
            UsageError: there is none of this name.
        """
        super().__init__()
        if name not in get_args(TrunkName):
            known = ", ".join(get_args(TrunkName))
            raise UsageError(f"expected a trunk out of {known}, found {name!r}")
        named = _alexnet() if name == "alexnet" else _vgg(_VGG_DEPTHS[name])
        self.name = name
        self.features = nn.Sequential(*(module for _, module in named))
        self.layers = {layer: place for place, (layer, _) in enumerate(named)}

    def forward(self, image: Tensor, layers: Sequence[str]) -> tuple[Tensor, ...]:
        """Features of a picture.

        Args:
            image: `(B, 3, H, W)`, as `standardize` makes it.
            layers: names in `layers`.

        Returns:
            The features of each layer that was asked for, in that order, `(B, C, h, w)`.

        Raises:
            UsageError: the trunk has no such layer, or the picture is too small for it.
        """
        self.check(layers)
        self._check_size(image, layers)
        wanted = {self.layers[layer] for layer in layers}
        found: dict[int, Tensor] = {}
        for place, module in enumerate(list(self.features)[: max(wanted) + 1]):
            image = module(image)
            if place in wanted:
                found[place] = image
        return tuple(found[self.layers[layer]] for layer in layers)

    def check(self, layers: Sequence[str]) -> None:
        """Refuse layers that the trunk does not have.

        Raises:
            UsageError: there is one, or none is asked for.
        """
        for layer in layers or ("",):
            if layer not in self.layers:
                known = ", ".join(self.layers)
                raise UsageError(f"expected layers of {self.name} ({known}), found {layer!r}")

    def _check_size(self, image: Tensor, layers: Sequence[str]) -> None:
        """Refuse pictures of which nothing would be left."""
        deepest = max(layers, key=self.layers.__getitem__)
        sides = image.shape[-2:]
        for module in list(self.features)[: self.layers[deepest] + 1]:
            if isinstance(module, nn.Conv2d | nn.MaxPool2d):
                kernel, stride, margin = (
                    value[0] if isinstance(value, tuple) else int(value)
                    for value in (module.kernel_size, module.stride, module.padding)
                )
                sides = torch.Size(
                    (side + 2 * int(margin) - kernel) // stride + 1 for side in sides
                )
        if min(sides) < 1:
            height, width = image.shape[-2:]
            raise UsageError(
                f"expected pictures that are larger for {deepest} of {self.name}, "
                f"found {width}x{height}; make the crop larger or take an earlier layer"
            )


def make_trunk(name: TrunkName, *, weights: Path | None = None, seed: int | None = None) -> Trunk:
    """Make a trunk ready to use: it is not trained further.

    Args:
        name: which.
        weights: torchvision's file, `.pth` or `.safetensors`; without it, the one that `upreel
            models get` has fetched.
        seed: random numbers instead of weights. Such features tell pictures apart, but not as
            people do: for tests, and for research that asks how much of a loss is the training.

    Raises:
        UsageError: there is no trunk of this name, or there are weights and a seed.
        WeightsError: there are no weights, or they do not fit.
    """
    if weights is not None and seed is not None:
        raise UsageError(f"expected weights or a seed of {name}, found both")
    with torch.device("meta"):  # draws no random numbers, of which others want the same
        trunk = Trunk(name)
    trunk.to_empty(device="cpu")
    if seed is not None:
        _fill(trunk, seed)
    else:
        _load(trunk, weights or weights_file(name))
    return trunk.eval().requires_grad_(False)


def _load(trunk: Trunk, path: Path) -> None:
    found = read_tensors(path)
    known = trunk.state_dict()
    kept = {key: value for key, value in found.items() if key in known}
    for key, value in known.items():
        if key not in kept or kept[key].shape != value.shape:
            has = tuple(kept[key].shape) if key in kept else "none"
            raise WeightsError(
                f"{path} is not for {trunk.name}: expected {key} of {tuple(value.shape)}, "
                f"found {has}; 'upreel models get {trunk.name}' fetches the right file"
            )
        if not kept[key].is_floating_point() or not kept[key].isfinite().all():
            raise WeightsError(f"expected finite numbers as {key} in {path}, found others")
    trunk.load_state_dict(kept)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a `.safetensors` file, or a `.pth` file of nothing but tensors. Nothing is executed.

    Raises:
        WeightsError: it is missing, damaged, or holds more than tensors.
    """
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise WeightsError(
                f"expected tensors in {path}, which is damaged or missing"
            ) from error
    found = load_plain(path)
    if not isinstance(found, dict) or not all(isinstance(v, Tensor) for v in found.values()):
        raise WeightsError(f"expected a dictionary of tensors in {path}, found something else")
    return cast("dict[str, Tensor]", found)


def _fill(trunk: Trunk, seed: int) -> None:
    """Random numbers that keep the spread of what passes (He et al. 2015)."""
    generator = torch.Generator().manual_seed(seed)
    for module in trunk.features:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(cast(Tensor, module.bias))


def _vgg(depths: tuple[int, ...]) -> list[tuple[str, nn.Module]]:
    named: list[tuple[str, nn.Module]] = []
    channels = 3
    for block, (depth, width) in enumerate(zip(depths, _VGG_WIDTHS, strict=True), 1):
        for layer in range(1, depth + 1):
            named.append((f"conv{block}_{layer}", nn.Conv2d(channels, width, 3, padding=1)))
            named.append((f"relu{block}_{layer}", nn.ReLU()))
            channels = width
        named.append((f"pool{block}", nn.MaxPool2d(2)))
    return named


def _alexnet() -> list[tuple[str, nn.Module]]:
    named: list[tuple[str, nn.Module]] = []
    for layer, (before, after, side, stride, padding, pooled) in enumerate(_ALEXNET, 1):
        named.append((f"conv{layer}", nn.Conv2d(before, after, side, stride, padding)))
        named.append((f"relu{layer}", nn.ReLU()))
        if pooled:
            named.append((f"pool{layer}", nn.MaxPool2d(3, 2)))
    return named
