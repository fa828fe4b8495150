from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import av.filter
import numpy as np
import pytest
from av.sidedata.sidedata import Type
from numpy.typing import NDArray

from tests.video.media import plane_arrays, write_video
from upreel.errors import OutputError, UsageError
from upreel.video.frame import Frame, PixelLayout, Plane
from upreel.video.image_writer import ImageWriter
from upreel.video.reader import Reader
from upreel.video.tags import side_data_of
from upreel.video.writer import open_writer

SIZE = (32, 24)


def planes(layout: PixelLayout, seed: int = 0) -> tuple[Plane, ...]:
    """Noise that uses every bit, smooth enough for JPEG."""
    random = np.random.default_rng(seed)
    count = {"gray": 1, "rgb": 3, "yuv": 3}[layout.family] + layout.alpha
    noise = [random.integers(0, 2**layout.bits, (24, 32)) for _ in range(count)]
    if layout.bits == 8:
        return tuple(values.astype(np.uint8) for values in noise)
    return tuple(values.astype(np.uint16) for values in noise)


def frame(writer: ImageWriter, seed: int = 0) -> Frame:
    return Frame(planes(writer.layout, seed), writer.layout, seed, Fraction(1, 25))


def read(path: Path, pixel_format: str) -> NDArray[np.int64]:
    """As FFmpeg decodes it; planes first."""
    with av.open(str(path)) as container:
        decoded = next(container.decode(video=0))
    array = decoded.to_ndarray(format=pixel_format).astype(np.int64)
    return array if array.ndim == 2 else np.moveaxis(array, -1, 0)


def writer_of(target: str | Path, source: Reader, *, overwrite: bool = False) -> ImageWriter:
    made = open_writer(target, source=source, size=SIZE, overwrite=overwrite)
    assert isinstance(made, ImageWriter)
    return made


