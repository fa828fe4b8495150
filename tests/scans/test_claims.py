from __future__ import annotations

from pathlib import Path

import pytest

from upreel.errors import MediaError
from upreel.scans.claims import refuse_claims


def test_an_igor_wave_that_claims_more_than_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "a.ibw"
    path.write_bytes(b"\x05\x00*7\xa0\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x60" + bytes(60))
    with pytest.raises(MediaError, match=r"a.ibw says it is larger than it is"):
        refuse_claims(path, 1 << 28)
