from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from upreel.metrics import Seen
from upreel.metrics.perceptual import LAYERS, Dists, Lpips, read_heads
from upreel.models.vgg import TrunkName, make_trunk


def frames() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    return torch.rand(3, 64, 64, generator=generator), torch.rand(3, 64, 64, generator=generator)


def lpips(name: TrunkName) -> Lpips:
    trunk = make_trunk(name, seed=1)
    sizes = [64, 192, 384, 256, 256] if name == "alexnet" else [64, 128, 256, 512, 512]
    generator = torch.Generator().manual_seed(2)
    return Lpips(trunk, tuple(torch.rand(1, n, 1, 1, generator=generator) for n in sizes))


@pytest.mark.parametrize("name", ["alexnet", "vgg16"])
def test_lpips_equals_its_definition(name: TrunkName) -> None:
    metric = lpips(name)
    a, b = frames()
    shift = torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
    looked = [metric.trunk((2 * x[None] - 1 - shift) / scale, LAYERS[name]) for x in (a, b)]
    expected = 0.0
    for head, x, y in zip(metric.heads, *looked, strict=True):
        difference = (F.normalize(x, dim=1) - F.normalize(y, dim=1)) ** 2
        expected += float(F.conv2d(difference, head).mean())
    assert metric.score(Seen(a, b)) == pytest.approx(expected, rel=1e-4)
    assert metric.distance(a, b) == pytest.approx(metric.distance(b, a))
    assert metric.distance(a, a) == 0


def test_tlp_compares_changes() -> None:
    metric = lpips("alexnet")
    a, b = frames()
    assert metric.temporal(Seen(a, b)) is None
    assert metric.temporal(Seen(b, b, (a, a))) == 0
    still = metric.temporal(Seen(a, b, (a, a)))
    assert still == pytest.approx(100 * metric.distance(a, b))


def test_dists_is_zero_for_equals_symmetric_and_its_closed_form_for_flat_frames() -> None:
    generator = torch.Generator().manual_seed(3)
    alpha, beta = (torch.rand(1, 1475, 1, 1, generator=generator) for _ in range(2))
    metric = Dists(make_trunk("vgg16", seed=1), alpha, beta)
    a, b = frames()
    assert metric.score(Seen(a, a)) == pytest.approx(0, abs=1e-6)
    assert metric.score(Seen(a, b)) == pytest.approx(metric.score(Seen(b, a)))
    only_frame = torch.zeros(1475)
    only_frame[:3] = 1
    texture = Dists(metric.trunk, only_frame, torch.zeros(1475))
    dark, light = torch.full((3, 32, 32), 0.2), torch.full((3, 32, 32), 0.4)
    expected = 1 - 2 * 0.2 * 0.4 / (0.2**2 + 0.4**2)
    assert texture.score(Seen(dark, light)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.skipif(find_spec("torchmetrics") is None, reason="needs torchmetrics")
@pytest.mark.parametrize("name", ["alexnet", "vgg16"])
def test_the_published_heads_fit_the_trunk(name: TrunkName) -> None:
    heads = read_heads(name)
    assert all(bool((head >= 0).all()) for head in heads)  # as their authors trained them
    metric = Lpips(make_trunk(name, seed=1), heads)
    a, b = frames()
    assert metric.distance(a, b) > metric.distance(a, (a + b) / 2) > metric.distance(a, a) == 0
