"""Folders, patterns and single images."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.video.media import Arrays, picture, with_orientation, write_image, write_video
from upreel.errors import MediaError
from upreel.video.frame import Frame, PixelLayout, Plane
from upreel.video.images import find_images, is_image_source
from upreel.video.reader import Reader


def grey(value: int, width: int = 8, height: int = 6) -> Arrays:
    return (np.full((height, width), value, np.uint8),)


def write_grey(path: Path, value: int, width: int = 8, height: int = 6) -> Path:
    return write_image(path, grey(value, width, height), "gray", "png")


def read(source: Path | str) -> list[Frame]:
    with Reader(source) as reader:
        return list(reader)


def test_a_folder_is_read_in_the_order_that_people_count_in(tmp_path: Path) -> None:
    for number in (1, 10, 2, 100):
        write_grey(tmp_path / f"frame{number}.png", number)
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden").mkdir()
    with Reader(tmp_path, frame_rate=Fraction(30)) as reader:
        assert reader.kind == "images"
        assert reader.media is None
        assert reader.frames == 4
        frames = list(reader)
    assert [int(frame.planes[0][0, 0]) for frame in frames] == [1, 2, 10, 100]
    assert [(frame.pts, frame.time_base, frame.duration) for frame in frames] == [
        (index, Fraction(1, 30), 1) for index in range(4)
    ]


@pytest.mark.parametrize(
    "pattern", ["f%d.png", "f%02d.png", "f*.png", "f??.png", "*", "f[0-9]*.png"]
)
def test_patterns_find_their_images(tmp_path: Path, pattern: str) -> None:
    for number in (10, 12, 11):
        write_grey(tmp_path / f"f{number}.png", number)
    (tmp_path / "f10.txt").write_text("")
    source = str(tmp_path / pattern)
    assert is_image_source(source)
    assert [path.name for path in find_images(source)] == ["f10.png", "f11.png", "f12.png"]
    assert [int(frame.planes[0][0, 0]) for frame in read(source)] == [10, 11, 12]


def test_printf_numbers_need_their_digits(tmp_path: Path) -> None:
    write_grey(tmp_path / "f1.png", 1)
    write_grey(tmp_path / "f0001.png", 2)
    assert [path.name for path in find_images(tmp_path / "f%04d.png")] == ["f0001.png"]


def test_a_percent_sign_in_the_name_of_an_image_is_no_pattern(tmp_path: Path) -> None:
    path = write_grey(tmp_path / "100%d.png", 7)
    assert [int(frame.planes[0][0, 0]) for frame in read(path)] == [7]


def test_what_stands_for_images(tmp_path: Path) -> None:
    assert is_image_source(tmp_path)
    assert is_image_source(write_grey(tmp_path / "a.PNG", 1))
    assert not is_image_source(tmp_path / "missing.png")
    assert not is_image_source(tmp_path / "part*.mp4")
    assert not is_image_source(write_video(tmp_path / "a%d.mp4", 1))


def test_nothing_found_is_said(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"no images in this folder; expected files that end in"):
        Reader(tmp_path).__enter__()
    with pytest.raises(MediaError, match=r"f%d\.png: no images of this pattern"):
        Reader(tmp_path / "f%d.png").__enter__()
    with pytest.raises(MediaError, match=r"no images of this pattern"):
        Reader(tmp_path / "missing" / "%d.png").__enter__()


def test_one_image_is_one_frame(tmp_path: Path) -> None:
    path = write_grey(tmp_path / "one.png", 99)
    with Reader(path) as reader:
        assert reader.kind == "image"
        (frame,) = reader
    assert frame.layout == PixelLayout("gray")
    np.testing.assert_array_equal(frame.planes[0], grey(99)[0])


@pytest.mark.parametrize(
    ("name", "codec", "stored", "layout"),
    [
        ("a.png", "png", "gray", PixelLayout("gray")),
        ("a.tif", "tiff", "gray", PixelLayout("gray")),
        ("a.bmp", "bmp", "gray", PixelLayout("rgb", alpha=True)),
        ("a.tiff", "tiff", "gray16le", PixelLayout("gray", 16)),
    ],
)
def test_grey_images_keep_their_values(
    tmp_path: Path, name: str, codec: str, stored: str, layout: PixelLayout
) -> None:
    arrays = picture(0, 10, 8, pixel_format=stored)
    (frame,) = read(write_image(tmp_path / name, arrays, stored, codec))
    assert frame.layout == layout
    np.testing.assert_array_equal(frame.planes[0], arrays[0])


@pytest.mark.parametrize(
    ("stored", "layout"),
    [("gray16be", PixelLayout("gray", 16)), ("rgb48be", PixelLayout("rgb", 16))],
)
def test_sixteen_bits_of_a_png_are_sixteen_bits(
    tmp_path: Path, stored: str, layout: PixelLayout
) -> None:
    count = 3 if layout.family == "rgb" else 1
    values = np.random.default_rng(0).integers(0, 65536, (6, 8, count)).astype(np.uint16)
    path = tmp_path / "a.png"
    write_image(path, (values.byteswap().reshape(6, -1),), stored, "png", width=8)
    (frame,) = read(path)
    assert frame.layout == layout
    np.testing.assert_array_equal(np.stack(frame.planes, axis=-1), values)


def test_jpegs_keep_their_planes_and_their_range(tmp_path: Path) -> None:
    arrays = picture(0, 32, 16, pixel_format="yuvj420p")
    with Reader(write_image(tmp_path / "a.jpg", arrays, "yuvj420p", "mjpeg")) as reader:
        assert reader.video.layout == PixelLayout("yuv", 8, (2, 2))
        assert reader.video.colors.range == "pc"
        (frame,) = reader
    for plane, expected in zip(frame.planes, arrays, strict=True):
        assert np.abs(plane.astype(int) - expected).mean() < 4


def test_webp_is_read(tmp_path: Path) -> None:
    arrays = picture(0, 32, 16)
    (frame,) = read(write_image(tmp_path / "a.webp", arrays, "yuv420p", "libwebp"))
    assert np.abs(frame.planes[0].astype(int) - arrays[0]).mean() < 4


ORIENTED: dict[int, Callable[[Plane], Plane]] = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.T,
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image.T[::-1, ::-1],
    8: np.rot90,
}
"""What a viewer does for each value of the EXIF tag."""


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("stored", ["yuvj420p", "yuvj422p"])
def test_jpegs_are_turned_as_exif_says(tmp_path: Path, orientation: int, stored: str) -> None:
    plain = write_image(
        tmp_path / "a.jpg", picture(0, 32, 16, pixel_format=stored), stored, "mjpeg"
    )
    (upright,) = read(plain)
    turned = tmp_path / "turned.jpg"
    turned.write_bytes(with_orientation(plain.read_bytes(), orientation))
    with Reader(turned) as reader:
        (frame,) = reader
        assert (reader.video.width, reader.video.height) == (frame.width, frame.height)
        assert reader.video.rotation == 0
    for plane, before in zip(frame.planes, upright.planes, strict=True):
        np.testing.assert_array_equal(plane, ORIENTED[orientation](before))
    assert frame.layout.subsample[0] == frame.width // frame.planes[1].shape[1]
    assert frame.layout.subsample[1] == frame.height // frame.planes[1].shape[0]


def test_images_of_different_sizes_are_refused_by_name(tmp_path: Path) -> None:
    first = write_grey(tmp_path / "1.png", 1)
    second = write_grey(tmp_path / "2.png", 2, 10, 6)
    words = f"{first} is 8x6, {second} is 10x6"
    with pytest.raises(MediaError, match=f"must be of one size: {re.escape(words)}"):
        read(tmp_path)


def test_images_stored_in_different_ways_become_alike(tmp_path: Path) -> None:
    pixels = np.full((6, 8, 3), (200, 100, 50), np.uint8)
    write_image(tmp_path / "1.png", (pixels.reshape(6, 24),), "rgb24", "png", width=8)
    write_grey(tmp_path / "2.png", 77)
    one, two = read(tmp_path)
    assert one.layout == two.layout == PixelLayout("rgb")
    assert [int(plane[0, 0]) for plane in one.planes] == [200, 100, 50]
    assert [int(plane[0, 0]) for plane in two.planes] == [77, 77, 77]


def test_an_image_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image at all")
    with pytest.raises(MediaError, match=r"no picture in .*bad\.png can be decoded"):
        read(tmp_path / "bad.png")


def test_a_part_of_a_folder(tmp_path: Path) -> None:
    for number in range(10):
        write_grey(tmp_path / f"{number}.png", number)
    with Reader(
        tmp_path, start=Fraction(2, 10), end=Fraction(5, 10), frame_rate=Fraction(10)
    ) as reader:
        assert reader.frames == 3
        assert [int(frame.planes[0][0, 0]) for frame in reader] == [2, 3, 4]


def test_an_animated_gif_is_a_video_with_its_own_timing(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "a.gif", 4, codec="gif", pixel_format="gray", time_base=Fraction(1, 100),
        pts=[0, 10, 15, 40], durations=[10, 5, 25, 7],
    )  # fmt: skip
    with Reader(path) as reader:
        assert reader.kind == "video"
        frames = list(reader)
        assert reader.damage is None
    assert [frame.pts * frame.time_base for frame in frames] == [
        Fraction(0), Fraction(1, 10), Fraction(15, 100), Fraction(40, 100),
    ]  # fmt: skip
    assert [frame.duration for frame in frames][:3] == [10, 5, 25]
    assert frames[0].layout == PixelLayout("rgb", alpha=True)


def test_a_transparent_gif_has_its_alpha(tmp_path: Path) -> None:
    frame = av.VideoFrame(16, 8, "pal8")
    indices = np.arange(16 * 8).reshape(8, 16) % 2
    pixels = np.zeros((8, frame.planes[0].line_size), np.uint8)
    pixels[:, :16] = indices
    frame.planes[0].update(pixels.tobytes())
    palette = np.zeros((256, 4), np.uint8)  # B, G, R, A
    palette[1] = 50, 100, 200, 255
    frame.planes[1].update(palette.tobytes())
    path = tmp_path / "a.gif"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("gif", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 16, 8, "pal8"
        frame.pts, frame.time_base = 0, Fraction(1, 10)
        out.mux([*stream.encode(frame), *stream.encode(None)])
    (shown,) = read(path)
    assert shown.layout == PixelLayout("rgb", alpha=True)
    np.testing.assert_array_equal(shown.planes[3], indices * 255)
    for plane, value in zip(shown.planes, (200, 100, 50), strict=False):
        np.testing.assert_array_equal(plane[indices == 1], value)


def test_grey_without_a_tag_is_of_full_range(tmp_path: Path) -> None:
    picture = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert cv2.imwrite(str(tmp_path / "grey.tif"), picture)
    with Reader(tmp_path / "grey.tif") as reader:
        assert reader.video.colors.range == "pc"
        np.testing.assert_array_equal(next(iter(reader)).planes[0], picture)


@pytest.mark.parametrize(
    ("numbers", "line"),
    [
        ((1, 2, 5, 6, 9), "f0003.png is missing, and 3 more of 9; the images before and after "
         "follow each other."),
        ((7, 8, 10), "f0009.png is missing; the images before and after follow each other."),
        ((3, 4, 5), None),
        ((3,), None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("pattern", ["", "f%04d.png", "*.png"])
def test_missing_numbers_are_named(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    numbers: tuple[int, ...],
    line: str | None,
    pattern: str,
) -> None:
    for number in numbers:
        write_grey(tmp_path / f"f{number:04d}.png", number)
    frames = read(tmp_path / pattern)
    assert [int(frame.planes[0][0, 0]) for frame in frames] == list(numbers)
    assert caplog.messages == ([] if line is None else [f"{tmp_path / line}"])


def test_names_that_are_not_numbered_alike_miss_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a1.png", "b5.png", "scan.png"):
        write_grey(tmp_path / name, 7)
    assert len(read(tmp_path)) == 3
    assert not caplog.messages
