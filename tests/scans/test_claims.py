from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.limits import within
from fuzz.targets import CORPUS
from upreel.errors import MediaError
from upreel.scans.claims import refuse_claims
from upreel.scans.readers import read_scan


def test_an_igor_wave_that_claims_more_than_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "a.ibw"
    path.write_bytes(b"\x05\x00*7\xa0\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x60" + bytes(60))
    with pytest.raises(MediaError, match=r"a.ibw says it is larger than it is"):
        refuse_claims(path, 1 << 28)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("claims.png", r"claims.png says it is larger than it is"),
        ("circle.tif", r"circle.tif: expected one page after the other, found a circle"),
        ("wide.spm", r"wide.spm: expected 2, 4 or 8 bytes for a pixel, found 999999999"),
        ("endless.spm", r"endless.spm: expected a header of Bruker's, found none, or part of one"),
    ],
)
def test_files_with_which_readers_of_others_never_end(name: str, sentence: str) -> None:
    pytest.importorskip("pySPM")
    with within(), pytest.raises(MediaError, match=sentence):
        read_scan(CORPUS / "scans" / name)
