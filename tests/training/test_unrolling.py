from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from upreel.data.samples import Batch
from upreel.models.compact import Compact
from upreel.models.swift import Swift
from upreel.training.unrolling import enlarge_clips


def make_batch(frames: int = 5) -> Batch:
    random = torch.Generator().manual_seed(3)
    low = torch.rand(2, frames, 1, 12, 10, generator=random)
    high = torch.rand(2, frames, 1, 24, 20, generator=random)
    return Batch(low, high, torch.randn(2, frames, 2, 2, 12, 10, generator=random))


def find_gradients(network: nn.Module, *, checkpointing: bool) -> tuple[Tensor, list[Tensor]]:
    network.zero_grad()
    batch = make_batch()
    output = enlarge_clips(network, batch, checkpointing=checkpointing)
    (output - batch.high).square().mean().backward()  # type: ignore[no-untyped-call]
    return output.detach(), [p.grad.clone() for p in network.parameters() if p.grad is not None]


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["swift", "compact"])
def test_checkpoints_change_no_value_and_no_gradient(name: str, precision: torch.dtype) -> None:
    network: nn.Module = (
        Swift(2, channels=8, blocks=1, hidden=4)
        if name == "swift"
        else Compact(2, color="luma", channels=4, layers=1)
    )
    with torch.autocast("cpu", precision, enabled=precision != torch.float32):
        output, gradients = find_gradients(network, checkpointing=False)
        again, same = find_gradients(network, checkpointing=True)
    exact = precision == torch.float32
    torch.testing.assert_close(again, output, rtol=0, atol=1e-6 if exact else 1e-2)
    assert len(same) == len(gradients) == len(list(network.parameters()))
    for one, other in zip(same, gradients, strict=True):
        assert (one - other).norm() <= (1e-5 if exact else 0.02) * other.norm()


def test_what_a_step_computed_is_not_kept() -> None:
    network = Swift(2, channels=8, blocks=1, hidden=4)
    kept = dict[bool, int]()
    for checkpointing in (False, True):
        sizes = list[int]()

        def note(value: Tensor, sizes: list[int] = sizes) -> Tensor:
            sizes.append(value.numel())
            return value

        with torch.autograd.graph.saved_tensors_hooks(note, lambda value: value):
            enlarge_clips(network, make_batch(), checkpointing=checkpointing).sum()
        kept[checkpointing] = sum(sizes)
    assert kept[True] < 0.1 * kept[False]


def test_a_step_runs_again_for_its_gradients() -> None:
    network = Swift(2, channels=8, blocks=1, hidden=4)
    runs = list[int]()
    network.into.register_forward_hook(lambda *_: runs.append(1))
    find_gradients(network, checkpointing=False)
    assert len(runs) == 5
    find_gradients(network, checkpointing=True)
    assert len(runs) == 5 + 10
