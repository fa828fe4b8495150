"""A step that does not fail: smaller tiles when memory runs out, fp32 where bf16 breaks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from upreel.errors import NumericError, is_out_of_memory
from upreel.models.tiled import Tiled
from upreel.models.upscaler import Spec, State, Upscaler, Window

log = logging.getLogger(__name__)

SMALLEST_TILE = 64


class Guarded:
    """An upscaler that tries again where the one inside fails, so that no frame is dropped.

    Attributes:
        inner: what enlarges.
        tile: side of the tiles that it takes now, in input pixels; `None`: whole frames.
    """

    def __init__(
        self,
        inner: Upscaler,
        *,
        tile: int | None = None,
        in_fp32: Callable[[], Upscaler] | None = None,
    ) -> None:
        """Wrap an upscaler.

        Args:
            inner: what enlarges.
            tile: side of the tiles to begin with, in input pixels; whole frames without it.
            in_fp32: makes the same upscaler in fp32, for frames where `inner` gives values that
                are not finite.
        """
        self.inner = inner
        self._in_fp32 = None if in_fp32 is None else cache(in_fp32)
        self._broken = False
        self.tile = tile

    @property
    def spec(self) -> Spec:
        """That of the upscaler inside."""
        return self.inner.spec

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge the middle of a window: see `Upscaler.step`.

        Raises:
            NumericError: the values are not finite in fp32 either.
            MemoryError: memory does not suffice for the smallest tiles.
        """
        # Each scene begins in half precision, whatever was before: a run that goes on from there
        # gives the same frames.
        self._broken = self._broken and bool(state)
        if self._in_fp32 is None or not self._broken:
            high, after = self._step_in_memory(self.inner, window, state)
            if _finite(high):
                return high, after
        if self._in_fp32 is None:
            raise NumericError("the network returned values that are not finite; try other weights")
        if not self._broken:
            log.warning(
                "half precision gave values that are not finite: computing in fp32 to the end of "
                "the scene"
            )
            self._broken = True
        clean = {name: value.float() for name, value in state.items()}
        if not all(_finite(value) for value in clean.values()):
            clean = {}
        high, after = self._step_in_memory(self._in_fp32(), window, clean)
        if not _finite(high):
            raise NumericError("the network returned values that are not finite; try other weights")
        return high, after

    def _step_in_memory(
        self, inner: Upscaler, window: Window, state: State
    ) -> tuple[Tensor, State]:
        while True:
            upscaler = Tiled(inner, self.tile) if self.tile else inner
            try:
                return upscaler.step(window, state)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                smaller = (self.tile or max(window.clip.shape[-2:])) // 2
                if smaller < SMALLEST_TILE:
                    raise MemoryError(
                        f"memory does not suffice for tiles of {2 * smaller} pixels; "
                        "close other programs or use a smaller scale"
                    ) from error
            log.warning("out of memory: trying again with tiles of %d pixels", smaller)
            self.tile = smaller
            if window.clip.is_cuda:
                torch.cuda.empty_cache()


def _finite(values: Tensor) -> bool:
    """Whether all values are finite; a sum is not if one of them is not."""
    return bool(torch.isfinite(values.sum(dtype=torch.float32)))