@pytest.mark.parametrize(
    ("pixel_format", "name", "layout", "decoded"),
    [
        ("yuv420p", "a.png", PixelLayout("rgb"), "rgb24"),
        ("yuv420p10le", "a.png", PixelLayout("rgb", 16), "rgb48le"),
        ("gray", "a.png", PixelLayout("gray"), "gray"),
        ("gray10le", "a.tif", PixelLayout("gray", 16), "gray16le"),
        ("yuva420p", "a.png", PixelLayout("rgb", alpha=True), "rgba"),
        ("yuv420p10le", "a.bmp", PixelLayout("rgb"), "rgb24"),
    ],
)
def test_every_code_value_arrives(
    tmp_path: Path, pixel_format: str, name: str, layout: PixelLayout, decoded: str
) -> None:
    source = write_video(tmp_path / "in.mkv", 1, codec="ffv1", pixel_format=pixel_format)
    with Reader(source) as reader, writer_of(tmp_path / name, reader) as writer:
        assert writer.layout == layout
        assert writer.colors.range == "pc"
        made = frame(writer)
        writer.write(made)
        assert writer.finish() == tmp_path / name
    expected = np.stack(made.planes).squeeze()
    np.testing.assert_array_equal(read(tmp_path / name, decoded), expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "in.mkv"])


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a.webp"])
def test_lossy_images_are_nearly_right(tmp_path: Path, name: str) -> None:
    source = write_video(tmp_path / "in.mkv", 1)
    with Reader(source) as reader, writer_of(tmp_path / name, reader) as writer:
        ramp = np.tile(np.arange(32, dtype=np.uint8) * 7, (24, 1))
        writer.write(Frame((ramp, ramp // 2, 255 - ramp), writer.layout, 0, Fraction(1, 25)))
        writer.finish()
    found = read(tmp_path / name, "rgb24")
    assert np.abs(found[0] - ramp).mean() < 6
    assert np.abs(found[2] - (255 - ramp.astype(int))).mean() < 6


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("frames", ["000001.png", "000002.png", "000003.png"]),
        ("frames.d/", ["000001.png", "000002.png", "000003.png"]),
        ("shot_%03d.jpg", ["shot_001.jpg", "shot_002.jpg", "shot_003.jpg"]),
    ],
)
def test_frames_are_numbered(tmp_path: Path, target: str, names: list[str]) -> None:
    source = write_video(tmp_path / "in.mp4", 1)
    out = tmp_path / "out"
    out.mkdir()
    with Reader(source) as reader, writer_of(f"{out}/{target}", reader) as writer:
        for index in range(3):
            writer.write(frame(writer, index))
        folder = writer.finish()
    assert sorted(path.name for path in folder.iterdir()) == names
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == []


def test_one_image_takes_one_frame(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 2)
    with (
        pytest.raises(UsageError, match=r"is one image, but the input has more than one frame"),
        Reader(source) as reader,
        writer_of(tmp_path / "a.png", reader) as writer,
    ):
        writer.write(frame(writer))
        writer.write(frame(writer))
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_a_failure_leaves_no_trace(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 1)
    with (
        pytest.raises(KeyboardInterrupt),
        Reader(source) as reader,
        writer_of(tmp_path / "frames", reader) as writer,
    ):
        writer.write(frame(writer))
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_partial_results_say_so(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 1)
    with Reader(source) as reader, writer_of(tmp_path / "frames", reader) as writer:
        writer.write(frame(writer))
        assert writer.finish(partial=True) == tmp_path / "frames.partial"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["frames.partial", "in.mp4"]


def test_frames_of_an_earlier_run_do_not_mix_in(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 1)
    for count in (3, 1):
        with (
            Reader(source) as reader,
            writer_of(tmp_path / "frames", reader, overwrite=True) as writer,
        ):
            for index in range(count):
                writer.write(frame(writer, index))
            writer.finish()
        (tmp_path / "frames" / "notes.txt").touch()
    assert sorted(path.name for path in (tmp_path / "frames").iterdir()) == [
        "000001.png",
        "notes.txt",
    ]


def test_what_images_cannot_hold_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = write_video(tmp_path / "in.mp4", 1, audio=True)
    with Reader(source) as reader:
        writer_of(tmp_path / "frames", reader)
    assert "1 other stream is left out: images hold no sound and no subtitles" in caplog.text


def test_nothing_is_written_of_nothing(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 1)
    with (
        Reader(source) as reader,
        writer_of(tmp_path / "frames", reader) as writer,
        pytest.raises(OutputError, match="the source has no frame"),
    ):
        writer.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_a_pattern_of_videos_is_refused(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 1)
    with Reader(source) as reader, pytest.raises(UsageError, match=r"Images end in .*'\.mp4'"):
        open_writer(tmp_path / "a%03d.mp4", source=reader, size=SIZE)


def autorotated(path: Path) -> NDArray[np.int64]:
    """The first frame as the ffmpeg command turns it, by the rule of its own source; luma."""
    with av.open(str(path)) as container:
        shown = next(container.decode(video=0))
    matrix = side_data_of(shown, Type.DISPLAYMATRIX)
    a, _, _, c, d, *_ = struct.unpack("=9i", matrix) if matrix else (1, 0, 0, 0, 1, 0, 0, 0, 1)
    turn = round(-shown.rotation) % 360
    filters: list[tuple[str, dict[str, str]]] = []
    if turn == 90:
        filters = [("transpose", {"dir": "cclock_flip" if c > 0 else "clock"})]
    elif turn == 270:
        filters = [("transpose", {"dir": "clock_flip" if c < 0 else "cclock"})]
    elif turn == 180:
        filters = [(name, {}) for name, sign in (("hflip", a), ("vflip", d)) if sign < 0]
    elif d < 0:
        filters = [("vflip", {})]
    graph = av.filter.Graph()
    nodes = [
        graph.add_buffer(
            width=shown.width, height=shown.height, format=shown.format, time_base=Fraction(1, 25)
        ),
        *(graph.add(name, **options) for name, options in filters),
        graph.add("copy"),  # lines that stand upside down in memory are put in order
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    graph.vpush(shown)
    return plane_arrays(graph.vpull())[0].astype(np.int64)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
def test_images_stand_as_players_show_the_video(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, rotation: int, mirrored: bool
) -> None:
    source = write_video(
        tmp_path / "in.mp4", 1, size=(32, 24), pixel_format="gray",
        rotation=rotation, mirrored=mirrored, color=(2, 1, 1, 1),
    )  # fmt: skip
    with Reader(source) as reader, writer_of(tmp_path / "out.png", reader) as writer:
        for shown in reader:
            luma = shown.planes[0]
            writer.write(shown.with_planes((luma,) * len(planes(writer.layout)), writer.layout))
        writer.finish()
    image = read(tmp_path / "out.png", "rgb24")
    np.testing.assert_array_equal(image.reshape(-1, *image.shape[-2:])[0], autorotated(source))
    said = [line for line in caplog.messages if line.startswith("Images are ")]
    assert bool(said) == bool(rotation or mirrored)


@pytest.mark.parametrize(("ratio", "looks", "width"), [("4/3", "narrow", 43), ("8/9", "wide", 28)])
def test_images_cannot_say_what_shape_pixels_have(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, ratio: str, looks: str, width: int
) -> None:
    source = write_video(tmp_path / "in.mp4", 1, size=(32, 24), sample_aspect_ratio=Fraction(ratio))
    with Reader(source) as reader:
        writer_of(tmp_path / "out.png", reader)
    (line,) = caplog.messages
    assert line == (
        f"Pixels of the video are {ratio} as wide as high, which images cannot say: they look too "
        f"{looks}. --size {width}x24 gives them their shape."
    )
    caplog.clear()
    with Reader(source) as reader:
        open_writer(tmp_path / "out.png", source=reader, size=(width * 3, 72))
    assert not caplog.messages


def test_one_image_for_many_frames_is_refused_before_the_work(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 3, size=SIZE)
    with (
        Reader(source) as reader,
        pytest.raises(UsageError, match=r"out\.jpg is one image, but .* more than one frame"),
    ):
        writer_of(tmp_path / "out.jpg", reader)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
