from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

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
    network = Swift()
    warm_start(network, "swift-x4-clean")
    _, tensors = read(folder() / "swift-x4-clean.safetensors")
    torch.testing.assert_close(network.out.weight.detach(), tensors["out.weight"].float())


def test_a_scale_of_two_makes_the_mean_of_what_four_made(tmp_path: Path) -> None:
    start = Swift(4, channels=8, hidden=4)
    small = Swift(2, channels=8, hidden=4)
    warm_start(small, save_swift(tmp_path / "a.safetensors", start))
    x = torch.rand(1, 8, 12, 14)
    with torch.no_grad():
        large = F.pixel_shuffle(start.out(x), 4)
        expected = F.avg_pool2d(large, 2)
        torch.testing.assert_close(F.pixel_shuffle(small.out(x), 2), expected, atol=2e-3, rtol=1e-2)
        # The last output: each of four equal pixels counts half as much as the four did together.
        block = torch.rand(1, 4, 12, 14)
        spread = F.interpolate(F.pixel_shuffle(block, 2), scale_factor=2)
        rest = torch.zeros(1, 5, 12, 14)
        four = start.into(torch.cat((rest[:, :1], F.pixel_unshuffle(spread, 4), rest[:, 1:]), 1))
        two = small.into(torch.cat((rest[:, :1], block, rest[:, 1:]), 1))
        torch.testing.assert_close(2 * two, four, atol=5e-3, rtol=1e-2)


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
