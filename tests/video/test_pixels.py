"""Planes in and out of FFmpeg's frames."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from tests.video.media import as_av_frame, picture, plane_arrays
from upreel.video.frame import PixelLayout, Plane
from upreel.video.pixels import canonical, frame_of, layout_of, pixel_format_of, planes_of

PLANAR = [
    ("gray", PixelLayout("gray")),
    ("gray10le", PixelLayout("gray", 10)),
    ("gray16le", PixelLayout("gray", 16)),
    ("yuv420p", PixelLayout("yuv", 8, (2, 2))),
    ("yuv422p10le", PixelLayout("yuv", 10, (2, 1))),
    ("yuv444p12le", PixelLayout("yuv", 12)),
    ("yuv420p9le", PixelLayout("yuv", 9, (2, 2))),
    ("yuv411p", PixelLayout("yuv", 8, (4, 1))),
    ("yuv440p", PixelLayout("yuv", 8, (1, 2))),
    ("yuva420p", PixelLayout("yuv", 8, (2, 2), alpha=True)),
    ("yuva444p10le", PixelLayout("yuv", 10, alpha=True)),
    ("gbrp", PixelLayout("rgb")),
    ("gbrp16le", PixelLayout("rgb", 16)),
    ("gbrap", PixelLayout("rgb", alpha=True)),
]


@pytest.mark.parametrize(("pixel_format", "layout"), PLANAR)
def test_layouts_have_the_names_of_ffmpeg(pixel_format: str, layout: PixelLayout) -> None:
    assert layout_of(pixel_format) == layout
    assert pixel_format_of(layout) == pixel_format
    assert canonical(pixel_format) == pixel_format


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("yuvj420p", "yuv420p"),
        ("yuvj422p", "yuv422p"),
        ("nv12", "yuv420p"),
        ("p010le", "yuv420p10le"),
        ("yuyv422", "yuv422p"),
        ("yuv420p10be", "yuv420p10le"),
        ("pal8", "gbrap"),
        ("bgr24", "gbrp"),
        ("bgra", "gbrap"),
        ("rgb0", "gbrp"),
        ("rgb565le", "gbrp"),
        ("rgb48be", "gbrp16le"),
        ("monow", "gray"),
        ("ya8", "gbrap"),
        ("gray16be", "gray16le"),
        ("rgb24", "rgb24"),
    ],
)
def test_canonical_keeps_what_a_format_holds(given: str, expected: str) -> None:
    assert canonical(given) == expected
    assert layout_of(expected) is not None


def test_full_range_is_a_tag_and_no_layout() -> None:
    assert layout_of("yuvj420p") == layout_of("yuv420p")
    assert layout_of("nv12") is None


def test_layouts_without_a_format_are_refused() -> None:
    with pytest.raises(ValueError, match="no planar pixel format"):
        pixel_format_of(PixelLayout("yuv", 11, (2, 2)))
    with pytest.raises(ValueError, match="no planar pixel format"):
        pixel_format_of(PixelLayout("gray", alpha=True))


@pytest.mark.parametrize("size", [(64, 48), (65, 49), (1, 1), (3, 2)])
@pytest.mark.parametrize(("pixel_format", "layout"), PLANAR)
def test_planes_survive_both_ways(
    pixel_format: str, layout: PixelLayout, size: tuple[int, int]
) -> None:
    width, height = size
    rng = np.random.default_rng(1)
    planes: list[Plane] = []
    for array in picture(0, width, height, pixel_format=pixel_format):
        values = rng.integers(0, 2**layout.bits, array.shape)
        planes.append(values.astype(np.uint8) if layout.bits == 8 else values.astype(np.uint16))
    read = planes_of(frame_of(tuple(planes), layout))
    assert len(read) == len(planes)
    for one, other in zip(planes, read, strict=True):
        np.testing.assert_array_equal(one, other)


def test_planes_are_written_where_ffmpeg_looks_for_them() -> None:
    red, green, blue = (np.full((4, 6), value, np.uint8) for value in (200, 100, 50))
    frame = frame_of((red, green, blue), PixelLayout("rgb"))
    assert frame.to_ndarray(format="rgb24")[0, 0].tolist() == [200, 100, 50]


@pytest.mark.parametrize(("packed", "count"), [("rgb24", 3), ("rgba", 4)])
def test_packed_pixels_are_read_as_planes(packed: str, count: int) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (5, 7, count)).astype(np.uint8)
    planes = planes_of(av.VideoFrame.from_ndarray(pixels, format=packed))
    np.testing.assert_array_equal(np.stack(planes, axis=-1), pixels)


def test_odd_chroma_is_read_whole() -> None:
    arrays = picture(0, 65, 49, pixel_format="yuv420p10le")
    planes = planes_of(as_av_frame(arrays, 65, 49, "yuv420p10le"))
    assert [plane.shape for plane in planes] == [(49, 65), (25, 33), (25, 33)]
    for one, other in zip(arrays, planes, strict=True):
        np.testing.assert_array_equal(one, other)


def test_semi_planar_becomes_planar_without_loss() -> None:
    arrays = picture(0, 64, 48, pixel_format="yuv420p10le")
    reformatter = VideoReformatter()
    semi = reformatter.reformat(as_av_frame(arrays, 64, 48, "yuv420p10le"), format="p010le")
    back = reformatter.reformat(semi, format=canonical("p010le"))
    for one, other in zip(arrays, planes_of(back), strict=True):
        np.testing.assert_array_equal(one, other)


def test_planes_of_a_frame_cannot_be_written() -> None:
    planes = planes_of(av.VideoFrame(8, 8, "gray"))
    with pytest.raises(ValueError, match="read-only"):
        planes[0][0, 0] = 1


def test_an_upside_down_frame_is_read_upright() -> None:
    graph = av.filter.Graph()
    arrays = picture(3, 32, 24)
    frame = as_av_frame(arrays, 32, 24, "yuv420p")
    nodes = (
        graph.add_buffer(width=32, height=24, format=frame.format, time_base=Fraction(1, 25)),
        graph.add("vflip"),  # turns the lines over by a negative line size
        graph.add("buffersink"),
    )
    graph.link_nodes(*nodes).configure()
    graph.vpush(frame)
    flipped = graph.vpull()
    assert flipped.planes[0].line_size < 0
    for one, other in zip(arrays, planes_of(flipped), strict=True):
        np.testing.assert_array_equal(one[::-1], other)


def test_wrong_planes_are_refused() -> None:
    luma, chroma = np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8)
    with pytest.raises(ValueError, match="plane of 2x2 was expected for a frame of 4x4, found 4x4"):
        frame_of((luma, chroma, chroma), PixelLayout("yuv", 8, (2, 2)))
    with pytest.raises(ValueError, match="nv12 cannot be read"):
        planes_of(av.VideoFrame(8, 8, "nv12"))


def test_the_reference_reader_of_these_tests_agrees() -> None:
    arrays = picture(1, 20, 10, pixel_format="yuv422p10le")
    for one, other in zip(
        arrays, plane_arrays(as_av_frame(arrays, 20, 10, "yuv422p10le")), strict=True
    ):
        np.testing.assert_array_equal(one, other)
