"""Swift: the default network. Small, causal, recurrent, luma only.

Our own design, after FRVSR (Sajjadi et al. 2018, "Frame-recurrent video super-resolution": the
previous output, moved along the motion, is an input) and RLSP (Fuoli et al. 2019, "Efficient video
super-resolution through recurrent latent space propagation": so is a hidden state). What differs:

* Motion comes from outside (`ops.flow`), found on the small luma; nothing is learned for it.
* The previous output is moved by whole large pixels: it stays as sharp as it was made.
* The output is bicubic interpolation plus what the network adds. The interpolation and the sum are
  computed in float32 whatever the convolutions run in, so that flat areas keep their code values.
* Convolutions see and make detail, not brightness: differences between the last output and the
  interpolation, and of a frame to its blurred self. That trains several times faster, and rounding
  to bf16 touches small numbers only.
* No frame ahead is seen: with an aligned state it was worth 0.01 to 0.04 dB, and cost a second
  optical flow.

`docs/experiments.md` has the measurements behind these choices.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.models.bicubic import interpolation_kernel
from upreel.models.linear import mirror
from upreel.models.upscaler import Spec, State, StateSpec, Window
from upreel.ops.warp import bilinear_taps, gather_blocks, sum_rows

# Detail, not brightness, is what the convolutions see and make. It is small; this makes it about 1.
_GAIN = 8.0


class Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same."""
        added: Tensor = self.second(F.relu(self.first(x), inplace=True))
        return added.add_(x)


class Swift(nn.Module):
    """See the head of this file."""

    skip: Tensor

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
        super().__init__()
        if hidden > channels:
            raise ValueError(
                f"expected at most {channels} hidden channels of {channels}, found {hidden}"
            )
        self.scale, self.hidden = scale, hidden
        self.into = nn.Conv2d(1 + scale**2 + hidden, channels, 3, padding=1)
        self.body = nn.Sequential(*(Residual(channels) for _ in range(blocks)))
        self.out = nn.Conv2d(channels, scale**2, 3, padding=1)
        self.register_buffer("skip", _filters(scale, phase), persistent=False)
        self._start()

    def _start(self) -> None:
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias if module.bias is not None else module.weight)
                gain = 0.3 if name.endswith("second") else 0.1 if name == "out" else 1.0
                module.weight.data.mul_(gain)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move or convert everything, but keep the interpolation in float32."""
        exact = self.skip
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.skip = exact.to(self.skip.device)
        return self

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
            halo=layers + self.skip.shape[-1] // 2,
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
        batch, _, height, width = frame.shape
        kind = self._kind(frame.device)
        filtered = self._interpolate(frame)
        smooth, sharp = filtered[:, :-1], filtered[:, -1:]
        if state:
            features = sum_rows(_rows(state["features"]), bilinear_taps(flow))
            hidden = features[:, : self.hidden]
            before = _rows(gather_blocks(state["output"], flow, self.scale)) - smooth
        else:
            hidden = torch.zeros(len(smooth), self.hidden, dtype=kind, device=frame.device)
            before = torch.zeros_like(smooth)
        detail = torch.cat((sharp, before), 1).mul_(_GAIN).to(kind)
        seen = torch.cat((detail, hidden), 1).view(batch, height, width, -1)
        x = self.body(F.relu(self.into(seen.permute(0, 3, 1, 2)), inplace=True))
        added = _rows(self.out(x))
        high = self._assemble(torch.add(smooth, added, alpha=1 / _GAIN), frame.shape)
        return high, {"features": x, "output": high}

    def _kind(self, device: torch.device) -> torch.dtype:
        """The type that convolutions run in."""
        if torch.is_autocast_enabled(device.type):
            return torch.get_autocast_dtype(device.type)
        return self.out.weight.dtype

    def _interpolate(self, frame: Tensor) -> Tensor:
        """Filter a frame: one row for each input pixel, float32.

        Returns:
            `(B * H * W, scale**2 + 1)`: the pixel's output block by bicubic interpolation, then
            what the pixel has over the mean of its 5x5 neighbours.
        """
        with torch.autocast(frame.device.type, enabled=False):
            wide = mirror(frame.float(), self.skip.shape[-1] // 2)
            phases = F.conv2d(wide.contiguous(memory_format=torch.channels_last), self.skip)
        return _rows(phases)

    def _assemble(self, rows: Tensor, shape: torch.Size) -> Tensor:
        """Lay output blocks, `(B * H * W, scale**2)`, side by side: `(B, 1, H * s, W * s)`."""
        batch, _, height, width = shape
        blocks = rows.view(batch, height, width, self.scale, self.scale).transpose(2, 3)
        return blocks.reshape(batch, 1, height * self.scale, width * self.scale)


def _rows(image: Tensor) -> Tensor:
    """`(B, C, H, W)` as a table with one row for each pixel; free for channels-last memory."""
    return image.permute(0, 2, 3, 1).reshape(-1, image.shape[1])


def _filters(scale: int, phase: float) -> Tensor:
    """Bicubic interpolation for each output phase, and a high pass: `(scale**2 + 1, 1, K, K)`."""
    cubic = interpolation_kernel(scale, phase=phase)
    size = cubic.shape[-1]
    high_pass = torch.zeros(1, 1, size, size)
    middle = slice(size // 2 - 2, size // 2 + 3)
    high_pass[..., middle, middle] = -1 / 25
    high_pass[..., size // 2, size // 2] += 1
    return torch.cat((cubic, high_pass)).contiguous(memory_format=torch.channels_last)
