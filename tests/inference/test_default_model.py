"""What ships, on its way through files: bits, scenes, tiles, precision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.video.media import Arrays, decoded, pictures, write_video
from upreel.inference.loop import enlarge
from upreel.inference.pipeline import Options, upscale
from upreel.inference.precision import Precision
from upreel.models import weights
from upreel.models.detail import GAIN
from upreel.models.swift import Swift
from upreel.models.tiled import Tiled
from upreel.models.weights import Argument, Provenance, load, save, scales_of, write_manifest
from upreel.video.encoding import Encoding

LOSSLESS = Encoding(codec="ffv1")


def options(*, scale: int = 4, precision: Precision = "fp32") -> Options:
    return Options(scale=scale, encoding=LOSSLESS, precision=precision)


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1), ("bf16", 6)])
def test_ten_bits_are_real(tmp_path: Path, precision: Precision, tolerance: int) -> None:
    """The low two bits are those of the network in float, not of 8-bit data."""
    source = write_video(tmp_path / "in.mkv", 3, pixel_format="yuv420p10le", codec="ffv1")
    upscale(source, tmp_path / "out.mkv", options(precision=precision))
    lows = [torch.from_numpy(planes[0].astype(np.float32)) / 1023 for _, planes in decoded(source)]
    highs = enlarge(load("swift:real", 4), ((index, low[None]) for index, low in enumerate(lows)))
    for (_, high), (_, planes) in zip(highs, decoded(tmp_path / "out.mkv"), strict=True):
        wanted = (high[0] * 1023).round().clamp(0, 1023).numpy()
        assert np.abs(planes[0] - wanted).max() <= tolerance
        low_bits = np.bincount(planes[0].ravel() % 4, minlength=4) / planes[0].size
        assert low_bits.min() > 0.2


def test_a_scene_is_as_if_it_were_alone(tmp_path: Path) -> None:
    other: list[Arrays] = [(255 - luma, *chroma) for luma, *chroma in pictures(4)]
    both = write_video(tmp_path / "both.mkv", [*pictures(5), *other], codec="ffv1")
    alone = write_video(tmp_path / "alone.mkv", other, codec="ffv1")
    for source in (both, alone):
        upscale(source, source.with_suffix(".out.mkv"), options(scale=2))
    after_cut = decoded(tmp_path / "both.out.mkv")[5:]
    for (_, planes), (_, expected) in zip(
        after_cut, decoded(tmp_path / "alone.out.mkv"), strict=True
    ):
        np.testing.assert_array_equal(planes[0], expected[0])


@pytest.mark.parametrize("scale", scales_of("swift:real"))
def test_tiles_leave_no_seam(scale: int) -> None:
    """Where things move less than the halo, tiles give what the whole frame gives."""
    texture = torch.rand(1, 70, 90, generator=torch.manual_seed(0))
    frames = [(shift, texture[:, :64, shift : shift + 80]) for shift in range(4)]
    network = load("swift:real", scale)
    tiled = enlarge(Tiled(network, 32), frames)
    for (_, parts), (_, whole) in zip(tiled, enlarge(network, frames), strict=True):
        assert (parts - whole).abs().max() < 1e-5


@pytest.mark.parametrize(("ships", "through"), [((2, 3, 4), 3), ((2, 4), 4)])
def test_a_scale_of_three_has_its_own_network_once_that_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ships: tuple[int, ...], through: int
) -> None:
    for scale in ships:
        arguments: dict[str, Argument] = {"scale": scale, "channels": 8, "blocks": 1, "hidden": 4}
        provenance = Provenance(
            network="swift", arguments=arguments, name="swift:real", scale=scale,
            trained_on="nothing", recipe="none",
        )  # fmt: skip
        network = Swift(scale, channels=8, blocks=1, hidden=4)
        assert network.out.bias is not None
        nn.init.zeros_(network.out.weight)
        nn.init.constant_(network.out.bias, GAIN * 5 * scale / 255)  # interpolation, and 5 * scale
        save(tmp_path / f"swift-x{scale}-real.safetensors", network, provenance)
    write_manifest(tmp_path)
    monkeypatch.setattr(weights, "folder", lambda: tmp_path)
    monkeypatch.setattr(weights, "manifest", weights.manifest.__wrapped__)
    source = write_video(tmp_path / "in.mkv", 3, codec="ffv1")
    result = upscale(source, tmp_path / "out.mkv", options(scale=3))
    low, high = (decoded(path)[1][1][0] for path in (source, tmp_path / "out.mkv"))
    assert result.size == (3 * low.shape[1], 3 * low.shape[0])
    assert high.mean() - low.mean() == pytest.approx(5 * through, abs=0.5)
