from __future__ import annotations

import sys

import numpy as np
import pytest

from upreel.evaluation.memory import read_peak, reset_peak


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_the_peak_grows_with_what_is_used() -> None:
    reset_peak()
    before = read_peak()
    used = np.ones(1 << 26, np.uint8)
    assert read_peak() - before > used.nbytes // 2
