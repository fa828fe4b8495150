"""Weights that other programs wrote."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import torch
from torch import Tensor, nn

from tests.golden_case import Case
from upreel.errors import WeightsError
from upreel.models.basicvsr import BasicVSR
from upreel.models.basicvsrpp import BasicVSRPlusPlus
from upreel.models.dbpn import DBPN
from upreel.models.dflow import DFlow
from upreel.models.edvr import EDVR
from upreel.models.foreign import read_foreign
from upreel.models.iconvsr import IconVSR
from upreel.models.msitf import MSITF
from upreel.models.rbpn import RBPN
from upreel.models.ristn import RISTN
from upreel.models.srresnet import SRResNet
from upreel.models.weights import load, read, scales_of

SMALL = {"features": 6, "channels": 4, "blocks": 2}


def make() -> RBPN:
    torch.manual_seed(3)
    return RBPN(4, frames=5, features=6, channels=4, blocks=2)


def wrap(tensors: dict[str, Tensor], how: str) -> dict[str, object]:
    if how == "module.":
        return {f"module.{key}": value for key, value in tensors.items()}
    if how == "module.module.":
        return {f"module.module.{key}": value for key, value in tensors.items()}
    if how == "all of a run":
        moments = {"state": {0: {"step": torch.zeros(1)}}, "param_groups": [{"lr": 1e-4}]}
        inner = {f"module.{key}": value for key, value in tensors.items()}
        return {"epoch": 7, "loss": 0.1, "optimizer": moments, "state_dict": inner}
    if how == "params":
        old = {key: torch.zeros_like(value) for key, value in tensors.items()}
        return {"params": old, "params_ema": tensors}
    return dict(tensors)


@pytest.mark.parametrize("how", ["plain", "module.", "module.module.", "all of a run", "params"])
@pytest.mark.parametrize("zipped", [True, False])
def test_what_stands_around_the_weights_is_left_out(how: str, zipped: bool, tmp_path: Path) -> None:
    path, network = tmp_path / "RBPN_4x.pth", make()
    torch.save(wrap(network.state_dict(), how), path, _use_new_zipfile_serialization=zipped)
    assert scales_of(str(path)) == (4,)
    provenance, _ = read(path)
    assert (provenance.name, provenance.licence) == ("rbpn:RBPN_4x", "unknown")
    assert provenance.arguments == {"scale": 4, "frames": 5, "color": "rgb", **SMALL}
    loaded = load(str(path), 4)
    assert isinstance(loaded, RBPN)
    for key, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)


def test_the_142_published_names_with_and_without_module(tmp_path: Path) -> None:
    """RBPN's files have it before each name, those of iSeeBetter have not."""
    published = Case.read("rbpn_x4_full").state
    assert len(published) == 142
    for prefix in ("", "module."):
        path = tmp_path / "netG_epoch_4_1.pth"
        torch.save({prefix + key: value for key, value in published.items()}, path)
        name, arguments, tensors = read_foreign(path)
        assert (name, arguments["scale"], arguments["frames"]) == ("rbpn", 4, 7)
        assert tensors.keys() == published.keys()
        assert all(torch.equal(tensors[key], value) for key, value in published.items())


@pytest.mark.parametrize(
    "network",
    [
        RBPN(1, trunk=2, frames=3, color="luma", features=6, channels=4, blocks=0),
        RBPN(8, frames=4, features=6, channels=4, blocks=1),
        DBPN(3, stages=3, features=6, channels=4),
        SRResNet(2, blocks=1, channels=4),
        BasicVSR(features=8, blocks=1),
        BasicVSRPlusPlus(features=8, blocks=1),
        IconVSR(features=16, blocks=1),
        EDVR(variant="tiny"),
        MSITF(variant="tiny"),
        DFlow(),
        RISTN(),
    ],
    ids=lambda network: type(network).__name__,
)
def test_shapes_say_which_network_it_is(network: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save(network.state_dict(), path)
    scale = scales_of(str(path))[0]
    loaded = load(str(path), scale)
    assert isinstance(loaded, type(network))
    assert loaded.spec == network.spec


def refused(path: Path, sentence: str) -> None:
    with pytest.raises(WeightsError, match=sentence):
        read_foreign(path)


def test_what_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    refused(path, "expected a file of weights, found nothing at")
    path.write_bytes(b"no weights at all")
    refused(path, "damaged or holds other objects")
    torch.save(make(), path)
    refused(path, "could run code; save network.state_dict")
    torch.save({"epoch": 1, "loss": torch.zeros(())}, path)
    refused(path, "expected a dictionary of tensors in .*, found neither")
    torch.save({}, path)
    refused(path, "found neither")
    torch.save({"body.0.weight": torch.zeros(1)}, path)
    refused(
        path, r"weights of one of rbpn, dbpn, .* in .*, found 1 tensors such as 'body.0.weight'"
    )


def test_weights_of_a_network_that_is_not_quite_known(tmp_path: Path) -> None:
    path, tensors = tmp_path / "a.pth", make().state_dict()
    del tensors["feat1.conv.bias"]
    torch.save(tensors, path)
    with pytest.raises(WeightsError, match=r"does not fit the network rbpn: .*feat1.conv.bias"):
        load(str(path), 4)
    tensors = make().state_dict()
    tensors["DBPN.up1.up_conv1.deconv.weight"] = torch.zeros(4, 4, 5, 5)
    torch.save(tensors, path)
    refused(path, "expected kernels of 3, 6, 7, 8, 12 pixels .*, found 5")


def test_compressed_tensors_are_refused(tmp_path: Path) -> None:
    """Torch stores them as they are; a small file could unpack to any size."""
    path, packed = tmp_path / "a.pth", tmp_path / "packed.pth"
    torch.save({"a": torch.zeros(100_000)}, path)
    with ZipFile(path) as source, ZipFile(packed, "w", ZIP_DEFLATED) as target:
        for member in source.infolist():
            target.writestr(member.filename, source.read(member))
    assert torch.load(packed, weights_only=True)["a"].shape == (100_000,)  # it would
    refused(packed, r"found compressed ones, 4\d+ bytes in \d+; save them again")


def test_weights_of_which_some_are_missing(tmp_path: Path) -> None:
    tensors = make().state_dict()
    del tensors["feat0.conv.weight"]
    torch.save(tensors, tmp_path / "a.pth")
    refused(tmp_path / "a.pth", "expected all weights of rbpn in .*, found only some")
