"""One measurement of `evaluation.networks`: `python -m upreel.evaluation.network_cost REQUEST`."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict

import torch
from torch import Tensor, nn

from upreel.core.heap import keep_freed_memory
from upreel.evaluation.measure import peak_memory
from upreel.evaluation.networks import Cost
from upreel.inference.precision import choose_device, choose_precision
from upreel.models import upscaler_class
from upreel.models.pixels import PLANES
from upreel.models.tiled import Tiled
from upreel.models.upscaler import Spec, State, Upscaler, Window
from upreel.models.weights import prepare

_SMALL = (32, 32)


class LargestTile:
    """An upscaler that computes the largest of its tiles alone, and of the others zeros.

    Attributes:
        areas: pixels of each tile that it was given.
        seconds: that the computed one took, of all cores together; on a GPU, of the clock.
    """

    def __init__(self, inner: Upscaler) -> None:
        """Wrap `inner`."""
        self._inner = inner
        self._largest = 0
        self.areas: list[int] = []
        self.seconds = 0.0

    @property
    def spec(self) -> Spec:
        """That of the upscaler inside."""
        return self._inner.spec

    def look(self) -> None:
        """Begin to compute: the tiles that came so far tell which is the largest."""
        self._largest = max(self.areas)
        self.areas.clear()

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge the middle of a window: see `Upscaler.step`."""
        height, width = window.clip.shape[-2:]
        self.areas.append(height * width)
        if height * width == self._largest and not self.seconds:
            return self._measure(window, state)
        batch, count, channels = window.middle.shape[:3]
        size = (height * self.spec.scale, width * self.spec.scale)
        return window.clip.new_zeros(batch, count * self.spec.rate, channels, *size), {}

    def _measure(self, window: Window, state: State) -> tuple[Tensor, State]:
        on_gpu = window.clip.is_cuda
        clock = time.perf_counter if on_gpu else time.process_time
        if on_gpu:
            torch.cuda.synchronize()  # what came before is not measured
        began = clock()
        made = self._inner.step(window, state)
        if on_gpu:
            torch.cuda.synchronize()
        self.seconds = clock() - began
        return made


def measure(name: str, size: tuple[int, int]) -> Cost:
    """Enlarge one window of noise with random weights, in this process, somewhere in a scene."""
    device = choose_device()
    network = upscaler_class(name)()
    parameters = 0
    if isinstance(network, nn.Module):
        parameters = sum(tensor.numel() for tensor in network.parameters())
        prepare(network, device=device, dtype=choose_precision("auto", device))
    width, height = size
    spec = network.spec
    tile = spec.tile if spec.tile and max(size) > spec.tile else None
    window = make_window(spec, (height, width), device)
    metered = LargestTile(network)
    upscaler: Upscaler = Tiled(metered, tile) if tile else metered
    with torch.inference_mode():
        state = make_state(network, (height, width), device)
        if tile:
            state = {name: value for name, value in state.items() if not spec.state[name].cache}
        upscaler.step(window, state)
        metered.look()
        upscaler.step(window, state)
    seconds = metered.seconds * sum(metered.areas) / max(metered.areas)
    milliseconds = 1000 * seconds / (spec.step * spec.rate)
    memory = torch.cuda.max_memory_allocated() if device.type == "cuda" else peak_memory()
    return Cost(name, size, parameters, tile, milliseconds, memory)


def make_window(spec: Spec, size: tuple[int, int], device: torch.device) -> Window:
    """A window of noise without motion, with all the neighbours that the spec asks for."""
    planes, frames = PLANES[spec.color], spec.past + spec.step + spec.future
    clip = torch.rand(1, frames, planes, *size, device=device)
    still = torch.zeros(1, spec.step, spec.past + spec.future, 2, *size, device=device)
    along = torch.zeros(1, frames - 1, 2, 2, *size, device=device)
    inputs = {name: along if name == "flow_along" else still for name in spec.inputs}
    return Window(clip, spec.past, spec.future, inputs)


def make_state(network: Upscaler, size: tuple[int, int], device: torch.device) -> State:
    """A state of zeros, as large as it is in the middle of a scene."""
    spec = network.spec
    height, width = (-(-side // spec.multiple) * spec.multiple for side in size)
    _, found = network.step(make_window(spec, _SMALL, device), {})  # tells the types of tensors
    return {
        name: found[name].new_zeros(
            1, each.channels, int(height * each.scale), int(width * each.scale)
        )
        for name, each in spec.state.items()
    }


def main() -> None:
    """Measure what the request in the first argument asks for, and write it as JSON."""
    keep_freed_memory()
    name, (width, height) = json.loads(sys.argv[1])
    sys.stdout.write(json.dumps(asdict(measure(name, (width, height)))) + "\n")


if __name__ == "__main__":
    main()
