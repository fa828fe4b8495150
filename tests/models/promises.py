"""What tests ask of every network."""

from __future__ import annotations

from torch import Tensor, nn

from upreel.models.upscaler import Spec, State


def assert_declared(state: State, spec: Spec, *, batch: int, height: int, width: int) -> None:
    """The state of frames of this size is what the spec says."""
    assert {name: value.shape for name, value in state.items()} == {
        name: (batch, each.channels, int(height * each.scale), int(width * each.scale))
        for name, each in spec.state.items()
    }


def assert_all_learn(network: nn.Module, loss: Tensor) -> None:
    """Every parameter of the network has part in the loss."""
    loss.backward()  # type: ignore[no-untyped-call]
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
