from __future__ import annotations

import io
import os
import pickle
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from tests.golden_case import Case
from upreel.errors import WeightsError
from upreel.models.ristn import RISTN, read_published, rename
from upreel.models.whole_module import read_whole_module


class Python2Pickler(pickle._Pickler):
    """Writes text as Python 2 does: as bytes."""

    def save_text(self, text: str) -> None:
        encoded = text.encode("latin-1")
        self.write(pickle.BINSTRING + struct.pack("<i", len(encoded)) + encoded)  # type: ignore[attr-defined]
        self.memoize(text)  # type: ignore[attr-defined]

    dispatch: ClassVar = {**pickle._Pickler.dispatch, str: save_text}  # type: ignore[dict-item]


_PICKLE = SimpleNamespace(__name__="pickle", Pickler=Python2Pickler, dump=pickle.dump)


@pytest.fixture
def authors() -> Iterator[ModuleType]:
    """A module of the authors, there while a network is saved and gone when it is read."""
    module = ModuleType("VSRRINc")
    sys.modules["VSRRINc"] = module
    yield module
    sys.modules.pop("VSRRINc", None)


def save(network: nn.Module, path: Path) -> None:
    """As torch before 1.6 under Python 2 did."""
    with pytest.warns(UserWarning, match="source code"):
        torch.save(
            network, path, pickle_module=_PICKLE, pickle_protocol=2,
            _use_new_zipfile_serialization=False,
        )  # fmt: skip


def make_network(authors: ModuleType, tensors: dict[str, Tensor]) -> nn.Module:
    """A tree of modules that holds tensors under dotted names, `FW` as a mere attribute."""
    kind = type("VSRRINc", (nn.Module,), {"__module__": "VSRRINc"})
    authors.VSRRINc = kind  # type: ignore[attr-defined]
    root: nn.Module = kind()
    for key, value in tensors.items():
        *parents, name = key.split(".")
        module = root
        for parent in parents:
            if parent not in dict(module.named_children()):
                module.add_module(parent, nn.Sequential())
            module = module.get_submodule(parent)
        if key == "FW":
            module.FW = value
        elif "running" in name:
            module.register_buffer(name, value)
        else:
            module.register_parameter(name, nn.Parameter(value))
    return root


def test_the_published_file_is_read_without_its_classes(
    tmp_path: Path, authors: ModuleType
) -> None:
    tensors = Case.read("ristn_full").state
    save(make_network(authors, tensors), tmp_path / "net.pkl")
    del sys.modules["VSRRINc"]
    found = read_published(tmp_path / "net.pkl")
    assert found.keys() == rename(tensors).keys()
    assert all(torch.equal(found[key], value) for key, value in rename(tensors).items())
    RISTN().load_state_dict(found)


@pytest.mark.parametrize("make", [lambda: nn.Conv2d(2, 3, 3), lambda: nn.BatchNorm2d(4).half()])
def test_modules_of_torch_are_read(tmp_path: Path, make: Callable[[], nn.Module]) -> None:
    network = nn.DataParallel(nn.Sequential(make()))
    torch.save(network, tmp_path / "n", _PICKLE, 2, _use_new_zipfile_serialization=False)
    found = read_whole_module(tmp_path / "n", ())
    assert found.keys() == network.state_dict().keys()
    assert all(torch.equal(found[key], value) for key, value in network.state_dict().items())


class Evil:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("where", ["object", "header", "storages"])
def test_nothing_is_run(tmp_path: Path, where: str) -> None:
    evil = Evil(tmp_path / "proof")
    parts: list[object] = [0x1950A86A20F9469CFC6C, 1001, {}, nn.ReLU(), []]
    parts[{"header": 2, "object": 3, "storages": 4}[where]] = evil
    path = tmp_path / "evil.pkl"
    path.write_bytes(b"".join(pickle.dumps(part, protocol=2) for part in parts))
    with pytest.raises(WeightsError, match=r"(posix|nt)\.mkdir, which could run anything; nothing"):
        read_whole_module(path, {"VSRRINc"})
    assert not evil.path.exists()
    pickle.loads(path.read_bytes()[path.read_bytes().index(b"\x80\x02cposix") :])
    assert evil.path.exists()  # it was able to


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pkl"
    with pytest.raises(WeightsError, match="found none that can be read"):
        read_whole_module(path, ())
    whole = io.BytesIO()
    torch.save(nn.Conv2d(1, 1, 1), whole, _use_new_zipfile_serialization=False)
    contents = (b"", b"PK\x03\x04", pickle.dumps(3), whole.getvalue()[:-3], whole.getvalue()[:700])
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(WeightsError, match="found something else or a damaged file"):
            read_whole_module(path, ())


def test_a_storage_that_claims_too_much_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(nn.Conv2d(1, 1, 1), buffer, _use_new_zipfile_serialization=False)
    one = b"K\x01N"  # the count, then no part
    huge = b"J\xff\xff\xff\x7fN"
    assert one in buffer.getvalue()
    path = tmp_path / "huge.pkl"
    path.write_bytes(buffer.getvalue().replace(one, huge))
    with pytest.raises(WeightsError, match="found something else or a damaged file"):
        read_whole_module(path, ())


@pytest.mark.parametrize("code", [pickle.LONG_BINPUT + b"\xff\xff\xff\x7f", b"p2147483647\n"])
def test_a_note_of_a_huge_number_takes_no_memory(tmp_path: Path, code: bytes) -> None:
    """The unpickler would have made room for two thousand million others."""
    path = tmp_path / "notes.pkl"
    begin = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)
    path.write_bytes(begin + b"\x80\x02}" + code + b".")
    with pytest.raises(WeightsError, match="found something else or a damaged file"):
        read_whole_module(path, ())


def test_modules_that_hold_one_another_come_to_an_end(tmp_path: Path) -> None:
    """Forty modules, each twice in the next: a million million paths."""
    module: nn.Module = nn.ReLU()
    for _ in range(40):
        module = nn.Sequential(module, module)
    path = tmp_path / "maze.pkl"
    torch.save(module, path, _PICKLE, 2, _use_new_zipfile_serialization=False)
    with pytest.raises(WeightsError, match="found something else or a damaged file"):
        read_whole_module(path, ())
