from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from upreel.video.frame import PixelLayout
from upreel.video.geometry import crop, sample_aspect_ratio, whole_chroma


@pytest.mark.parametrize(
    ("subsample", "size", "expected"),
    [
        ((2, 2), (63, 47), (62, 46)),
        ((2, 1), (63, 47), (62, 47)),
        ((1, 1), (63, 47), (63, 47)),
        ((4, 1), (63, 47), (60, 47)),
        ((2, 2), (1, 1), (2, 2)),
    ],
)
def test_chroma_stands_for_whole_pixels(
    subsample: tuple[int, int], size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert whole_chroma(size, PixelLayout("yuv", subsample=subsample)) == expected


def test_cropping_takes_from_the_end() -> None:
    luma = np.arange(35, dtype=np.uint8).reshape(5, 7)
    chroma = np.arange(12, dtype=np.uint8).reshape(3, 4)
    layout = PixelLayout("yuv", subsample=(2, 2), alpha=True)
    planes = crop((luma, chroma, chroma, luma), layout, (6, 4))
    assert [plane.shape for plane in planes] == [(4, 6), (2, 3), (2, 3), (4, 6)]
    assert planes[0][3, 5] == luma[3, 5]
    rgb = crop((luma, luma, luma), PixelLayout("rgb"), (3, 2))
    assert [plane.shape for plane in rgb] == [(2, 3)] * 3


@pytest.mark.parametrize(
    ("ratio", "source", "target", "expected"),
    [
        (Fraction(4, 3), (64, 48), (256, 192), Fraction(4, 3)),
        (None, (64, 48), (256, 192), None),
        (None, (854, 480), (1922, 1080), None),  # 1921.5 is not stretched by half a pixel
        (None, (720, 576), (1440, 576), Fraction(1, 2)),
        (Fraction(16, 15), (720, 576), (1920, 1080), Fraction(3, 4)),
    ],
)
def test_pixels_change_their_shape_with_the_picture(
    ratio: Fraction | None,
    source: tuple[int, int],
    target: tuple[int, int],
    expected: Fraction | None,
) -> None:
    found = sample_aspect_ratio(ratio, source, target)
    assert found == expected
    if ratio is not None and found is not None:
        # What is seen keeps its shape: width times ratio to height.
        before, after = (Fraction(*size) * r for size, r in ((source, ratio), (target, found)))
        assert before == after
