"""From file to file: what goes in comes out, larger."""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import upreel
from tests.video.media import (
    Arrays,
    as_av_frame,
    decoded,
    picture,
    pictures,
    plane_arrays,
    write_video,
)
from upreel.errors import DamagedError, MediaError, UsageError
from upreel.inference.pipeline import Options, Progress, upscale
from upreel.models.bicubic import Bicubic
from upreel.models.upscaler import Spec, State, StateSpec, Window
from upreel.ops.resize import imresize, resize
from upreel.video.encoding import Encoding

Picture = NDArray[np.uint8] | NDArray[np.uint16]

LOSSLESS = Encoding(codec="ffv1")


def bicubic(scale: int = 2, **more: object) -> Options:
    options = Options(model="bicubic", scale=scale, encoding=LOSSLESS)
    for name, value in more.items():
        object.__setattr__(options, name, value)
    return options


def reference(plane: Picture, scale: int, bits: int) -> NDArray[np.float64]:
    """Bicubic interpolation of luma, in double precision, rounded to codes."""
    values = imresize(torch.from_numpy(plane.astype(np.float64)), scale).numpy()
    return values.round().clip(0, 2**bits - 1)


def times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        return [frame.pts * stream.time_base for frame in container.decode(stream)]  # type: ignore[operator]


@pytest.mark.parametrize(("pixel_format", "bits"), [("yuv420p", 8), ("yuv420p10le", 10)])
def test_luma_is_what_the_model_makes_of_it(tmp_path: Path, pixel_format: str, bits: int) -> None:
    source = write_video(tmp_path / "in.mkv", 3, pixel_format=pixel_format, codec="ffv1")
    upscale(source, tmp_path / "out.mkv", bicubic(4))
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.streams.video[0].codec_context.pix_fmt == pixel_format
    results, lows = decoded(tmp_path / "out.mkv"), decoded(source)
    assert len(results) == len(lows) == 3
    for (_, high), (_, low) in zip(results, lows, strict=True):
        error = np.abs(high[0].astype(int) - reference(low[0], 4, bits))
        assert error.max() <= 1
        assert error.mean() < 0.02  # float32 and double round apart at ties only
    if bits == 10:  # 8-bit data in 10-bit clothes would have two empty bits
        low_bits = np.bincount(results[0][1][0].ravel() % 4, minlength=4) / results[0][1][0].size
        assert low_bits.min() > 0.2


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_instants_of_a_variable_frame_rate_stay(tmp_path: Path, container: str) -> None:
    pts = [0, 512, 700, 1900, 1950, 5000, 5100, 9000]
    source = write_video(
        tmp_path / "in.mp4", 8, pts=pts, options={"bf": "2"}, time_base=Fraction(1, 12800)
    )
    target = tmp_path / f"out.{container}"
    upscale(source, target, Options(model="bicubic", scale=2))
    wanted = [Fraction(at, 12800) for at in pts]
    if container == "mp4":
        assert times(target) == wanted
    else:
        assert [abs(a - b) <= Fraction(1, 2000) for a, b in zip(times(target), wanted, strict=True)]


@pytest.mark.parametrize("count", [1, 4, 37])
@pytest.mark.parametrize(
    "options",
    [{"bf": "3", "g": "12"}, {"bf": "3", "g": "6", "x264-params": "open-gop=1:keyint=6"}],
)
@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
def test_no_frame_is_lost(
    tmp_path: Path, container: str, options: dict[str, str], count: int
) -> None:
    size = (48, 32)
    frames = pictures(count, *size)
    source = write_video(tmp_path / f"in.{container}", frames, size=size, options=options)
    result = upscale(source, tmp_path / "out.mp4", Options(model="bicubic", scale=2))
    assert result.frames == count
    assert len(decoded(tmp_path / "out.mp4")) == count


