"""What a user may wish of the pipeline, and what must not come of it."""

from __future__ import annotations

import logging
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

import upreel
from tests.video.media import Arrays, decoded, write_video
from upreel.errors import MediaError, UsageError
from upreel.inference.pipeline import Options, upscale
from upreel.models.spynet import SPyNet
from upreel.video.encoding import Encoding


def test_a_picture_replaces_nothing_unasked(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 2)
    old = tmp_path / "old.png"
    old.write_bytes(b"of value to somebody")
    with pytest.raises(UsageError, match="exists already"):
        upreel.upscale(source, tmp_path / "out.mp4", model="bicubic", scale=2, preview=old)
    assert old.read_bytes() == b"of value to somebody"
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("name", ["in.png", "out.png"])
def test_a_picture_is_neither_the_input_nor_the_output(tmp_path: Path, name: str) -> None:
    clip = write_video(tmp_path / "clip.mp4", 1)
    upscale(clip, tmp_path / "in.png", Options(model="bicubic", scale=2))
    before = (tmp_path / "in.png").read_bytes()
    options = Options(model="bicubic", scale=2, overwrite=True, preview=tmp_path / name)
    with pytest.raises(UsageError, match=r"input itself|another name for the picture"):
        upscale(tmp_path / "in.png", tmp_path / "out.png", options)
    assert (tmp_path / "in.png").read_bytes() == before
    assert not (tmp_path / "out.png").exists()


