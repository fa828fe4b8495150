from __future__ import annotations

from fractions import Fraction

import pytest

from upreel.errors import UsageError
from upreel.video.encoder_settings import encoder_options, try_encoder
from upreel.video.encoding import Encoding, plan
from upreel.video.frame import ColorTags, PixelLayout
from upreel.video.hdr import Hdr

YUV10 = PixelLayout("yuv", 10, (2, 2))
HDR = Hdr(
    red=(Fraction(17, 25), Fraction(8, 25)),
    green=(Fraction(53, 200), Fraction(69, 100)),
    blue=(Fraction(3, 20), Fraction(3, 50)),
    white=(Fraction(3127, 10000), Fraction(329, 1000)),
    min_luminance=Fraction(1, 200),
    max_luminance=Fraction(1000),
    max_cll=1000,
    max_fall=400,
)
SAME_EVERYWHERE = "cpu-independent=1"
# The units of HEVC's message: 1/50000 and 1/10000 candela per square metre.
UNITS = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"


def options(codec: str, hdr: Hdr | None, colors: ColorTags | None = None) -> dict[str, str]:
    chosen = plan(".mkv", Encoding(codec), YUV10)
    return encoder_options(chosen, hdr, colors or ColorTags(), (64, 64))


def test_hdr10_in_the_words_of_each_encoder() -> None:
    assert options("hevc", HDR)["x265-params"] == (
        f"log-level=error:max-cll=1000,400:master-display={UNITS}"
    )
    assert options("h264", HDR)["x264-params"] == (
        f"{SAME_EVERYWHERE}:cll=1000,400:mastering-display={UNITS}"
    )
    assert options("av1", HDR)["svtav1-params"] == (
        "content-light=1000,400:mastering-display="
        "G(0.265,0.69)B(0.15,0.06)R(0.68,0.32)WP(0.3127,0.329)L(1000,0.005)"
    )


def test_small_frames_are_encoded_without_what_crashes() -> None:
    chosen = plan(".mkv", Encoding("hevc"), YUV10)
    for size, said in (((62, 200), True), ((200, 48), True), ((64, 64), False)):
        found = encoder_options(chosen, None, ColorTags(), size)["x265-params"]
        assert ("cutree=0" in found) is said


def test_half_of_hdr10_is_given_as_it_is() -> None:
    light = Hdr(max_cll=500, max_fall=100)
    assert options("h264", light)["x264-params"] == f"{SAME_EVERYWHERE}:cll=500,100"
    display = Hdr(*(getattr(HDR, name) for name in ("red", "green", "blue", "white")))
    assert options("h264", display)["x264-params"] == SAME_EVERYWHERE  # no luminance, so no message


def test_the_siting_of_chroma_is_said_where_it_is_not_the_usual() -> None:
    said = options("h264", None, ColorTags(siting="topleft"))["x264-params"]
    assert said == f"{SAME_EVERYWHERE}:chromaloc=2"
    said = options("h264", None, ColorTags(siting="left"))["x264-params"]
    assert said == SAME_EVERYWHERE


@pytest.mark.parametrize("codec", ["libx264", "libx264rgb"])
def test_x264_is_told_to_give_the_same_on_every_processor(codec: str) -> None:
    assert options(codec, None)["x264-params"] == SAME_EVERYWHERE


def test_crf_and_preset_under_their_own_names() -> None:
    chosen = plan(".webm", Encoding(crf=33.5, preset="4"), PixelLayout("yuv", 8, (2, 2)))
    found = encoder_options(chosen, None, ColorTags(), (64, 64))
    assert (found["crf"], found["cpu-used"]) == ("33.5", "4")


def test_an_encoder_is_asked_before_any_work() -> None:
    source = PixelLayout("yuv", 8, (2, 2))
    try_encoder(plan(".mp4", Encoding(crf=40, preset="slow"), source))
    with pytest.raises(UsageError, match=r"libx264 refuses .*crf 18, preset slowest"):
        try_encoder(plan(".mp4", Encoding(preset="slowest"), source))
