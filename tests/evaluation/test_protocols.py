from __future__ import annotations

import pytest

from upreel.data.degradations import CHAINS, parse_chain
from upreel.errors import UsageError
from upreel.evaluation.protocols import PROTOCOLS, find_protocol


def test_a_protocol_says_all_that_a_score_depends_on() -> None:
    protocol = find_protocol("val-bd-duf-y8")
    assert (protocol.scale, protocol.frames, protocol.crop) == (4, 15, (8, 8, 8, 8))
    for word in (
        "val-bd-duf-y8 x4",
        "Gaussian",
        "luma",
        "8 bits",
        "15 frames",
        "border of 8",
        "11x11",
        "Farneback",
    ):
        assert word in protocol.description


def test_no_two_protocols_read_the_same() -> None:
    said = {p.description.split(": ", 1)[1] + p.data for p in PROTOCOLS.values()}
    assert len(said) == len(PROTOCOLS)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("vid4-bi-y", ("bicubic reduction", "Y of BT.601", "all frames", "no border")),
        ("reds4-bi-rgb", ("RGB, 8 bits", "all frames", "no border")),
        ("vimeo90k-t", ("the middle frame", "reversed")),
        ("udm10-bd-basicvsr-y", ("12x12", "Y of BT.601")),
        ("stvsr-vid4", ("every other frame",)),
        ("val-tsr-y8", ("x1: frames as they are", "of first 15 frames those made anew")),
        ("val-stvsr-y8", ("x4: antialiased bicubic", "every other frame is made anew")),
        ("val-codec36-y8", ("x264", "CRF 36", "first 15 frames")),
        ("val-hevc18-y8", ("x265", "CRF 18", "border of 8")),
        ("rbpn-script", ("Pillow", "RGB, neither rounded", "top, left, bottom, right: 5 5 4 4")),
        ("ristn-script", ("Pillow", "whole levels", "2 frames dropped", "704", "7x7")),
    ],
)
def test_benchmarks_are_fixed_as_the_field_runs_them(name: str, words: tuple[str, ...]) -> None:
    for word in words:
        assert word in find_protocol(name).description


@pytest.mark.parametrize(
    ("name", "scale", "phase"),
    [
        ("val-bi-y8", 4, 0.0),
        ("val-hevc36-y8", 3, 0.0),
        ("val-codec24-y8", 2, 0.0),
        ("val-bd-duf-y8", 4, -1.5),
    ],
)
def test_the_phase_is_that_of_the_samples(name: str, scale: int, phase: float) -> None:
    assert find_protocol(name, scale).phase == phase


def test_every_degradation_is_known_to_the_data() -> None:
    made = {protocol.degradation for protocol in PROTOCOLS.values()}
    assert made - {"PIL", "none"} <= set(CHAINS)
    assert CHAINS["codec27"] == parse_chain("BI+codec(codec=h264, crf=27)")
    assert CHAINS["hevc30"] == parse_chain("BI+codec(codec=h265, crf=30)")


def test_unknown_protocols_and_scales_are_refused() -> None:
    with pytest.raises(UsageError, match=r"val-bi-y8, .*, found 'vid4'"):
        find_protocol("vid4")
    with pytest.raises(UsageError, match="2, 3, 4 or 8 as the scale of val-bi-y8, found 5"):
        find_protocol("val-bi-y8", 5)
    with pytest.raises(UsageError, match="expected 4 as the scale of vid4-bi-y, found 2"):
        find_protocol("vid4-bi-y", 2)


def test_other_metrics_may_be_asked_for_and_psnr_stays_the_first() -> None:
    protocol = find_protocol("val-bi-y8").measuring(["lpips", "psnr", "lpips"])
    assert protocol.metrics == ("psnr", "lpips")
    assert "Farneback" not in protocol.description
