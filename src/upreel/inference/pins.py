"""What is chosen once, when a job begins: on it depends which numbers come out."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field

from upreel.inference.cores import all_encoder_threads, encoder_threads
from upreel.inference.precision import Precision, choose_device, choose_precision, name_of

Threads = Annotated[int, Field(ge=1, le=1024)]


class Pins(BaseModel):
    """What stays as it is to the end of a job, whoever goes on with it.

    Attributes:
        device: of torch.
        precision: what the network computes in.
        threads: of torch.
        encoder_threads: of the encoder.
        tile: side of the tiles that frames are cut into, in input pixels, when the latest segment
            was finished; it gets smaller when memory runs out. `None`: whole frames.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    device: str
    precision: Precision
    threads: Threads
    encoder_threads: Threads
    tile: Annotated[int, Field(ge=1)] | None = None


def choose_pins(device: str, precision: Precision, *, threads: int) -> Pins:
    """Turn wishes into choices.

    Args:
        device: a device of torch, or `auto`.
        precision: a type, or `auto`: the fastest.
        threads: of the encoder; 0: as many as are good for it.

    Raises:
        UsageError: there is no such device.
    """
    chosen = choose_device(device)
    free = encoder_threads() if chosen.type == "cpu" else all_encoder_threads()
    return Pins(
        device=str(chosen),
        precision=name_of(choose_precision(precision, chosen)),
        threads=torch.get_num_threads(),
        encoder_threads=threads or free,
    )
