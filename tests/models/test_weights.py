"""Files of weights: what is written comes back, and anything else gets a sentence."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from upreel.errors import UsageError, WeightsError
from upreel.models import ZOO, upscaler_class
from upreel.models.compact import Compact
from upreel.models.weights import (
    Provenance,
    build,
    file_of,
    load,
    manifest,
    read,
    save,
    scales_of,
    shipped,
    to_labels,
)

PROVENANCE = Provenance(
    network="compact",
    arguments={"scale": 2},
    name="compact:test",
    scale=2,
    trained_on="nothing",
    recipe="none",
)


def test_there_and_back(tmp_path: Path) -> None:
    network = Compact(scale=2)
    save(tmp_path / "a.safetensors", network, PROVENANCE)
    provenance, tensors = read(tmp_path / "a.safetensors")
    assert provenance == PROVENANCE
    loaded = build(tmp_path / "a.safetensors")
    assert isinstance(loaded, Compact)
    for key, value in network.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[key], value.half().float())
        assert tensors[key].dtype == torch.float16


def test_a_file_is_a_model_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save(path, Compact(scale=2), PROVENANCE)
    assert scales_of(str(path)) == (2,)
    assert load(str(path), 2, dtype=torch.bfloat16).spec.scale == 2
    with pytest.raises(UsageError, match=r"expected a scale out of 2 .*found 4"):
        load(str(path), 4)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="found nothing at"):
        read(tmp_path / "a.safetensors")


@pytest.mark.parametrize("content", [b"", b"no weights at all", b"\xff" * 64, b"\x08" + b"\0" * 30])
def test_a_file_that_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="is not one"):
        read(path)


def test_a_hostile_pickle_is_not_run(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "ran",)

    path = tmp_path / "a.safetensors"
    path.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(WeightsError, match="is not one"):
        read(path)
    assert not (tmp_path / "ran").exists()


def test_foreign_tensors(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match="does not say which network"):
        read(path)
    save_file({"x": torch.zeros(1)}, path, metadata={"upreel": json.dumps({"network": 3})})
    with pytest.raises(WeightsError, match=r"header of .* is wrong at 'network'"):
        read(path)


def test_weights_of_another_shape(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save(path, Compact(scale=4), PROVENANCE)
    with pytest.raises(WeightsError, match="does not fit the network compact"):
        build(path)


@pytest.mark.parametrize(
    "changes",
    [{"arguments": {"depth": 3}}, {"arguments": {"scale": "two"}}, {"network": "sharp"}],
    ids=str,
)
def test_a_header_that_fits_no_network(tmp_path: Path, changes: dict[str, object]) -> None:
    path = tmp_path / "a.safetensors"
    save(path, Compact(scale=2), PROVENANCE.model_copy(update=changes))
    with pytest.raises(WeightsError, match=r"a.safetensors .*network"):
        build(path)


def test_unknown_names() -> None:
    with pytest.raises(UsageError, match="expected one of swift"):
        upscaler_class("sharp")
    with pytest.raises(UsageError, match=r"expected a model out of .*bicubic"):
        scales_of("sharp")


def test_a_network_alone_means_its_weights_for_real_footage() -> None:
    for network in ("swift", "clear"):
        assert scales_of(network) == scales_of(f"{network}:real")
        assert file_of(network, 4) == file_of(f"{network}:real", 4)


def test_what_ships_is_what_the_manifest_says() -> None:
    assert sum(weights.bytes for weights in manifest()) < 9_000_000
    for weights in manifest():
        assert weights.bytes < 2 * weights.parameters + 12_000, "two bytes for each, and a header"
        provenance = weights.provenance
        assert shipped(provenance.name, provenance.scale) == weights.path  # checks the SHA-256
        assert weights.bytes == weights.path.stat().st_size
        if provenance.network in ZOO:
            upscaler = load(provenance.name, provenance.scale)
            assert upscaler.spec.scale == provenance.scale
        assert provenance.scores, weights.path
        assert provenance.licence == "Apache-2.0"


def test_others_may_read_what_the_umask_lets_them(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        save(tmp_path / "a.safetensors", Compact(scale=2), PROVENANCE)
    finally:
        os.umask(before)
    assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == 0o644


def test_files_have_short_names_unless_two_are_called_the_same() -> None:
    assert to_labels(["a/x.safetensors", "b/y.pth", "swift:bd"]) == ["x", "y", "swift:bd"]
    assert to_labels(["a/x.pth", "b/x.pth"]) == ["a/x.pth", "b/x.pth"]
    assert to_labels(["a/x.pth", "a/x.pth"]) == ["x", "x"]


def test_a_header_that_asks_for_more_weights_than_there_are_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    for key, value, sentence in (
        ("channels", 4096, "cannot make: it has many more weights than"),
        ("layers", 10**9, "expected numbers up to 4096 in the header of .*, found layers=10"),
    ):
        changed = {"arguments": {"scale": 2, key: value}}
        save(path, Compact(scale=2), PROVENANCE.model_copy(update=changed))
        with pytest.raises(WeightsError, match=sentence):
            build(path)
