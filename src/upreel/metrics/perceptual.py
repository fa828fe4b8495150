"""How different people find two frames: LPIPS and DISTS, from features of networks."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.errors import WeightsError
from upreel.metrics.colors import to_rgb
from upreel.metrics.metric import Seen
from upreel.models.backbones import cache_folder
from upreel.models.vgg import Trunk, TrunkName, make_trunk, read_tensors, standardize

LAYERS: dict[TrunkName, tuple[str, ...]] = {
    "alexnet": ("relu1", "relu2", "relu3", "relu4", "relu5"),
    "vgg16": ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"),
}
"""Whose features are compared."""

_HEADS: dict[TrunkName, str] = {"alexnet": "alex.pth", "vgg16": "vgg.pth"}


@dataclass(frozen=True, slots=True)
class Lpips:
    """LPIPS 0.1: squared differences of unit features, weighted by channel, mean over places.

    Zhang et al. 2018, "The unreasonable effectiveness of deep features as a perceptual metric".

    Attributes:
        trunk: AlexNet or VGG16.
        heads: weights of the channels of each layer in `LAYERS`, `(1, C, 1, 1)`.
    """

    trunk: Trunk
    heads: tuple[Tensor, ...]

    @classmethod
    def load(cls, name: TrunkName) -> Lpips:
        """Make it of the user's trunk and the heads that torchmetrics carries.

        Raises:
            WeightsError: one of them is not here.
        """
        trunk = make_trunk(name)
        return cls(trunk, read_heads(name))

    def distance(self, a: Tensor, b: Tensor) -> float:
        """How different two frames are, `(C, H, W)`, 0..1: RGB, or luma in studio range."""
        return sum(
            float((head * (_unit(x) - _unit(y)) ** 2).sum(1).mean())
            for head, x, y in zip(self.heads, self._look(a), self._look(b), strict=True)
        )

    def score(self, seen: Seen) -> float:
        """The distance of output and truth."""
        return self.distance(*seen.both)

    def temporal(self, seen: Seen) -> float | None:
        """TLP of TecoGAN, times 100: how differently output and truth change from frame to frame.

        Chu et al. 2020, "Learning temporal coherence via self-supervision for GAN-based video
        generation". `None` without a previous frame.
        """
        if seen.before is None:
            return None
        before, truth_before = (seen.inner(frame) for frame in seen.before)
        output, truth = seen.both
        return 100 * abs(self.distance(before, output) - self.distance(truth_before, truth))

    @torch.inference_mode()
    def _look(self, frame: Tensor) -> tuple[Tensor, ...]:
        image = standardize(to_rgb(frame).float()[None])
        return self.trunk.forward(image, LAYERS[self.trunk.name])


def read_heads(name: TrunkName) -> tuple[Tensor, ...]:
    """The published linear heads of LPIPS, out of an installed torchmetrics, which is not imported.

    Raises:
        WeightsError: it is not installed, or has others.
    """
    package = find_spec("torchmetrics")
    if package is None or package.origin is None:
        raise WeightsError("expected the heads of LPIPS in torchmetrics: pip install torchmetrics")
    file = Path(package.origin).parent / "functional" / "image" / "lpips_models" / _HEADS[name]
    heads = read_tensors(file)
    if "lin4.model.1.weight" not in heads:
        raise WeightsError(f"expected five heads of LPIPS in {file}, found {', '.join(heads)}")
    return tuple(heads[f"lin{layer}.model.1.weight"] for layer in range(len(LAYERS[name])))


def _unit(features: Tensor) -> Tensor:
    return features / (features.square().sum(1, keepdim=True).sqrt() + 1e-10)


@dataclass(frozen=True, slots=True)
class Dists:
    """DISTS: similarity of the means of features (texture) and of their course (structure).

    Ding et al. 2020, "Image quality assessment: unifying structure and texture similarity",
    equations 3 to 6. The poolings of VGG16 are replaced by blurred ones.

    Attributes:
        trunk: VGG16.
        alpha: weight of texture for each of the 1475 channels, of the frame and five layers.
        beta: weight of structure.
    """

    trunk: Trunk
    alpha: Tensor
    beta: Tensor

    @classmethod
    def load(cls) -> Dists:
        """Make it of the user's trunk and the authors' file of alpha and beta.

        Raises:
            WeightsError: one of them is not here.
        """
        path = cache_folder() / "dists.pt"
        if not path.is_file():
            raise WeightsError(
                "expected the weights.pt of github.com/dingkeyan93/DISTS, found nothing: "
                f"cp weights.pt {path}"
            )
        found = read_tensors(path)
        if not {"alpha", "beta"} <= found.keys():
            raise WeightsError(f"expected alpha and beta in {path}, found {', '.join(found)}")
        return cls(make_trunk("vgg16"), found["alpha"], found["beta"])

    @torch.inference_mode()
    def score(self, seen: Seen) -> float:
        """The distance of output and truth; 0 where they are equal."""
        texture: list[Tensor] = []
        structure: list[Tensor] = []
        for x, y in zip(*map(self._look, seen.both), strict=True):
            mean_x, mean_y = x.mean((2, 3)), y.mean((2, 3))
            spread = x.var((2, 3), correction=0) + y.var((2, 3), correction=0)
            together = (x * y).mean((2, 3)) - mean_x * mean_y
            texture.append((2 * mean_x * mean_y + 1e-6) / (mean_x**2 + mean_y**2 + 1e-6))
            structure.append((2 * together + 1e-6) / (spread + 1e-6))
        alpha, beta = self.alpha.flatten(), self.beta.flatten()
        similar = (alpha * torch.cat(texture, 1)).sum() + (beta * torch.cat(structure, 1)).sum()
        return 1 - float(similar / (alpha.sum() + beta.sum()))

    def _look(self, frame: Tensor) -> list[Tensor]:
        """The frame and its features, the poolings replaced."""
        image = to_rgb(frame).float()[None]
        found = [image.double()]
        wanted = {self.trunk.layers[layer] for layer in LAYERS["vgg16"]}
        image = standardize(image)
        for place, module in enumerate(list(self.trunk.features.children())[: max(wanted) + 1]):
            image = _pool(image) if isinstance(module, nn.MaxPool2d) else module(image)
            if place in wanted:
                found.append(image.double())
        return found


def _pool(features: Tensor) -> Tensor:
    """Every second root of the blurred squares (Henaff and Simoncelli 2016)."""
    channels = features.shape[1]
    line = torch.tensor([0.25, 0.5, 0.25])
    kernel = torch.outer(line, line).expand(channels, 1, 3, 3)
    return F.conv2d(features**2, kernel, stride=2, padding=1, groups=channels).add(1e-12).sqrt()
