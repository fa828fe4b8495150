"""The faster type is that for which the processor works less, however long one waits for it."""

from __future__ import annotations

import time

import pytest
import torch
from torch import Tensor, nn

from upreel.inference.precision import fastest


@pytest.mark.parametrize("idle", [torch.bfloat16, torch.float32])
def test_waiting_for_the_processor_does_not_count(
    monkeypatch: pytest.MonkeyPatch, idle: torch.dtype
) -> None:
    def forward(self: nn.Conv2d, x: Tensor) -> Tensor:
        if x.dtype == idle:
            time.sleep(0.02)
        else:
            until = time.thread_time() + 0.004
            while time.thread_time() < until:
                pass
        return x

    monkeypatch.setattr(nn.Conv2d, "forward", forward)
    assert fastest.__wrapped__(torch.device("cpu")) == idle
