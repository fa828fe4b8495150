"""The faster type is that for which the processor works less, however long one waits for it."""

from __future__ import annotations

import time
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from upreel.inference.precision import fastest


@pytest.mark.parametrize("idle", [torch.bfloat16, torch.float32])
def test_waiting_for_the_processor_does_not_count(
    monkeypatch: pytest.MonkeyPatch, idle: torch.dtype
) -> None:
    passed = {"process_time": 0.0, "perf_counter": 0.0}

    def forward(self: nn.Conv2d, x: Tensor) -> Tensor:
        passed["process_time"] += 0 if x.dtype == idle else 0.004
        passed["perf_counter"] += 0.02 if x.dtype == idle else 0.004
        return x

    monkeypatch.setattr(nn.Conv2d, "forward", forward)
    for clock in passed:
        monkeypatch.setattr(time, clock, partial(passed.__getitem__, clock))
    assert fastest.__wrapped__(torch.device("cpu")) == idle
