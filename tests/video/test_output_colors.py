from __future__ import annotations

from dataclasses import replace

import pytest

from tests.video.media import write_video
from upreel.video.frame import ColorTags, PixelLayout
from upreel.video.output_colors import output_colors
from upreel.video.probe import VideoInfo, probe

YUV = PixelLayout("yuv", subsample=(2, 2))
RGB = PixelLayout("rgb")


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> VideoInfo:
    video = probe(write_video(tmp_path_factory.mktemp("colors") / "in.mp4", 1)).video
    assert video is not None
    return video


def source(
    described: VideoInfo,
    colors: ColorTags,
    *,
    size: tuple[int, int] = (64, 48),
    layout: PixelLayout = YUV,
) -> VideoInfo:
    return replace(described, colors=colors, width=size[0], height=size[1], layout=layout)


def test_tags_stay_as_they_are(described: VideoInfo) -> None:
    tags = ColorTags("pc", "bt2020nc", "bt2020", "smpte2084", "topleft")
    assert output_colors(source(described, tags), YUV) == tags


@pytest.mark.parametrize(
    ("size", "matrix", "primaries", "transfer"),
    [
        ((640, 480), "smpte170m", "smpte170m", "smpte170m"),
        ((720, 576), "bt470bg", "bt470bg", "smpte170m"),
        ((960, 540), "smpte170m", "smpte170m", "smpte170m"),
        ((1280, 544), "bt709", "bt709", "bt709"),
        ((608, 1080), "bt709", "bt709", "bt709"),
    ],
)
def test_untagged_input_is_tagged_with_the_guess_of_a_player(
    described: VideoInfo, size: tuple[int, int], matrix: str, primaries: str, transfer: str
) -> None:
    found = output_colors(source(described, ColorTags(), size=size), YUV)
    assert found == ColorTags("tv", matrix, primaries, transfer, None)


def test_half_tagged_input_is_completed_in_agreement(described: VideoInfo) -> None:
    wide = output_colors(source(described, ColorTags(primaries="bt2020")), YUV)
    assert (wide.matrix, wide.transfer) == ("bt2020nc", "bt2020-10")
    high = output_colors(source(described, ColorTags(matrix="bt709")), YUV)
    assert (high.primaries, high.transfer, high.range) == ("bt709", "bt709", "tv")


def test_rgb_becomes_limited_bt709(described: VideoInfo) -> None:
    made = source(described, ColorTags("pc", "gbr"), layout=RGB)
    assert output_colors(made, YUV) == ColorTags("tv", "bt709", "bt709", "iec61966-2-1", "left")
    assert output_colors(made, RGB) == ColorTags("pc", "gbr", "bt709", "iec61966-2-1")


def test_ycbcr_becomes_rgb_of_full_range(described: VideoInfo) -> None:
    made = source(described, ColorTags("tv", "bt709", "bt709", "bt709", "left"))
    assert output_colors(made, RGB) == ColorTags("pc", "gbr", "bt709", "bt709")


def test_gray_images_have_no_matrix_of_rgb(described: VideoInfo) -> None:
    gray = PixelLayout("gray")
    found = output_colors(source(described, ColorTags("pc", "gbr"), layout=gray), gray, still=True)
    assert found == ColorTags("pc", "smpte170m", "bt709", "iec61966-2-1", None)
