"""What every table compares with."""

from __future__ import annotations

from upreel.evaluation.protocols import Protocol
from upreel.models.bicubic import Bicubic
from upreel.models.upscaler import Upscaler
from upreel.models.weights import load, names


def find_baselines(protocol: Protocol) -> dict[str, Upscaler]:
    """Bicubic, the same moved to where the samples lie, and the best linear filter if one ships.

    The second only where a degradation puts samples elsewhere than bicubic expects them. None
    where frames have to be made between those that are given: no filter does that.
    """
    if protocol.rate != 1:
        return {}
    found: dict[str, Upscaler] = {"bicubic": Bicubic(protocol.scale)}
    if protocol.phase:
        found["bicubic aligned"] = Bicubic(protocol.scale, phase=protocol.phase)
    if protocol.scale in names().get(linear_name(protocol), ()):
        found["linear"] = load(linear_name(protocol), protocol.scale)
    return found


def linear_name(protocol: Protocol) -> str:
    """The name under which the linear filter for a protocol ships."""
    short = {"BI": "bi", "PIL": "bi", "BD-DUF": "bd", "codec24": "codec24"}
    return f"linear:{short.get(protocol.degradation, protocol.degradation)}"
