"""Networks that fail on purpose: no frame is lost."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import Tensor

from upreel.errors import NumericError
from upreel.inference.guard import Guarded
from upreel.models.bicubic import Bicubic
from upreel.models.upscaler import Spec, State, Window


class Hungry:
    """Runs out of memory on anything larger than `most` pixels in a row."""

    def __init__(self, most: int, error: Exception) -> None:
        self.inner, self.most, self.error = Bicubic(2), most, error
        self.sizes: list[tuple[int, ...]] = []

    @property
    def spec(self) -> Spec:
        return self.inner.spec

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        self.sizes.append(tuple(window.clip.shape[-2:]))
        if max(window.clip.shape[-2:]) > self.most:
            raise self.error
        return self.inner.step(window, state)


class Broken(Bicubic):
    """Gives one value that is not finite."""

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        high, state = super().step(window, state)
        high[..., 0, 0] = float("nan")
        return high, state


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 7 bytes"),
    ],
)
def test_smaller_tiles_when_memory_runs_out(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    hungry = Hungry(140, error)
    guarded = Guarded(hungry)
    window = Window(torch.rand(1, 1, 1, 200, 300))
    with caplog.at_level(logging.WARNING):
        high, _ = guarded.step(window, {})
    torch.testing.assert_close(high, Bicubic(2).step(window, {})[0])
    assert "tiles of 75 pixels" in caplog.text
    tried = len(hungry.sizes)
    guarded.step(window, {})
    assert all(max(size) <= 140 for size in hungry.sizes[tried:])  # it does not try in vain again


def test_memory_that_never_suffices_is_said() -> None:
    guarded = Guarded(Hungry(10, MemoryError()))
    with pytest.raises(MemoryError, match="memory does not suffice"):
        guarded.step(Window(torch.rand(1, 1, 1, 200, 300)), {})


def test_other_errors_pass() -> None:
    guarded = Guarded(Hungry(10, RuntimeError("shapes do not fit")))
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        guarded.step(Window(torch.rand(1, 1, 1, 200, 300)), {})


def test_values_that_are_not_finite_are_computed_again_in_fp32(
    caplog: pytest.LogCaptureFixture,
) -> None:
    guarded = Guarded(Broken(2), in_fp32=lambda: Bicubic(2))
    window = Window(torch.rand(1, 1, 1, 20, 30))
    with caplog.at_level(logging.WARNING):
        high, _ = guarded.step(window, {"hidden": torch.full((1, 1, 2, 2), float("inf"))})
    torch.testing.assert_close(high, Bicubic(2).step(window, {})[0])
    assert "computing in fp32" in caplog.text


def test_values_that_are_never_finite_are_an_error() -> None:
    with pytest.raises(NumericError, match="not finite"):
        Guarded(Broken(2)).step(Window(torch.rand(1, 1, 1, 20, 30)), {})


class Fading(Bicubic):
    """Carries a state; gives values that are not finite in some steps."""

    def __init__(self, *bad: int) -> None:
        super().__init__(2)
        self.bad, self.steps = bad, 0

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        high, _ = super().step(window, {})
        self.steps += 1
        if self.steps in self.bad:
            high[..., 0, 0] = float("nan")
        return high, {"hidden": torch.zeros(1)}


def test_fp32_lasts_to_the_end_of_the_scene() -> None:
    """So it makes no difference whether a run began before the scene or with it."""
    half, full = Fading(2), Fading()
    guarded = Guarded(half, in_fp32=lambda: full)
    window = Window(torch.rand(1, 1, 1, 8, 8))
    state: State = {}
    for _ in range(4):
        _, state = guarded.step(window, state)
    assert (half.steps, full.steps) == (2, 3)
    guarded.step(window, {})
    assert (half.steps, full.steps) == (3, 3)
