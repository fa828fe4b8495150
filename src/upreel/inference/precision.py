"""Which number type is fast here: measured, not guessed from the processor's name."""

from __future__ import annotations

import time
from functools import cache
from typing import Literal

import torch
from torch import Tensor, nn

from upreel.errors import UsageError

Precision = Literal["auto", "fp32", "bf16", "fp16"]

_TYPES: dict[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}

_REPETITIONS = 8


def choose_device(name: str = "auto") -> torch.device:
    """Find the device to compute on: a GPU where there is one, else the CPU.

    Raises:
        UsageError: torch knows no device of this name, or there is none here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"expected a device that torch can use here, such as 'cpu', found {name!r}"
        ) from error
    return device


def choose_precision(precision: Precision, device: torch.device) -> torch.dtype:
    """Turn a wish into a type; `auto` takes the fastest type that is measured on this device."""
    if precision != "auto":
        return _TYPES[precision]
    if device.type == "cuda":
        return torch.float16
    return fastest(device)


def name_of(dtype: torch.dtype) -> Precision:
    """The name of a type, as a user says it."""
    return next(name for name, known in _TYPES.items() if known == dtype)


@cache
def fastest(device: torch.device) -> torch.dtype:
    """Time a convolution in bf16 and in fp32, and name the faster type."""
    seconds = convolution_seconds(device)
    return min(seconds, key=lambda dtype: seconds[dtype])


def convolution_seconds(device: torch.device) -> dict[torch.dtype, float]:
    """Time of one 3x3 convolution of 32 to 32 channels on 180x320 pixels, in bf16 and in fp32.

    The best of several, the types by turns. On the CPU it is the time that the processor works for
    this process, which other programs hardly change.
    """
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    types = (torch.bfloat16, torch.float32)
    layers = {dtype: _convolution(dtype, device) for dtype in types}
    times: dict[torch.dtype, list[float]] = {dtype: [] for dtype in types}
    with torch.inference_mode():
        for _ in range(_REPETITIONS + 1):  # the first one prepares
            for dtype, (convolution, x) in layers.items():
                began = clock()
                convolution(x).flatten()[0].item()
                times[dtype].append(clock() - began)
    return {dtype: min(each[1:]) for dtype, each in times.items()}


def _convolution(dtype: torch.dtype, device: torch.device) -> tuple[nn.Conv2d, Tensor]:
    convolution = nn.Conv2d(32, 32, 3, padding=1)
    convolution.to(device=device, dtype=dtype)
    convolution.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = torch.rand(1, 32, 180, 320, dtype=dtype, device=device)
    return convolution, x.contiguous(memory_format=torch.channels_last)
