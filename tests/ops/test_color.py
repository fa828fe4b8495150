"""Colour conversion against the standards' formulas and FFmpeg's scaler."""

from __future__ import annotations

import av
import numpy as np
import pytest
import torch

from upreel.ops.color import MATRICES, Range, code_range, rgb_to_ycbcr, ycbcr_to_rgb


def test_studio_range_of_8_bit() -> None:
    black, luma, chroma = code_range("tv", 8)
    assert (black * 255, luma * 255, chroma * 255) == pytest.approx((16, 219, 224))


@pytest.mark.parametrize(
    ("rgb", "code"),
    [((1, 1, 1), (235, 128, 128)), ((0, 0, 0), (16, 128, 128)), ((1, 0, 0), (63, 102, 240))],
)
def test_known_codes_of_bt709(rgb: tuple[int, int, int], code: tuple[int, int, int]) -> None:
    values = torch.tensor(rgb, dtype=torch.float32).view(3, 1, 1)
    found = rgb_to_ycbcr(values, "bt709", "tv", 8) * 255
    assert found.round().flatten().tolist() == list(code)


@pytest.mark.parametrize(
    ("rgb", "code"),
    [((1, 0, 0), (70.75, 72, 240)), ((0, 1, 0), (125.5, 240, 128)), ((0, 0, 1), (70.75, 72, 16))],
)
def test_known_codes_of_ycgco(rgb: tuple[int, int, int], code: tuple[int, int, int]) -> None:
    """H.273: Y = (R + 2G + B)/4, Cg = (2G - R - B)/4, Co = (R - B)/2."""
    values = torch.tensor(rgb, dtype=torch.float32).view(3, 1, 1)
    found = rgb_to_ycbcr(values, "ycgco", "tv", 8) * 255
    assert found.flatten().tolist() == pytest.approx(code, abs=1e-4)


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("range_", ["tv", "pc"])
@pytest.mark.parametrize("bits", [8, 10, 12])
def test_there_and_back(matrix: str, range_: Range, bits: int) -> None:
    rgb = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    back = ycbcr_to_rgb(rgb_to_ycbcr(rgb, matrix, range_, bits), matrix, range_, bits)
    torch.testing.assert_close(back, rgb, atol=2e-6, rtol=0)


@pytest.mark.parametrize(("matrix", "name"), [("bt709", "ITU709"), ("smpte170m", "ITU601")])
def test_against_ffmpeg(matrix: str, name: str) -> None:
    flat = np.random.default_rng(0).integers(0, 256, (6, 3), dtype=np.uint8)
    picture = np.ascontiguousarray(np.repeat(np.repeat(flat[None], 8, 0), 16, 1))  # (8, 96, 3)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    theirs = frame.reformat(format="yuv444p", dst_colorspace=name, dst_color_range="MPEG")
    planes = np.stack(
        [np.asarray(plane, np.uint8).reshape(8, -1)[:, :96] for plane in theirs.planes]
    )
    rgb = torch.from_numpy(picture).permute(2, 0, 1) / 255
    ours = (rgb_to_ycbcr(rgb, matrix, "tv", 8) * 255).round().numpy()
    assert np.abs(ours - planes).max() <= 1
