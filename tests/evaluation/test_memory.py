from __future__ import annotations

import mmap
import sys

import numpy as np
import pytest

from upreel.evaluation.memory import read_growth, reset_peak


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_what_is_used_for_a_while_counts() -> None:
    held = np.ones(1 << 27, np.uint8)
    before = reset_peak()
    assert read_growth(before) < held.nbytes // 4
    with mmap.mmap(-1, 1 << 26) as pages:  # the allocator may have kept some for us
        pages[::4096] = b"x" * (len(pages) // 4096)
    assert 1 << 25 < read_growth(before) < 1 << 27
