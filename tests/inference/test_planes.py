"""Planes in and out: what must not change does not, and chroma lands where its siting says."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from upreel.errors import MediaError
from upreel.inference.planes import PlaneConverter
from upreel.models.bicubic import Bicubic
from upreel.models.upscaler import Window
from upreel.ops.color import rgb_to_ycbcr
from upreel.video.coding import Coding
from upreel.video.frame import ColorTags, Family, Frame, PixelLayout, Plane, Siting

SIZE = (16, 12)


def frame_of(planes: list[Plane], layout: PixelLayout) -> Frame:
    return Frame(tuple(planes), layout, 0, Fraction(1, 25))


def converter(source: Coding, target: Coding, *, scale: int = 1) -> PlaneConverter:
    size = (SIZE[0] * scale, SIZE[1] * scale)
    return PlaneConverter(
        source, target, color="luma", source_size=SIZE, size=size, target_size=size
    )


def as_plane(codes: NDArray[np.int64], bits: int) -> Plane:
    return codes.astype(np.uint8) if bits == 8 else codes.astype(np.uint16)


def random_planes(layout: PixelLayout) -> list[Plane]:
    generator = np.random.default_rng(0)
    across, down = layout.subsample
    sizes = [(SIZE[1], SIZE[0])] * (1 if layout.family == "gray" else 3)
    if layout.family == "yuv":
        sizes[1:] = [(SIZE[1] // down, SIZE[0] // across)] * 2
    if layout.alpha:
        sizes.append((SIZE[1], SIZE[0]))
    codes = [generator.integers(0, 2**layout.bits, size) for size in sizes]
    return [as_plane(plane, layout.bits) for plane in codes]


@pytest.mark.parametrize("family", ["yuv", "gray", "rgb"])
@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("alpha", [False, True])
def test_a_network_that_changes_nothing_changes_no_code(
    family: Family, bits: int, alpha: bool
) -> None:
    layout = PixelLayout(family, bits, (2, 2) if family == "yuv" else (1, 1), alpha)
    coding = Coding.of(layout, ColorTags())
    same = converter(coding, coding)
    frame = frame_of(random_planes(layout), layout)
    out = same.high(frame, same.low(frame))
    for before, after in zip(frame.planes, out.planes, strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_a_linear_skip_keeps_every_code_of_a_flat_frame(bits: int) -> None:
    layout = PixelLayout("gray", bits)
    coding = Coding.of(layout, ColorTags())
    larger, bicubic = converter(coding, coding, scale=4), Bicubic(4)
    for code in range(0, 2**bits, 1 if bits == 8 else 7):
        frame = frame_of([as_plane(np.full((SIZE[1], SIZE[0]), code), bits)], layout)
        high, _ = bicubic.step(Window(larger.low(frame)[None, None]), {})
        assert (larger.high(frame, high[0, 0]).planes[0] == code).all()


@pytest.mark.parametrize(
    ("siting", "vertical", "horizontal"),
    [("left", 0.5, 0.0), ("center", 0.5, 0.5), ("topleft", 0.0, 0.0), ("bottom", 1.0, 0.5)],
)
def test_chroma_keeps_its_place(siting: Siting, vertical: float, horizontal: float) -> None:
    """A ramp over the picture stays the same ramp: each sample has the value of its position."""
    layout = PixelLayout("yuv", 12, (2, 2))
    coding = Coding.of(layout, ColorTags(siting=siting))
    y, x = np.mgrid[: SIZE[1] // 2, : SIZE[0] // 2]
    place_x, place_y = 2 * x + horizontal + 0.5, 2 * y + vertical + 0.5
    planes: list[Plane] = [
        np.zeros((SIZE[1], SIZE[0]), np.uint16),
        (place_x * 64 + 500).astype(np.uint16),
        (place_y * 64 + 500).astype(np.uint16),
    ]
    larger = converter(coding, coding, scale=4)
    out = larger.high(frame_of(planes, layout), torch.zeros(1, SIZE[1] * 4, SIZE[0] * 4))
    y, x = np.mgrid[: SIZE[1] * 2, : SIZE[0] * 2]
    wanted_x = (2 * x + horizontal + 0.5) / 4 * 64 + 500
    wanted_y = (2 * y + vertical + 0.5) / 4 * 64 + 500
    inner = (slice(8, -8), slice(8, -8))  # the border of a ramp is mirrored
    np.testing.assert_allclose(out.planes[1][inner], wanted_x[inner], atol=0.5001)
    np.testing.assert_allclose(out.planes[2][inner], wanted_y[inner], atol=0.5001)


def test_more_bits_are_real_bits() -> None:
    """8-bit studio codes become four times themselves at 10 bits; between them, others appear."""
    eight, ten = PixelLayout("gray", 8), PixelLayout("gray", 10)
    to_ten = converter(Coding.of(eight, ColorTags()), Coding.of(ten, ColorTags()), scale=4)
    ramp = np.tile(np.arange(16, 16 + SIZE[0], dtype=np.uint8), (SIZE[1], 1))
    frame = frame_of([ramp], eight)
    high, _ = Bicubic(4).step(Window(to_ten.low(frame)[None, None]), {})
    codes = to_ten.high(frame, high[0, 0]).planes[0]
    x = (np.arange(SIZE[0] * 4) + 0.5) / 4 - 0.5
    np.testing.assert_allclose(codes[5, 8:-8], (4 * (16 + x))[8:-8], atol=0.5001)
    assert len(set((codes[5, 8:-8] % 4).tolist())) == 4


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m", "bt2020nc"])
def test_rgb_becomes_the_targets_colours(matrix: str) -> None:
    rgb = PixelLayout("rgb")
    yuv = PixelLayout("yuv")
    target = Coding.of(yuv, ColorTags(range="tv", matrix=matrix))
    change = converter(Coding.of(rgb, ColorTags()), target)
    frame = frame_of(random_planes(rgb), rgb)
    out = change.high(frame, change.low(frame))
    values = torch.stack([torch.from_numpy(plane) for plane in frame.planes]) / 255
    wanted = (rgb_to_ycbcr(values, matrix, "tv", 8) * 255).round()
    found = torch.stack([torch.from_numpy(plane) for plane in out.planes])
    assert (found - wanted).abs().max() <= 1


@pytest.mark.parametrize("matrix", ["ictcp", "ycgco-re", "bt2020c", "chroma-derived-nc"])
def test_a_matrix_that_nobody_knows_is_refused_where_it_counts(matrix: str) -> None:
    yuv, rgb = PixelLayout("yuv"), Coding.of(PixelLayout("rgb"), ColorTags())
    coding = Coding.of(yuv, ColorTags(matrix=matrix))
    frame = frame_of(random_planes(yuv), yuv)
    same = converter(coding, coding)
    for before, after in zip(frame.planes, same.high(frame, same.low(frame)).planes, strict=True):
        np.testing.assert_array_equal(before, after)
    for source, target in ((coding, rgb), (rgb, coding)):
        with pytest.raises(MediaError, match=rf"coded as {matrix} cannot be turned into RGB"):
            converter(source, target)


def test_rows_that_the_target_does_not_keep_are_dropped() -> None:
    layout = PixelLayout("yuv", subsample=(2, 2))
    coding = Coding.of(layout, ColorTags())
    cropping = PlaneConverter(
        coding, coding, color="luma", source_size=SIZE, size=(25, 19), target_size=(24, 18)
    )
    frame = frame_of(random_planes(layout), layout)
    out = cropping.high(frame, torch.zeros(1, SIZE[1] * 2, SIZE[0] * 2))
    assert [plane.shape for plane in out.planes] == [(18, 24), (9, 12), (9, 12)]
