"""The one loop that drives an upscaler, for users, evaluation and validation alike."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor
from torch.backends import cudnn

from upreel.core.background import prefetch
from upreel.core.windows import windows
from upreel.inference.motion import MotionFinder
from upreel.inference.stages import Stages
from upreel.models.upscaler import Spec, State, Upscaler, Window

T = TypeVar("T")

CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Observation(Generic[T]):
    """A window with the labels of its middle frames.

    Attributes:
        window: what the upscaler sees.
        labels: one for each frame of the middle.
        first: whether the middle begins a scene.
    """

    window: Window
    labels: tuple[T, ...]
    first: bool


def observe(
    spec: Spec,
    frames: Iterable[tuple[T, Tensor]],
    *,
    begins_scene: Callable[[T], bool] = lambda label: False,
    device: torch.device = CPU,
) -> Iterator[Observation[T]]:
    """Cut labelled frames `(C, H, W)` into windows, with the inputs that `spec` asks for.

    Optical flow is found on the CPU, but variational flow on `device`, where everything is brought.
    """
    solving = device if spec.flow == "variational" else CPU
    spans = windows(
        frames,
        past=spec.past,
        future=spec.future,
        step=spec.step,
        begins_scene=lambda labelled: begins_scene(labelled[0]),
    )
    finder, number = MotionFinder(spec), 0
    for span in spans:
        clip = torch.stack([frame for _, frame in span.items])[None]
        inputs = finder.inputs(clip.to(solving), number - span.past, span.past, span.future)
        inputs = {name: value.to(device) for name, value in inputs.items()}
        number += len(span.middle)
        window = Window(clip.to(device), span.past, span.future, inputs)
        yield Observation(window, tuple(label for label, _ in span.middle), span.first)


def enlarge(
    upscaler: Upscaler,
    frames: Iterable[tuple[T, Tensor]],
    *,
    begins_scene: Callable[[T], bool] = lambda label: False,
    device: torch.device = CPU,
    ahead: int = 0,
    stages: Stages | None = None,
) -> Generator[tuple[T, Tensor], None, None]:
    """Enlarge a stream of frames.

    Args:
        upscaler: what enlarges; its state is reset where a scene begins.
        frames: labelled frames `(C, H, W)`, float32 in 0..1; a label is whatever the caller wants
            to find beside the result: a number, an instant, the file's own frame.
        begins_scene: tells of a label whether a new scene begins with its frame.
        device: where the upscaler computes; results come back to the CPU.
        ahead: how many windows to prepare (optical flow and the like) ahead, in a thread.
        stages: where time is counted.

    Yields:
        Labels, in order, each with an enlarged frame `(C, H * scale, W * scale)`, not clipped;
        `rate` times for each label.
    """
    stages = stages or Stages()
    observations = stages.iterate(
        "inputs", observe(upscaler.spec, frames, begins_scene=begins_scene, device=device)
    )
    if ahead:
        observations = prefetch(observations, depth=ahead)
    step = stages.timed("network", _stepper(upscaler))
    try:
        for seen in observations:
            labels = (label for label in seen.labels for _ in range(upscaler.spec.rate))
            yield from zip(labels, step(seen), strict=True)
    finally:
        observations.close()


def _stepper(upscaler: Upscaler) -> Callable[[Observation[T]], Tensor]:
    """A function that steps from one observation to the next, `(K * rate, C, H, W)` at a time."""
    state: State = {}

    def step(seen: Observation[T]) -> Tensor:
        nonlocal state
        # TF32 has ten bits of mantissa: a GPU would round the codes that the linear skip keeps.
        with torch.inference_mode(), cudnn.flags(enabled=True, allow_tf32=False):
            high, state = upscaler.step(seen.window, {} if seen.first else state)
        return high[0].cpu()

    return step
