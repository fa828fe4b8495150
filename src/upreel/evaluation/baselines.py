"""What every table compares with."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from upreel.data.degradations import to_codes
from upreel.evaluation.pairs import pillow_bicubic
from upreel.evaluation.protocols import Protocol
from upreel.evaluation.relay import Model, Relay
from upreel.models.averaging import Average, Repeat
from upreel.models.bicubic import Bicubic
from upreel.models.motion_average import MotionAverage
from upreel.models.upscaler import Spec, State, Upscaler, Window
from upreel.models.weights import load, names


def find_baselines(protocol: Protocol) -> dict[str, Model]:
    """What a network has to beat, by the names of their rows: filters.

    Where frames have to be made between others, these follow the mean of both neighbours, and
    bicubic also the frame before, held. Where only that has to be done, there is the mean alone,
    and the one along optical flow, with and without masks of what neighbours hide.
    """
    if protocol.scale == 1:
        return {
            "average": Average(),
            "warp": MotionAverage(),
            "warp without masks": MotionAverage(masks=False),
        }
    filters = find_filters(protocol)
    if protocol.rate == 1:
        return {**filters}
    return {
        "repeat+bicubic": Relay((Repeat(), filters["bicubic"])),
        **{f"average+{name}": Relay((Average(), each)) for name, each in filters.items()},
    }


def find_filters(protocol: Protocol) -> dict[str, Upscaler]:
    """Bicubic, the same moved to where the samples lie, and the best linear filter if one ships.

    The second only where a degradation puts samples elsewhere than bicubic expects them.
    """
    found: dict[str, Upscaler] = {"bicubic": Bicubic(protocol.scale)}
    if protocol.degradation == "PIL":
        found["bicubic by Pillow"] = PillowBicubic(protocol.scale)
    if protocol.phase:
        found["bicubic aligned"] = Bicubic(protocol.scale, phase=protocol.phase)
    if protocol.scale in names().get(linear_name(protocol), ()):
        found["linear"] = load(linear_name(protocol), protocol.scale)
    return found


class PillowBicubic:
    """Bicubic as Pillow does it, with its 8 bits and its borders: what scripts compare with."""

    def __init__(self, scale: int) -> None:
        """For R'G'B'."""
        self.spec = Spec(scale, "rgb")

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge each frame; see `Upscaler.step`."""
        height, width = (side * self.spec.scale for side in window.clip.shape[-2:])
        codes = to_codes(window.middle.flatten(0, 1) * 255)
        high = np.stack([pillow_bicubic(frame, (height, width)) for frame in codes])
        return torch.from_numpy(high).float().div(255).view(
            *window.middle.shape[:2], *high.shape[1:]
        ), {}


def linear_name(protocol: Protocol) -> str:
    """The name under which the linear filter for a protocol ships."""
    short = {"BI": "bi", "PIL": "bi", "BD-DUF": "bd", "codec24": "codec24"}
    return f"linear:{short.get(protocol.degradation, protocol.degradation)}"
