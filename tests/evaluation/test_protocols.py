from __future__ import annotations

import pytest

from upreel.errors import UsageError
from upreel.evaluation.protocols import find_protocol


def test_a_protocol_says_all_that_a_score_depends_on() -> None:
    protocol = find_protocol("val-bd-duf-y8")
    assert (protocol.scale, protocol.frames, protocol.border) == (4, 15, 8)
    for word in (
        "val-bd-duf-y8 x4",
        "Gaussian",
        "luma",
        "8 bits",
        "15 frames",
        "border of 8",
        "Farneback",
    ):
        assert word in protocol.description


@pytest.mark.parametrize(
    ("name", "scale", "phase"),
    [("val-bi-y8", 4, 0.0), ("val-codec24-y8", 2, 0.0), ("val-bd-duf-y8", 4, -1.5)],
)
def test_the_phase_is_that_of_the_samples(name: str, scale: int, phase: float) -> None:
    assert find_protocol(name, scale).phase == phase


def test_unknown_protocols_and_scales_are_refused() -> None:
    with pytest.raises(UsageError, match=r"val-bi-y8, .*, found 'vid4'"):
        find_protocol("vid4")
    with pytest.raises(UsageError, match="2, 3 or 4 as the scale of val-bi-y8, found 8"):
        find_protocol("val-bi-y8", 8)