@pytest.mark.parametrize("size", [(63, 47), (2, 2), (17, 64)])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    source = write_video(
        tmp_path / "in.mkv", pictures(2, *size), size=size, codec="ffv1", pixel_format="yuv420p"
    )
    result = upscale(source, tmp_path / "out.mp4", Options(model="bicubic", scale=3))
    wanted = tuple(3 * side // 2 * 2 for side in size)
    assert result.size == wanted
    planes = decoded(tmp_path / "out.mp4")[0][1]
    assert planes[0].shape == (wanted[1], wanted[0])


@pytest.mark.parametrize(
    "color", [(1, 1, 1, 1), (1, 6, 6, 6), (2, 5, 5, 6), (1, 9, 9, 16)], ids=str
)
def test_colours_and_tags_stay(tmp_path: Path, color: tuple[int, int, int, int]) -> None:
    """Flat patches keep their codes: a conversion by a wrong matrix would shift them."""
    patches = np.random.default_rng(0).integers(20, 230, (3, 3, 4), dtype=np.uint8)
    size = (64, 48)
    planes: Arrays = (
        patches[0].repeat(16, 0).repeat(16, 1),
        patches[1].repeat(8, 0).repeat(8, 1),
        patches[2].repeat(8, 0).repeat(8, 1),
    )
    source = write_video(tmp_path / "in.mkv", [planes] * 2, size=size, codec="ffv1", color=color)
    upscale(source, tmp_path / "out.mkv", bicubic(2))
    (_, high), *_ = decoded(tmp_path / "out.mkv")
    for plane, patch, side in zip(high, patches, (32, 16, 16), strict=True):
        centres = plane[side // 2 :: side, side // 2 :: side]
        np.testing.assert_array_equal(centres, patch)
    with av.open(str(tmp_path / "out.mkv")) as container:
        frame = next(container.decode(video=0))
        tags = (frame.color_range, frame.colorspace, frame.color_primaries, frame.color_trc)
    assert tags == color


class Recorder:
    """Enlarges by repetition and writes down what it was given."""

    def __init__(self) -> None:
        self.spec = Spec(
            scale=2, color="luma", past=1, future=1, state={"last": StateSpec(1)}, halo=0
        )
        self.seen: list[tuple[int, int, bool]] = []

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        self.seen.append((window.past, window.future, bool(state)))
        high = window.middle.repeat_interleave(2, -1).repeat_interleave(2, -2)
        return high, {"last": window.middle[:, 0]}


def test_a_scene_cut_resets_the_state(tmp_path: Path) -> None:
    other: list[Arrays] = [(255 - luma, *chroma) for luma, *chroma in pictures(5)]
    frames = [*pictures(6), *other]
    source = write_video(tmp_path / "in.mkv", frames, codec="ffv1")
    recorder = Recorder()
    upscale(source, tmp_path / "out.mkv", Options(encoding=LOSSLESS), upscaler=recorder)
    first, last = (0, 1, False), (1, 0, True)
    middle = (1, 1, True)
    assert recorder.seen == [first, *[middle] * 4, last, first, *[middle] * 3, last]


def test_a_fraction_of_the_scale_is_antialiased(tmp_path: Path) -> None:
    """Random dots, through x2 and back to 66 columns: without antialiasing they would alias."""
    dots = np.random.default_rng(1).integers(70, 180, (48, 64), dtype=np.uint8)
    grey = np.full((24, 32), 128, np.uint8)
    source = write_video(tmp_path / "in.mkv", [(dots, grey, grey)], codec="ffv1")
    options = Options(model="bicubic", size=(66, 50), encoding=LOSSLESS)
    assert upscale(source, tmp_path / "out.mkv", options).size == (66, 50)
    (_, planes), *_ = decoded(tmp_path / "out.mkv")
    doubled = imresize(torch.from_numpy(dots.astype(np.float64)), 2)
    wanted, aliased = (
        resize(doubled, (50, 66), antialias=antialias).round().numpy()
        for antialias in (True, False)
    )
    assert np.abs(planes[0] - wanted).max() <= 1
    assert np.abs(planes[0] - aliased).mean() > 3


@pytest.mark.parametrize("container", ["mkv"])
def test_a_truncated_input_gives_a_partial_result(tmp_path: Path, container: str) -> None:
    source = write_video(tmp_path / f"in.{container}", 60, options={"g": "10"})
    whole = source.read_bytes()
    cut = tmp_path / f"cut.{container}"
    cut.write_bytes(whole[: len(whole) // 2 + 77])
    with pytest.raises(
        DamagedError, match=r"frames that could be decoded are in .*out.partial.mp4"
    ):
        upscale(cut, tmp_path / "out.mp4", Options(model="bicubic", scale=2))
    assert not (tmp_path / "out.mp4").exists()
    assert 10 < len(decoded(tmp_path / "out.partial.mp4")) < 60
    result = upscale(cut, tmp_path / "out.mp4", Options(model="bicubic", scale=2, keep_going=True))
    assert len(decoded(tmp_path / "out.mp4")) == result.frames
    assert (
        sorted(path.name for path in tmp_path.iterdir() if path.name.startswith((".", "_"))) == []
    )


def test_an_error_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 20)

    def stop(progress: Progress) -> None:
        if progress.frames == 7:
            raise KeyboardInterrupt

    threads = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        upscale(source, tmp_path / "out.mp4", Options(model="bicubic", scale=2), progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
    assert threading.active_count() == threads


def test_progress_counts_to_the_end(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 12)
    reports: list[Progress] = []
    result = upscale(
        source, tmp_path / "out.mp4", Options(model="bicubic", scale=2), progress=reports.append
    )
    assert [report.frames for report in reports] == list(range(1, 13))
    assert reports[-1].total == 12
    assert reports[-1].remaining == 0
    assert result.frames == 12
    assert {"decode", "to tensor", "inputs", "network", "to frame", "encode"} == set(result.stages)


def test_start_and_end(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 25, audio=True, options={"g": "5"})
    options = bicubic(2, start=Fraction(8, 25), end=Fraction(18, 25))
    upscale(source, tmp_path / "out.mkv", options)
    results, lows = decoded(tmp_path / "out.mkv"), decoded(source)
    assert len(results) == 10
    for (_, high), (_, low) in zip(results, lows[8:18], strict=True):
        assert np.abs(high[0].astype(int) - reference(low[0], 2, 8)).max() <= 1


def test_the_stream_is_what_the_file_holds(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 5)
    upscale(source, tmp_path / "out.mkv", bicubic(2))
    frames = list(upreel.stream(source, scale=2, model="bicubic"))
    files = decoded(tmp_path / "out.mkv")
    assert len(frames) == len(files) == 5
    for frame, (_, planes) in zip(frames, files, strict=True):
        for ours, theirs in zip(frame.planes, planes, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert [frame.pts * frame.time_base for frame in frames] == times(source)


def test_a_stream_that_is_left_early_ends_its_threads(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 30)
    threads = threading.active_count()
    for frames in range(1, 13):  # the threads are at another point each time
        stream = upreel.stream(source, scale=2, model="bicubic")
        for _ in range(frames):
            next(stream)
        stream.close()
        assert threading.active_count() == threads


def write_images(
    folder: Path, count: int, size: tuple[int, int] = (24, 20)
) -> list[NDArray[np.uint8]]:
    folder.mkdir()
    made = []
    for index in range(count):
        planes = picture(index, *size, pixel_format="gbrp")
        rgb = np.stack([planes[2], planes[0], planes[1]], -1).astype(np.uint8)
        with av.open(str(folder / f"{index:03d}.png"), "w", format="image2") as out:
            stream = out.add_stream("png", rate=1)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = *size, "rgb24"
            out.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
            out.mux(stream.encode(None))
        made.append(rgb)
    return made


def read_image(path: Path) -> NDArray[np.uint8]:
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24").astype(np.uint8)


def test_images_to_images(tmp_path: Path) -> None:
    made = write_images(tmp_path / "in", 3)
    options = Options(model="bicubic", scale=2)
    result = upscale(tmp_path / "in", tmp_path / "out", options)
    assert result.frames == 3
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(names) == 3
    for rgb, name in zip(made, names, strict=True):
        found = read_image(tmp_path / "out" / name)
        for channel in range(3):  # bicubic is linear: through Y'CbCr or not, it is the same
            error = np.abs(found[..., channel] - reference(rgb[..., channel], 2, 8))
            assert error.max() <= 1


def test_images_to_video_and_video_to_images(tmp_path: Path) -> None:
    made = write_images(tmp_path / "in", 4)
    upscale(tmp_path / "in" / "%03d.png", tmp_path / "out.mp4", Options(model="bicubic", scale=2))
    assert len(decoded(tmp_path / "out.mp4")) == 4
    upscale(tmp_path / "out.mp4", tmp_path / "back", Options(model="bicubic", scale=2))
    found = read_image(min((tmp_path / "back").iterdir()))
    assert found.shape == (80, 96, 3)
    error = found[::4, ::4].astype(int) - made[0]
    assert np.abs(error).mean() < 12  # 4:2:0 in between, and samples half a pixel apart


def test_a_single_image(tmp_path: Path) -> None:
    made = write_images(tmp_path / "in", 1)
    upscale(tmp_path / "in" / "000.png", tmp_path / "out.png", Options(model="bicubic", scale=4))
    found = read_image(tmp_path / "out.png")
    assert found.shape == (80, 96, 3)
    assert np.abs(found[..., 1] - reference(made[0][..., 1], 4, 8)).max() <= 1


def test_an_animated_gif(tmp_path: Path) -> None:
    path = tmp_path / "in.gif"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("gif", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "rgb8"
        for index in range(5):
            frame = as_av_frame(picture(index, 32, 24), 32, 24, "yuv420p").reformat(format="rgb8")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    result = upscale(path, tmp_path / "out.mp4", Options(model="bicubic", scale=2))
    assert result.frames == 5
    assert times(tmp_path / "out.mp4") == [Fraction(index, 10) for index in range(5)]


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"scale": 5}, "at most 4 times"),
        ({"model": "sharp"}, "expected a model out of"),
        ({"device": "abacus"}, "expected a device"),
        ({"encoding": Encoding(codec="h267")}, "h267"),
    ],
)
def test_wishes_that_cannot_be_met(tmp_path: Path, wishes: dict[str, object], message: str) -> None:
    source = write_video(tmp_path / "in.mp4", 2)
    options = bicubic(2)
    for name, value in wishes.items():
        object.__setattr__(options, name, value)
    with pytest.raises(UsageError, match=message):
        upscale(source, tmp_path / "out.mkv", options)
    assert not (tmp_path / "out.mkv").exists()


def test_the_preview_shows_both(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 5)
    options = bicubic(4, preview=tmp_path / "preview.png")
    result = upscale(source, tmp_path / "out.mkv", options)
    assert result.preview == tmp_path / "preview.png"
    picture = read_image(tmp_path / "preview.png")
    half = picture.shape[1] // 2
    left, right = picture[40:, : half - 2], picture[40:, half + 2 :]
    assert left.shape == right.shape
    assert np.abs(left.astype(int) - right).max() <= 2  # bicubic beside bicubic


def test_an_upscaler_of_ones_own(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 2)
    result = upscale(source, tmp_path / "out.mp4", upscaler=Bicubic(3))
    assert result.size == (192, 144)


def test_nothing_to_decode(tmp_path: Path) -> None:
    path = tmp_path / "in.mp4"
    path.write_bytes(b"")
    with pytest.raises(MediaError):
        upscale(path, tmp_path / "out.mp4")
    assert [found.name for found in tmp_path.iterdir()] == ["in.mp4"]


def equal_planes(a: Arrays, b: Arrays) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_tiles_and_whole_frames_are_the_same_file(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 4)
    upscale(source, tmp_path / "whole.mkv", bicubic(2))
    upscale(source, tmp_path / "tiles.mkv", bicubic(2, tile=16))
    pairs = zip(decoded(tmp_path / "whole.mkv"), decoded(tmp_path / "tiles.mkv"), strict=True)
    assert all(equal_planes(a[1], b[1]) for a, b in pairs)


def test_frames_of_pyav_are_read_back_whole() -> None:
    """The tests' own tools: planes written and read are the same."""
    planes = picture(0, 63, 47)
    frame = as_av_frame(planes, 63, 47, "yuv420p")
    assert equal_planes(planes, plane_arrays(frame))
