from __future__ import annotations

import pytest

from upreel.evaluation.protocols import PROTOCOLS
from upreel.evaluation.published import find_published, read_published


def test_every_number_names_its_source_and_one_of_our_protocols() -> None:
    for entry in read_published():
        assert entry.protocol in PROTOCOLS
        assert entry.source
        assert set(entry.scores) <= {"psnr", "ssim"}
        assert 15 < entry.scores["psnr"] < 45
        assert 0.4 < entry.scores.get("ssim", 0.5) < 1


def test_no_method_stands_twice_under_a_protocol() -> None:
    pairs = [(entry.method, entry.protocol) for entry in read_published()]
    assert len(set(pairs)) == len(pairs)


@pytest.mark.parametrize(
    ("protocol", "psnr"),
    [("vid4-bi-y", 23.78), ("vid4-bd-y", 21.80), ("reds4-bi-rgb", 26.14), ("vimeo90k-t", 31.32)],
)
def test_the_bicubic_row_is_there_to_check_with(protocol: str, psnr: float) -> None:
    (entry,) = (entry for entry in find_published(protocol) if entry.method == "Bicubic")
    assert entry.scores["psnr"] == psnr
