"""Optical flow by SPyNet, for networks that are given their flow, out of a file that a user has.

No weights of it ship. Files that hold them: BasicSR's and mmagic's of SPyNet alone, and those of
networks that have it inside (BasicVSR and its followers).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from upreel.errors import UsageError, WeightsError
from upreel.models.foreign import read_tensors
from upreel.models.spynet import SPyNet, rename
from upreel.models.upscaler import Spec, State, Upscaler, Window
from upreel.ops.flow import flow_to_neighbours

_INSIDE = "spynet."


class WithLearnedFlow:
    """An upscaler that gets its optical flow from SPyNet instead of the provider of its spec."""

    def __init__(self, inner: Upscaler, spynet: SPyNet) -> None:
        """Wrap `inner`.

        Raises:
            UsageError: it needs no flow to its neighbours.
        """
        if inner.spec.inputs != {"flow"}:
            raise UsageError(
                "expected a network that uses flow from each frame to its neighbours for SPyNet, "
                "found another; choose its flow by --flow dis or --flow dis-double"
            )
        self._inner = inner
        self._spynet = spynet

    @property
    def spec(self) -> Spec:
        """That of the upscaler inside; nobody else has to look for motion."""
        return replace(self._inner.spec, flow="zeros")

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge the middle of a window: see `Upscaler.step`."""
        flow = flow_to_neighbours(
            window.clip,
            window.past,
            window.future,
            past=self.spec.past,
            future=self.spec.future,
            provider=self._find,
        )
        window = replace(window, inputs={"flow": flow})
        return self._inner.step(window, state)

    def _find(self, frames: Tensor, neighbours: Tensor) -> Tensor:
        """As `find_flow`, one pair after the other: SPyNet's features are large."""
        pairs = zip(frames.unbind(1), neighbours.unbind(1), strict=True)
        return torch.stack([self._spynet(*map(_to_rgb, pair)) for pair in pairs], 1)


def _to_rgb(frames: Tensor) -> Tensor:
    return frames.expand(-1, 3, -1, -1)


def read_spynet(path: Path) -> SPyNet:
    """Read SPyNet from a file that others wrote; nothing in it can run code.

    Raises:
        WeightsError: the file is missing or damaged, or has no SPyNet in it.
    """
    tensors = rename(_own(read_tensors(path)))
    first = tensors.get("basic_module.0.basic_module.0.weight")
    if first is None:
        raise WeightsError(
            f"expected the weights of SPyNet in {path}, alone or inside a network such as "
            f"BasicVSR, found {len(tensors)} tensors such as {next(iter(tensors), 'none')!r}"
        )
    network = SPyNet(channels=len(first))
    try:
        network.load_state_dict(network.state_dict() | tensors)  # mean and std are often left out
    except RuntimeError as error:
        raise WeightsError(
            f"{path} does not fit SPyNet: {str(error).splitlines()[-1].strip()}"
        ) from error
    return network.eval().requires_grad_(False)


def _own(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """SPyNet's tensors, if others stand around them."""
    named = {key.removeprefix("generator."): value for key, value in tensors.items()}
    inside = {key: value for key, value in named.items() if key.startswith(_INSIDE)}
    return {key.removeprefix(_INSIDE): value for key, value in (inside or named).items()}
