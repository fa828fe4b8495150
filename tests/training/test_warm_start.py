from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from upreel.errors import WeightsError
from upreel.models.compact import Compact
from upreel.models.rbpn import RBPN
from upreel.models.swift import Swift
from upreel.models.weights import Provenance, folder, read, save
from upreel.training.warm_start import warm_start


def save_swift(path: Path, network: Swift) -> str:
    save(
        path,
        network,
        Provenance(
            network="swift",
            arguments={"scale": network.scale, "channels": 8, "hidden": 4},
            name="swift:test",
            scale=network.scale,
            trained_on="nothing",
            recipe="none",
        ),
    )
    return str(path)


def test_the_same_scale_is_a_copy(tmp_path: Path) -> None:
    start, network = Swift(channels=8, hidden=4), Swift(channels=8, hidden=4)
    warm_start(network, save_swift(tmp_path / "a.safetensors", start))
    for key, value in start.state_dict().items():
        torch.testing.assert_close(network.state_dict()[key], value.half().float())


def test_what_ships_is_found_by_its_name() -> None:
    network = Swift(blocks=3)
    warm_start(network, "swift-x4-clean")
    _, tensors = read(folder() / "swift-x4-clean.safetensors")
    torch.testing.assert_close(network.out.weight.detach(), tensors["out.weight"].float())


@pytest.mark.parametrize(("scale", "other"), [(4, 2), (4, 3), (3, 2), (2, 4)])
def test_another_scale_makes_the_same_picture(tmp_path: Path, scale: int, other: int) -> None:
    start = Swift(scale, channels=8, hidden=4)
    network = Swift(other, channels=8, hidden=4)
    warm_start(network, save_swift(tmp_path / "a.safetensors", start))
    x = torch.rand(1, 8, 12, 14)
    frame, hidden = torch.rand(1, 1, 12, 14), torch.rand(1, 4, 12, 14)
    last = torch.rand(1, 1, 12 * other, 14 * other)
    with torch.no_grad():
        made = F.pixel_shuffle(network.out(x), other)
        expected = by_area(F.pixel_shuffle(start.out(x), scale), (12 * other, 14 * other))
        torch.testing.assert_close(made, expected, atol=2e-3, rtol=1e-2)
        seen = F.pixel_unshuffle(by_area(last, (12 * scale, 14 * scale)), scale)
        now = network.into(torch.cat((frame, F.pixel_unshuffle(last, other), hidden), 1))
        were = start.into(torch.cat((frame, seen * other / scale, hidden), 1))
        torch.testing.assert_close(now, were, atol=5e-3, rtol=1e-2)


def by_area(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Each new pixel is the mean of the image over its area: differences of its integral."""
    values = image.numpy()
    for axis, wanted in zip((-2, -1), size, strict=True):
        old = values.shape[axis]
        edges = np.arange(wanted + 1) * old / wanted

        def means(line: NDArray[np.float64], edges: NDArray[np.float64] = edges) -> object:
            return np.diff(np.interp(edges, np.arange(len(line) + 1), np.cumsum([0, *line])))

        values = np.apply_along_axis(means, axis, values) * wanted / old
    return torch.from_numpy(values).float()


@pytest.mark.parametrize("scale", [0, 3, 10**9])
def test_a_file_that_lies_about_its_scale(tmp_path: Path, scale: int) -> None:
    path = Path(save_swift(tmp_path / "a.safetensors", Swift(channels=8, hidden=4)))
    provenance, tensors = read(path)
    header = provenance.model_copy(update={"scale": scale}).model_dump_json()
    save_file(tensors, path, metadata={"upreel": header})
    with pytest.raises(WeightsError, match=r"Swift can start from, but those of .* do not fit"):
        warm_start(Swift(2, channels=8, hidden=4), str(path))


def test_weights_of_another_network(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    provenance, _ = read(Path(save_swift(path, Swift(channels=8, hidden=4))))
    assert provenance.scale == 4
    with pytest.raises(WeightsError, match=r"Compact can start from, but those of .* do not fit"):
        warm_start(Compact(), str(path))
    with pytest.raises(WeightsError, match="do not fit"):
        warm_start(Swift(channels=16, hidden=4), str(path))
    with pytest.raises(WeightsError, match="found nothing at"):
        warm_start(Swift(), "swift-x9-none")


def test_weights_that_others_published(tmp_path: Path) -> None:
    torch.manual_seed(0)
    start = RBPN(2, frames=3, features=6, channels=4, blocks=1)
    network = RBPN(2, frames=3, features=6, channels=4, blocks=1)
    torch.save({f"module.{k}": v for k, v in start.state_dict().items()}, tmp_path / "a.pth")
    warm_start(network, str(tmp_path / "a.pth"))
    for key, value in start.state_dict().items():
        assert torch.equal(network.state_dict()[key], value)


def test_other_arguments_are_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = save_swift(tmp_path / "a.safetensors", Swift(channels=8, hidden=4))
    warm_start(Swift(channels=8, hidden=4), path, {"channels": 8, "hidden": 4})
    assert not caplog.messages
    warm_start(
        Swift(channels=8, hidden=4, phase=-1.5), path, {"channels": 8, "hidden": 4, "phase": -1.5}
    )
    (message,) = caplog.messages
    assert message.endswith("made with phase = its default; here it is phase = -1.5")
