"""A network over a whole clip, with the gradients that training needs."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from upreel.core.windows import windows
from upreel.data.samples import Batch
from upreel.errors import UsageError
from upreel.models.upscaler import State, Upscaler, Window


def enlarge_clips(network: nn.Module, batch: Batch, *, checkpointing: bool) -> Tensor:
    """Enlarge the clips of a batch from an empty state.

    Args:
        network: an upscaler.
        batch: its low frames, and their flow where the network asks for it.
        checkpointing: keep only what goes from one `step` to the next, and compute the rest again
            when gradients are due: the same values with the memory of one step, in a third more
            time (Chen et al. 2016, "Training deep nets with sublinear memory cost").

    Returns:
        `(B, T, C, H * scale, W * scale)`, float32.

    Raises:
        UsageError: with `checkpointing`, the network wants flow to frames that a batch has none to.
    """
    if checkpointing:
        return _step_by_step(cast(Upscaler, network), batch)
    flow = "flow" in cast(Upscaler, network).spec.inputs
    output: Tensor = network(batch.low, batch.flow) if flow else network(batch.low)
    return output.float()


def _step_by_step(network: Upscaler, batch: Batch) -> Tensor:
    spec = network.spec
    flow = batch.flow if "flow" in spec.inputs else None
    if flow is not None:
        if max(spec.past, spec.future) > 1:
            raise UsageError(
                f"expected a network that wants flow to at most 1 frame before and after, found "
                f"{spec.past} and {spec.future}; set checkpointing = false"
            )
        flow = flow[:, :, 1 - spec.past : 1 + spec.future].clone()
        if spec.past:
            flow[:, 0, 0] = 0  # as in `Window.inputs`: there is no such neighbour
        if spec.future:
            flow[:, -1, -1] = 0
    state: State = {}
    outputs = []
    times = range(batch.low.shape[1])
    for span in windows(times, past=spec.past, future=spec.future, step=spec.step):
        window = Window(
            batch.low[:, span.items[0] : span.items[-1] + 1],
            span.past,
            span.future,
            {} if flow is None else {"flow": flow[:, span.middle[0] : span.middle[-1] + 1]},
        )
        output, state = checkpoint(
            network.step, window, state, use_reentrant=False, preserve_rng_state=False
        )
        outputs.append(output)
    return torch.cat(outputs, 1).float()
