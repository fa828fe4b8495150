"""Clear: the quality tier. Bidirectional, recurrent, luma only.

Our own design, after BasicVSR (Chan et al. 2021: features travel from the end of a clip to its
beginning, then back) with what made `swift` learn quickly: motion comes from outside (`ops.flow`),
convolutions see and make detail (`models.detail`), and the last output, moved along the motion, is
an input. Everything is computed at the size of the small frames; the last convolution makes blocks
of output pixels.

`step` gives it a window: the way from beginning to end goes on from window to window in the state,
the way back starts anew at the end of each, `future` frames after the last one that is enlarged.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.models.detail import GAIN, DetailNetwork, Residual, image_of, rows
from upreel.models.upscaler import Spec, State, StateSpec, Window
from upreel.ops.warp import bilinear_taps, sum_rows

TILE = 480
"""Side of the tiles, in pixels of a frame: a window takes 5 kB for each, with what tiles overlap by
about 2 GB."""


class Clear(DetailNetwork):
    """See the head of this file."""

    def __init__(
        self,
        scale: int = 4,
        *,
        channels: int = 64,
        back: int = 4,
        blocks: int = 6,
        phase: float = 0.0,
        chunk: int = 15,
        future: int = 5,
    ) -> None:
        """Build it with random weights that add almost nothing to bicubic interpolation.

        Args:
            scale: how many times larger.
            channels: of the convolutions, and of what travels.
            back: residual blocks on the way from the end to the beginning.
            blocks: residual blocks on the way from the beginning to the end.
            phase: of the interpolation, see `Bicubic`; -1.5 for BD-DUF at a scale of 4.
            chunk: frames that one step enlarges.
            future: frames that one step sees after these.
        """
        super().__init__(scale, phase)
        self.channels, self.chunk, self.future = channels, chunk, future
        self.into_back = nn.Conv2d(1 + channels, channels, 3, padding=1)
        self.back = nn.Sequential(*(Residual(channels) for _ in range(back)))
        self.into = nn.Conv2d(1 + scale**2 + 2 * channels, channels, 3, padding=1)
        self.body = nn.Sequential(*(Residual(channels) for _ in range(blocks)))
        self.out = nn.Conv2d(channels, scale**2, 3, padding=1)
        self.start()

    @property
    def spec(self) -> Spec:
        """Flow between neighbours; the features and the output of the frame before."""
        return Spec(
            scale=self.scale,
            color="luma",
            past=1,
            future=self.future,
            step=self.chunk,
            inputs=frozenset({"flow_along"}),
            flow="dis-double",
            state={
                "features": StateSpec(self.channels),
                "output": StateSpec(1, Fraction(self.scale)),
            },
            exact=False,
            tile=TILE,
            windowed=60.0,
        )

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge the middle of a window: see `Upscaler.step`."""
        frames = window.clip.unbind(1)[window.past :]
        along = window.inputs["flow_along"]
        later = along[:, window.past :, 0].unbind(1)
        earlier = along[:, :, 1].unbind(1)
        if not window.past:  # a scene begins: nothing is carried, and no flow is looked at
            earlier = (torch.zeros_like(frames[0]).expand(-1, 2, -1, -1), *earlier)
        made, state = self._enlarge(frames, later, earlier, window.middle.shape[1], state)
        return torch.stack(made, 1), state

    def forward(self, clip: Tensor, flow: Tensor) -> Tensor:
        """Enlarge a whole clip from an empty state.

        Args:
            clip: `(B, T, 1, H, W)`, 0..1.
            flow: `(B, T, 2, 2, H, W)`: from each frame to the one before and to the one after.

        Returns:
            `(B, T, 1, H * scale, W * scale)`, float32.
        """
        earlier, later = flow[:, :, 0].unbind(1), flow[:, :, 1].unbind(1)
        made, _ = self._enlarge(clip.unbind(1), later, earlier, clip.shape[1], {})
        return torch.stack(made, 1)

    def _enlarge(
        self,
        frames: Sequence[Tensor],
        later: Sequence[Tensor],
        earlier: Sequence[Tensor],
        count: int,
        state: State,
    ) -> tuple[list[Tensor], State]:
        """Enlarge the first `count` frames `(B, 1, H, W)`.

        Args:
            frames: those, and some after them.
            later: flow from each to the one after, `(B, 2, H, W)`; to the last there is none.
            earlier: flow from each to the one before.
            count: how many.
            state: what came before them.
        """
        behind = self._propagate_back(frames, later)
        made = []
        for frame, flow in zip(frames[:count], earlier, strict=False):
            high, state = self._advance(frame, behind.pop(), flow, state)
            made.append(high)
        return made, state

    def _propagate_back(self, frames: Sequence[Tensor], later: Sequence[Tensor]) -> list[Tensor]:
        """Features on the way from the end to the beginning, in this order, as rows.

        They take most of the memory; the interpolation, which is little work, is computed again
        where it is added.
        """
        kept: list[Tensor] = []
        shape = frames[0].shape
        for index in reversed(range(len(frames))):
            detail = self._detail(self.interpolate(frames[index])[1])
            if kept:
                carried = sum_rows(kept[-1], bilinear_taps(later[index]))
            else:
                carried = detail.new_zeros(len(detail), self.channels)
            seen = image_of(torch.cat((detail, carried), 1), shape)
            kept.append(rows(self.back(F.relu(self.into_back(seen), inplace=True))))
        return kept

    def _advance(
        self, frame: Tensor, hint: Tensor, flow: Tensor, state: State
    ) -> tuple[Tensor, State]:
        """One step on the way from the beginning to the end; the hint is rows."""
        smooth, sharp = self.interpolate(frame)
        if state:
            carried = sum_rows(rows(state["features"]), bilinear_taps(flow))
            before = self.seen_of_last(state["output"], flow, smooth)
        else:
            carried, before = torch.zeros_like(hint), torch.zeros_like(smooth)
        detail = self._detail(torch.cat((sharp, before), 1))
        seen = image_of(torch.cat((detail, hint, carried), 1), frame.shape)
        x = self.body(F.relu(self.into(seen), inplace=True))
        high = self.add(smooth, self.out(x), frame.shape)
        return high, {"features": x, "output": high}

    def _detail(self, values: Tensor) -> Tensor:
        return (values * GAIN).to(self.kind(values.device))