def test_damage_is_said_even_if_the_work_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = write_video(tmp_path / "in.mkv", 60, options={"g": "10"}).read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole[: len(whole) // 2 + 77])
    with caplog.at_level(logging.WARNING):
        upreel.upscale(cut, tmp_path / "out.mp4", model="bicubic", scale=2, keep_going=True)
    assert "cut.mkv is damaged" in caplog.text


@pytest.mark.parametrize(
    ("wish", "stored"), [({"height": 128}, (96, 128)), ({"size": (96, 128)}, (96, 128))], ids=str
)
def test_sizes_are_those_that_are_seen(
    tmp_path: Path, wish: dict[str, object], stored: tuple[int, int]
) -> None:
    """A video that players turn by 90 degrees: 64x48 is stored, 48x64 is seen."""
    source = write_video(tmp_path / "in.mp4", 2, rotation=90)
    options = Options(model="bicubic")
    for name, value in wish.items():
        object.__setattr__(options, name, value)
    upscale(source, tmp_path / "out.mp4", options)
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
        assert frame.rotation == 90
        assert (frame.height, frame.width) == stored


@pytest.mark.parametrize("span", [(Fraction(9), None), (Fraction(1, 5), Fraction(1, 10))], ids=str)
def test_a_part_without_frames_is_a_wish_that_cannot_be_met(
    tmp_path: Path, span: tuple[Fraction, Fraction | None]
) -> None:
    source = write_video(tmp_path / "in.mp4", 10)
    options = Options(model="bicubic", scale=2, start=span[0], end=span[1])
    with pytest.raises(UsageError, match=r"--start .*--end"):
        upscale(source, tmp_path / "out.mp4", options)
    assert not (tmp_path / "out.mp4").exists()


def test_untagged_wide_video_is_bt709_in_images_too(tmp_path: Path) -> None:
    """Players take 1280 columns for HD however few the lines; so does the tag of a video."""
    size = (1280, 64)
    planes: Arrays = (
        np.full((64, 1280), 120, np.uint8),
        np.full((32, 640), 90, np.uint8),
        np.full((32, 640), 200, np.uint8),
    )
    source = write_video(tmp_path / "in.mkv", [planes], size=size, codec="ffv1")
    upscale(source, tmp_path / "out.png", Options(model="bicubic", scale=2))
    with av.open(str(tmp_path / "out.png")) as container:
        found = next(container.decode(video=0)).to_ndarray(format="rgb24")[64, 1280].astype(int)
    luma, blue, red = (120 - 16) / 219, (90 - 128) / 224, (200 - 128) / 224
    wanted = (
        luma + 1.5748 * red,
        luma - 0.18733 * blue - 0.46813 * red,
        luma + 1.8556 * blue,
    )
    assert np.abs(found - 255 * np.array(wanted)).max() <= 1.5


def test_python_can_wish_what_the_command_line_can(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 3, interlaced=True)
    result = upreel.upscale(
        source, tmp_path / "out.mkv", model="bicubic", scale=2,
        encoding=Encoding(codec="ffv1"), deinterlace="off", preview=tmp_path / "picture.png",
    )  # fmt: skip
    assert result.preview == tmp_path / "picture.png"
    frames = list(upreel.stream(source, model="bicubic", scale=2, deinterlace="off"))
    for frame, (_, planes) in zip(frames, decoded(tmp_path / "out.mkv"), strict=True):
        np.testing.assert_array_equal(frame.planes[0], planes[0])


def test_ycgco_becomes_rgb(tmp_path: Path) -> None:
    planes: Arrays = tuple(np.full((48, 64), code, np.uint8) for code in (71, 72, 240))
    source = write_video(
        tmp_path / "in.mkv", [planes], pixel_format="yuv444p", codec="ffv1", color=(1, 8, 1, 1)
    )
    upscale(source, tmp_path / "out.png", Options(model="bicubic", scale=2))
    with av.open(str(tmp_path / "out.png")) as container:
        found = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(found.astype(int) - np.array([255, 0, 0])).max() <= 1


def test_colours_without_a_known_matrix_stay_in_video_and_are_refused_in_images(
    tmp_path: Path,
) -> None:
    source = write_video(tmp_path / "in.mkv", 2, color=(1, 14, 9, 16))
    options = Options(model="bicubic", scale=2)
    upscale(source, tmp_path / "out.mp4", options)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert next(container.decode(video=0)).colorspace == 14
    with pytest.raises(MediaError, match="coded as ictcp cannot be turned into RGB"):
        upscale(source, tmp_path / "images", options)
    options = replace(options, preview=tmp_path / "picture.png")
    with pytest.raises(MediaError, match="coded as ictcp cannot be turned into RGB"):
        upscale(source, tmp_path / "again.mp4", options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv", "out.mp4"]


def test_a_filter_has_no_use_for_optical_flow(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", 2)
    with pytest.raises(UsageError, match=r"network that uses optical flow for --flow, found bic"):
        upreel.upscale(source, tmp_path / "out.mp4", model="bicubic", scale=2, flow="zeros")
    assert not (tmp_path / "out.mp4").exists()


def test_a_network_that_looks_ahead_takes_the_flow_that_is_asked_for(tmp_path: Path) -> None:
    source, made = write_video(tmp_path / "in.mkv", 5, codec="ffv1"), {}
    for flow in (None, "dis-double", "zeros"):
        options = Options(model="clear:clean", flow=flow, overwrite=True)
        upscale(source, tmp_path / "out.mkv", options)
        made[flow] = [planes[0] for _, planes in decoded(tmp_path / "out.mkv")]
    np.testing.assert_array_equal(made[None], made["dis-double"])
    assert np.abs(np.subtract(made[None], made["zeros"], dtype=np.int16)).max() > 1


def test_spynet_finds_the_flow_if_a_file_of_its_weights_is_named(tmp_path: Path) -> None:
    source, target = write_video(tmp_path / "in.mp4", 2), tmp_path / "out.mp4"
    options = Options(model="swift:clean", scale=2, flow="spynet")
    with pytest.raises(UsageError, match="weights of SPyNet, which do not ship: name one of Basic"):
        upscale(source, target, options)
    weights = tmp_path / "spynet.pth"
    with pytest.raises(UsageError, match="expected --flow spynet beside --flow-weights"):
        upscale(source, target, replace(options, flow="dis", flow_weights=weights))
    torch.save(SPyNet(channels=4).state_dict(), weights)
    assert upscale(source, target, replace(options, flow_weights=weights)).frames == 2
