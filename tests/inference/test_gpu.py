"""A GPU computes what the CPU computes."""

from __future__ import annotations

import pytest
import torch

from upreel.inference.loop import enlarge
from upreel.models.weights import load


@pytest.mark.gpu
@pytest.mark.parametrize("model", ["bicubic", "swift:clean"])
def test_cuda_equals_cpu(model: str) -> None:
    frames = list(enumerate(torch.rand(4, 1, 48, 64, generator=torch.manual_seed(0))))
    results = []
    for name in ("cpu", "cuda"):
        device = torch.device(name)
        highs = enlarge(load(model, 4, device=device), frames, device=device)
        results.append(torch.stack([high for _, high in highs]))
    torch.testing.assert_close(results[1], results[0], atol=1e-4, rtol=0)
