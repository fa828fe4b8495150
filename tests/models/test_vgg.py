from __future__ import annotations

import contextlib
import warnings
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from upreel.errors import UsageError, WeightsError
from upreel.models.vgg import Trunk, TrunkName, make_trunk, read_tensors, standardize

# The published lists: number of each convolution among the features, its channels out.
VGG16 = {0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 14: 256}
VGG16 |= dict.fromkeys((17, 19, 21, 24, 26, 28), 512)
VGG19 = {0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 14: 256, 16: 256}
VGG19 |= dict.fromkeys((19, 21, 23, 25, 28, 30, 32, 34), 512)
ALEXNET = {
    "features.0.weight": (64, 3, 11, 11),
    "features.3.weight": (192, 64, 5, 5),
    "features.6.weight": (384, 192, 3, 3),
    "features.8.weight": (256, 384, 3, 3),
    "features.10.weight": (256, 256, 3, 3),
}


@pytest.mark.parametrize(
    ("name", "published", "count"), [("vgg16", VGG16, 14_714_688), ("vgg19", VGG19, 20_024_384)]
)
def test_keys_and_shapes_are_those_of_the_published_files(
    name: TrunkName, published: dict[int, int], count: int
) -> None:
    shapes = {key: tuple(value.shape) for key, value in Trunk(name).state_dict().items()}
    expected: dict[str, tuple[int, ...]] = {}
    channels = 3
    for place, width in published.items():
        expected[f"features.{place}.weight"] = (width, channels, 3, 3)
        expected[f"features.{place}.bias"] = (width,)
        channels = width
    assert shapes == expected
    assert sum(value.numel() for value in Trunk(name).parameters()) == count


def test_alexnet_has_the_published_shapes() -> None:
    shapes = {k: tuple(v.shape) for k, v in Trunk("alexnet").state_dict().items()}
    assert {key: shape for key, shape in shapes.items() if key.endswith("weight")} == ALEXNET
    assert sum(value.numel() for value in Trunk("alexnet").parameters()) == 2_469_696


def test_layers_are_before_and_after_the_relu() -> None:
    trunk = make_trunk("vgg19", seed=0)
    image = standardize(torch.rand(1, 3, 32, 48))
    after, before, pooled = trunk(image, ["relu2_2", "conv2_2", "pool2"])
    assert before.min() < 0
    assert torch.equal(after, before.clamp_min(0))
    assert torch.equal(pooled, F.max_pool2d(after, 2))
    state = trunk.state_dict()
    by_hand = F.conv2d(image, state["features.0.weight"], state["features.0.bias"], padding=1)
    torch.testing.assert_close(trunk(image, ["conv1_1"])[0], by_hand)
    assert list(trunk.layers)[-2:] == ["relu5_4", "pool5"]


def test_standardize_is_imagenets_and_takes_luma_as_grey() -> None:
    grey = standardize(torch.full((1, 1, 1, 1), 0.5))
    expected = [(0.5 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.5 - 0.406) / 0.225]
    assert grey.flatten().tolist() == pytest.approx(expected, rel=1e-5)


def test_a_seed_makes_the_same_trunk() -> None:
    image = torch.rand(1, 3, 64, 64)
    first, same, other = (
        make_trunk("alexnet", seed=seed)(image, ["relu3"])[0] for seed in (1, 1, 2)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert not any(p.requires_grad for p in make_trunk("alexnet", seed=1).parameters())


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_is_read_and_its_classifier_left_out(tmp_path: Path, suffix: str) -> None:
    state = make_trunk("alexnet", seed=3).state_dict() | {"classifier.1.bias": torch.zeros(4)}
    path = tmp_path / f"mine{suffix}"
    if suffix == ".pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    found = make_trunk("alexnet", weights=path).state_dict()
    assert all(torch.equal(found[key], state[key]) for key in found)


class Trap:
    """Unpickling it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    torch.save({"features.0.weight": Trap(tmp_path / "sprung")}, tmp_path / "bad.pth")
    with pytest.raises(WeightsError, match=r"expected tensors in .*bad.pth, .* other objects"):
        make_trunk("vgg16", weights=tmp_path / "bad.pth")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_damage_is_told_in_one_line(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "bad.pth"
    torch.save({"features.0.weight": torch.zeros(2)}, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[int(random.integers(len(whole)))] = int(random.integers(256))
        path.write_bytes(damaged[: int(random.integers(len(whole) // 2, 2 * len(whole)))])
        with contextlib.suppress(WeightsError), warnings.catch_warnings(action="ignore"):
            read_tensors(path)


def test_compressed_tensors_are_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(100_000)}, tmp_path / "a.pth")
    packed = tmp_path / "packed.pth"
    with ZipFile(tmp_path / "a.pth") as source, ZipFile(packed, "w", ZIP_DEFLATED) as target:
        for member in source.infolist():
            target.writestr(member.filename, source.read(member))
    with pytest.raises(WeightsError, match=r"found compressed ones, .* save them again"):
        read_tensors(packed)


def test_values_that_are_not_real_numbers(tmp_path: Path) -> None:
    state = make_trunk("alexnet", seed=3).state_dict()
    for value in (torch.full((64,), float("nan")), torch.zeros(64, dtype=torch.complex64)):
        torch.save(state | {"features.0.bias": value}, tmp_path / "bad.pth")
        with pytest.raises(WeightsError, match=r"expected finite numbers as features.0.bias in"):
            make_trunk("alexnet", weights=tmp_path / "bad.pth")


def test_what_does_not_fit_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"expected features.0.weight of \(64, 3, 11, 11\)"):
        make_trunk("alexnet", weights=tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"found nothing at .*none.pth"):
        make_trunk("alexnet", weights=tmp_path / "none.pth")
    monkeypatch.setenv("UPREEL_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match=r"run 'upreel models get vgg16'"):
        make_trunk("vgg16")
    with pytest.raises(UsageError, match=r"layers of alexnet .* found 'conv9'"):
        make_trunk("alexnet", seed=0)(torch.zeros(1, 3, 64, 64), ["conv9"])
