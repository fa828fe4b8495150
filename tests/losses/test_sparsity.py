from __future__ import annotations

import pytest
import torch

from upreel.errors import UsageError
from upreel.losses import make_loss
from upreel.losses.seen import Seen

CLIP, ONE = torch.zeros(1, 1, 1, 2, 2), torch.ones(1)


def test_it_is_the_sum_of_absolute_values_and_pulls_each_alike() -> None:
    weight = torch.tensor([[3.0, -0.5], [0.0, -2.0]], requires_grad=True)
    seen = Seen(CLIP, CLIP, ONE, parameters={"FW": weight})
    loss = make_loss("sparsity", {"parameter": "FW"})(seen)
    assert float(loss.detach()) == 5.5
    loss.backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    assert weight.grad.tolist() == [[1, -1], [0, -1]]


def test_it_wants_a_parameter_that_is_there() -> None:
    seen = Seen(CLIP, CLIP, ONE, parameters={"a.weight": ONE, "a.bias": ONE, "b": ONE})
    with pytest.raises(UsageError, match=r"name of a parameter, found 'FW'; the network has a, b$"):
        make_loss("sparsity", {"parameter": "FW"})(seen)
    with pytest.raises(UsageError, match="'sparsity' expects the network's parameters"):
        make_loss("sparsity", {"parameter": "FW"})(Seen(CLIP, CLIP, ONE))
