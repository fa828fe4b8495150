from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from upreel.data.samples import Batch
from upreel.errors import UsageError
from upreel.models.clear import Clear
from upreel.models.compact import Compact
from upreel.models.rbpn import RBPN
from upreel.models.swift import Swift
from upreel.models.upscaler import Spec, State, StateSpec, Window
from upreel.training.unrolling import compared, enlarge_clips

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "swift": lambda: Swift(2, channels=8, blocks=1, hidden=4),
    "compact": lambda: Compact(2, color="luma", channels=4, layers=1),
    "clear": lambda: Clear(2, channels=8, back=1, blocks=1),
}


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
@pytest.mark.parametrize("name", NETWORKS)
def test_checkpoints_change_no_value_and_no_gradient(name: str, precision: torch.dtype) -> None:
    network = NETWORKS[name]()
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


def make_wide_batch(past: int, future: int, frames: int = 6) -> Batch:
    random = torch.Generator().manual_seed(3)
    low = torch.rand(2, frames, 1, 12, 10, generator=random)
    high = torch.rand(2, frames, 1, 24, 20, generator=random)
    flow = torch.randn(2, frames, past + future, 2, 12, 10, generator=random)
    return Batch(low, high, flow, past)


@pytest.mark.parametrize(("frames", "future"), [(3, True), (4, True), (3, False)])
def test_windows_are_trained_on_where_they_are_whole(frames: int, future: bool) -> None:
    torch.manual_seed(1)
    network = RBPN(2, frames=frames, future=future, color="luma", features=6, channels=4, blocks=1)
    past, after = network.past, network.future
    batch = make_wide_batch(max(past, 1), max(after, 1))
    assert batch.flow is not None
    output = enlarge_clips(network, batch, checkpointing=False)
    again = enlarge_clips(network, batch, checkpointing=True)
    truth = compared(network.spec, batch, output.shape[1])
    assert output.shape == truth.high.shape == (2, 6 - past - after, 1, 24, 20)
    torch.testing.assert_close(again, output)
    assert torch.equal(truth.high, batch.high[:, past : 6 - after])
    assert truth.flow is not None
    before_and_after = batch.flow[:, past : 6 - after, batch.past - 1 : batch.past + 1]
    assert torch.equal(truth.flow, before_and_after)
    # Each frame is that which the loop of inference makes of the same window.
    for time in range(past, 6 - after):
        flow = batch.flow[:, time : time + 1, batch.past - past : batch.past + after]
        window = Window(batch.low[:, time - past : time + after + 1], past, after, {"flow": flow})
        torch.testing.assert_close(network.step(window, {})[0][:, 0], output[:, time - past])


class Doubling(Compact):
    """Every frame twice, behind what may be a memory."""

    recurrent = True

    @property
    def spec(self) -> Spec:
        memory = {"memory": StateSpec(1)} if self.recurrent else {}
        return Spec(2, "luma", rate=2, past=1, future=1, state=memory)

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        high, _ = super().step(window, state)
        return high.repeat_interleave(2, 1), {"memory": window.clip[:, -1]}


@pytest.mark.parametrize("recurrent", [True, False])
def test_more_frames_than_were_seen(recurrent: bool) -> None:
    network = Doubling(2, color="luma", channels=4, layers=1)
    network.recurrent = recurrent
    low, high = torch.rand(1, 4, 1, 8, 8), torch.rand(1, 7, 1, 16, 16)
    batch = Batch(low, high, torch.zeros(1, 4, 2, 2, 8, 8))
    output = enlarge_clips(network, batch, checkpointing=True)
    truth = compared(network.spec, batch, output.shape[1])
    assert truth.flow is None
    expected = high if recurrent else high[:, 2:6]
    assert torch.equal(truth.high, expected)
    assert output.shape == expected.shape
    if not recurrent:
        short = Batch(low[:, :2], high[:, :3], None)
        with pytest.raises(UsageError, match=r"sequences of 3 frames or more .*, found 2; make"):
            enlarge_clips(network, short, checkpointing=True)


def test_recurrent_networks_are_trained_on_all_frames() -> None:
    batch = make_batch()
    truth = compared(Swift(2, channels=8, blocks=1, hidden=4).spec, batch, batch.low.shape[1])
    assert torch.equal(truth.high, batch.high)


def test_flow_that_a_batch_does_not_have() -> None:
    network = RBPN(2, frames=5, color="luma", features=6, channels=4, blocks=1)
    with pytest.raises(UsageError, match=r"flow to 2 frames before and 2 after .* that to 1 and 1"):
        enlarge_clips(network, make_batch(), checkpointing=False)
