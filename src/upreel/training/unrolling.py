"""A network over a whole clip, with the gradients that training needs."""

from __future__ import annotations

from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from upreel.core.windows import windows
from upreel.data.samples import Batch
from upreel.errors import UsageError
from upreel.models.interpolator import Doubts
from upreel.models.upscaler import FindsMotion, Input, Spec, State, Upscaler, Window

Made = tuple[Tensor, Tensor | None, Tensor | None]
"""What a network made of a batch, the motion that it found, and the error that it expects."""


class Maker(Protocol):
    """See `make_clips`."""

    def __call__(self, network: nn.Module, batch: Batch, *, checkpointing: bool) -> Made:
        """See `make_clips`."""
        ...


def make_clips(network: nn.Module, batch: Batch, *, checkpointing: bool) -> Made:
    """Enlarge the clips of a batch, with all else that a network says: see `enlarge_clips`."""
    if isinstance(network, FindsMotion) and not checkpointing:
        output, motion = network.enlarge_with_motion(batch.low)
        return output, motion, None
    if isinstance(network, Doubts):
        output, doubt = network.make_with_doubt(batch.low, batch.flow_within(1, 1), batch.rate)
        return output, None, doubt
    return enlarge_clips(network, batch, checkpointing=checkpointing), None, None


def enlarge_clips(network: nn.Module, batch: Batch, *, checkpointing: bool) -> Tensor:
    """Enlarge the clips of a batch from an empty state.

    Args:
        network: an upscaler.
        batch: its low frames, and their flow where the network asks for it.
        checkpointing: keep only what goes from one `step` to the next, and compute the rest again
            when gradients are due: the same values with the memory of one step, in a third more
            time (Chen et al. 2016, "Training deep nets with sublinear memory cost").

    Returns:
        `(B, T, C, H * scale, W * scale)`, float32, of those frames that `compared` has too.

    Raises:
        UsageError: the sequences are too short for a step that sees all its neighbours.
    """
    spec = cast(Upscaler, network).spec
    flow = None
    if "flow" in spec.inputs:
        flow = batch.flow_within(spec.past, spec.future)
    elif "flow_along" in spec.inputs:
        flow = batch.flow_within(1, 1)
    if checkpointing:
        made = _step_by_step(cast(Upscaler, network), batch.low, flow)
        return made[:, : batch.high.shape[1]]  # after the last one that is given there is none
    output: Tensor = network(batch.low) if flow is None else network(batch.low, flow)
    return output.float()


def compared(spec: Spec, batch: Batch, frames: int) -> Batch:
    """The frames of a batch that a network is trained on, with flow to the frame before and after.

    A network that takes clips as a whole gives all of them. One that sees a window around a frame
    is trained on whole windows only: what it makes of the ends of a scene follows from its rule for
    borders.

    Args:
        spec: of the network.
        batch: what it saw.
        frames: how many it made of it.

    Returns:
        Without flow where there are more frames than that belongs to.
    """
    known = batch.flow is not None and spec.rate == 1
    flow = batch.flow_within(1, 1) if known else None
    if frames == batch.high.shape[1]:
        return Batch(batch.low, batch.high, flow)
    first, last = spec.past, batch.low.shape[1] - spec.future
    middle, made = slice(first, last), slice(first * spec.rate, last * spec.rate)
    return Batch(
        batch.low[:, middle], batch.high[:, made], None if flow is None else flow[:, middle]
    )


def _step_by_step(network: Upscaler, low: Tensor, flow: Tensor | None) -> Tensor:
    spec = network.spec
    along = "flow_along" in spec.inputs
    if flow is not None and along:  # as in `Window.inputs`: between each two frames, both ways
        flow = torch.stack((flow[:, :-1, 1], flow[:, 1:, 0]), 2)
    elif flow is not None and spec.recurrent:  # there is no such neighbour
        flow = flow.clone()
        for offset in range(1, spec.past + 1):
            flow[:, :offset, spec.past - offset] = 0
        for offset in range(1, spec.future + 1):
            flow[:, -offset:, spec.past + offset - 1] = 0
    state: State = {}
    outputs = []
    times = range(low.shape[1])
    for span in windows(times, past=spec.past, future=spec.future, step=spec.step):
        if not spec.recurrent and (span.past, span.future) != (spec.past, spec.future):
            continue
        inputs: dict[Input, Tensor] = {}
        if flow is not None and along:
            inputs["flow_along"] = flow[:, span.items[0] : span.items[-1]]
        elif flow is not None:
            inputs["flow"] = flow[:, span.middle[0] : span.middle[-1] + 1]
        seen = low[:, span.items[0] : span.items[-1] + 1]
        window = Window(seen, span.past, span.future, inputs)
        output, state = checkpoint(network.step, window, state, use_reentrant=False)
        state = state if spec.recurrent else {}
        outputs.append(output)
    if not outputs:
        least = spec.past + 1 + spec.future
        raise UsageError(
            f"expected sequences of {least} frames or more with checkpointing, found "
            f"{low.shape[1]}; make stages.frames larger or set checkpointing = false"
        )
    return torch.cat(outputs, 1).float()
