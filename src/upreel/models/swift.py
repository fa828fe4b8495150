"""Swift: the default network. Small, causal, recurrent, luma only.

Our own design, after FRVSR (Sajjadi et al. 2018, "Frame-recurrent video super-resolution": the
previous output, moved along the motion, is an input) and RLSP (Fuoli et al. 2019, "Efficient video
super-resolution through recurrent latent space propagation": so is a hidden state). What differs:

* Motion comes from outside (`ops.flow`), found on the small luma; nothing is learned for it.
* The previous output is moved by whole large pixels: it stays as sharp as it was made.
* Convolutions see and make detail, not brightness (`models.detail`): differences between the last
  output and the interpolation, and of a frame to its blurred self. That trains several times
  faster, and rounding to bf16 touches small numbers only.
* No frame ahead is seen: with an aligned state it was worth 0.01 to 0.04 dB, and cost a second
  optical flow.

`docs/experiments.md` has the measurements behind these choices.
"""

from __future__ import annotations

from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.models.detail import GAIN, DetailNetwork, Residual, image_of, rows
from upreel.models.upscaler import Spec, State, StateSpec, Window
from upreel.ops.warp import bilinear_taps, sum_rows


class Swift(DetailNetwork):
    """See the head of this file."""

    def __init__(
        self,
        scale: int = 4,
        *,
        channels: int = 32,
        blocks: int = 2,
        hidden: int = 30,
        phase: float = 0.0,
    ) -> None:
        """Build it with random weights that add almost nothing to bicubic interpolation.

        Args:
            scale: how many times larger.
            channels: of the convolutions.
            blocks: residual blocks of two convolutions.
            hidden: how many of the channels are carried to the next frame.
            phase: of the interpolation, see `Bicubic`; -1.5 for BD-DUF at a scale of 4.
        """
        super().__init__(scale, phase)
        if hidden > channels:
            raise ValueError(
                f"expected at most {channels} hidden channels of {channels}, found {hidden}"
            )
        self.hidden = hidden
        self.into = nn.Conv2d(1 + scale**2 + hidden, channels, 3, padding=1)
        self.body = nn.Sequential(*(Residual(channels) for _ in range(blocks)))
        self.out = nn.Conv2d(channels, scale**2, 3, padding=1)
        self.start()

    @property
    def spec(self) -> Spec:
        """Flow to the frame before; the hidden state and the last output."""
        layers = 2 + 2 * len(self.body)
        return Spec(
            scale=self.scale,
            color="luma",
            past=1,
            inputs=frozenset({"flow"}),
            state={
                "features": StateSpec(self.into.out_channels),
                "output": StateSpec(1, Fraction(self.scale)),
            },
            halo=layers + self.reach,
            exact=False,
        )

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge one frame: see `Upscaler.step`."""
        flow = window.inputs["flow"][:, 0, 0]
        high, state = self._advance(window.middle[:, 0], flow, state)
        return high[:, None], state

    def forward(self, clip: Tensor, flow: Tensor) -> Tensor:
        """Enlarge a whole clip from an empty state.

        Args:
            clip: `(B, T, 1, H, W)`, 0..1.
            flow: `(B, T, N, 2, H, W)`: from each frame to its neighbours, of which only the first,
                the frame before, is used.

        Returns:
            `(B, T, 1, H * scale, W * scale)`, float32.
        """
        state: State = {}
        outputs = []
        for time in range(clip.shape[1]):
            output, state = self._advance(clip[:, time], flow[:, time, 0], state)
            outputs.append(output)
        return torch.stack(outputs, 1)

    def _advance(self, frame: Tensor, flow: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: a frame `(B, 1, H, W)` and its flow to the one before `(B, 2, H, W)`."""
        kind = self.kind(frame.device)
        smooth, sharp = self.interpolate(frame)
        if state:
            hidden = sum_rows(rows(state["features"]), bilinear_taps(flow))[:, : self.hidden]
            before = self.seen_of_last(state["output"], flow, smooth)
        else:
            hidden = torch.zeros(len(smooth), self.hidden, dtype=kind, device=frame.device)
            before = torch.zeros_like(smooth)
        detail = torch.cat((sharp, before), 1).mul_(GAIN).to(kind)
        seen = image_of(torch.cat((detail, hidden), 1), frame.shape)
        x = self.body(F.relu(self.into(seen), inplace=True))
        high = self.add(smooth, self.out(x), frame.shape)
        return high, {"features": x, "output": high}
