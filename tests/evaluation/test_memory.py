from __future__ import annotations

import sys

import numpy as np
import pytest

from upreel.evaluation.memory import read_growth, reset_peak


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_what_is_used_for_a_while_counts() -> None:
    held = np.ones(1 << 27, np.uint8)
    before = reset_peak()
    assert read_growth(before) < held.nbytes // 4
    np.ones(1 << 28, np.uint8)
    assert 1 << 27 < read_growth(before) < 1 << 29
