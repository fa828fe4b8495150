"""Glide: the default interpolator. Small, luma only, any instant between two frames.

Our own design, after Super SloMo (Jiang et al. 2018, which combines flow there and back into flow
from the new frame) and RIFE (Huang et al. 2022, "Real-time intermediate flow estimation for video
frame interpolation": a network corrects that flow and blends). What differs:

* Motion comes from outside (`ops.flow`), found once on the whole frames, there and back. Both
  neighbours are moved along it first, so that the network has to find only what is left.
* Flow is corrected at a quarter of the resolution, detail at half: convolutions there see far and
  cost little.
* The output is a blend of both neighbours, moved in float32, plus what the network adds. Where
  nothing moves and nothing is added, code values are kept, whatever the convolutions run in.
* Convolutions see detail and differences, not brightness, as those of `swift` do.
* It also tells how wrong it expects to be (`Between.doubt`).

`docs/experiments.md` has the measurements behind these choices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import log

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.models.interpolator import Between, double, flow_at
from upreel.models.swift import Residual
from upreel.models.upscaler import Spec, State, Window
from upreel.ops.warp import warp

_GAIN = 8.0
"""Detail is small; this makes it about 1."""
_REACH = 8.0
"""Pixels of motion that count as 1 for the convolutions."""
_WRONG = 0.1
"""An expected error that is doubt in full: a tenth of the range."""


class Glide(nn.Module):
    """See the head of this file."""

    def __init__(
        self, scale: int = 1, *, channels: int = 64, blocks: int = 2, detail: int = 32
    ) -> None:
        """Build it with random weights that change almost nothing.

        Args:
            scale: 1; frames keep their size.
            channels: of the convolutions that correct flow.
            blocks: residual blocks of two of them.
            detail: channels of the convolutions that blend.
        """
        super().__init__()
        if scale != 1:
            raise ValueError(f"expected a scale of 1, found {scale}")
        self.see = nn.Conv2d(2 * 16 + 6 + 1, channels, 3, padding=1)
        self.body = nn.Sequential(*(Residual(channels) for _ in range(blocks)))
        self.correct = nn.Conv2d(channels, 4 * 4 + channels, 3, padding=1)
        self.look = nn.Conv2d(2 * 4 + channels // 4, detail, 3, padding=1)
        self.mix = Residual(detail)
        self.out = nn.Conv2d(detail, 2 * 4 + 1, 3, padding=1)
        self._start()

    def _start(self) -> None:
        small = {"second": 0.3, "correct": 0.1, "out": 0.1}
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias if module.bias is not None else module.weight)
                module.weight.data.mul_(small.get(name.split(".")[-1], 1.0))

    @property
    def spec(self) -> Spec:
        """Two frames with flow there and back."""
        return Spec(
            scale=1,
            color="luma",
            rate=2,
            future=1,
            inputs=frozenset({"flow", "flow_back"}),
            multiple=4,
            exact=False,
        )

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Make the frame half-way to the next: see `Upscaler.step`."""
        return double(self, window), state

    def between(self, window: Window, instants: Sequence[float]) -> list[Between]:
        """Make frames at instants: see `Interpolator.between`."""
        there, back = window.inputs["flow"][:, 0, 0], window.inputs["flow_back"][:, 0, 0]
        before, after = window.clip[:, -2], window.clip[:, -1]
        there, back = halve(there), halve(back)
        made = [self.make(before, after, there, back, instant) for instant in instants]
        return [replace(each, doubt=(each.doubt / _WRONG).clamp(0, 1)) for each in made]

    def make(
        self, before: Tensor, after: Tensor, there: Tensor, back: Tensor, instant: Tensor | float
    ) -> Between:
        """Make one frame; `doubt` is not clipped.

        Args:
            before: `(B, 1, H, W)`, float32.
            after: same shape.
            there: flow from the first to the second, `(B, 2, h, w)`: one for two by two pixels,
                in pixels.
            back: the same from the second to the first.
            instant: between 0 and 1.
        """
        height, width = before.shape[-2:]
        if height % 4 or width % 4:
            before, after = (_pad(frame, 4) for frame in (before, after))
            there, back = (_pad(flow, 2) for flow in (there, back))
        flow = flow_at(there, back, instant)
        seen = torch.cat((flow.flatten(1, 2), there + back), 1) / _REACH
        moment = torch.zeros_like(seen[:, :1]) + (instant - 0.5)
        seen = F.avg_pool2d(torch.cat((seen, moment), 1), 2)
        x = torch.cat((_differences(*_move(before, after, flow), 4), seen), 1)
        x = self.body(F.relu(self.see(self._convolved(x)), inplace=True))
        found = F.pixel_shuffle(self.correct(x), 2)
        flow = flow + found[:, :4].float().mul(_REACH / 4).view_as(flow)
        first, second = _move(before, after, flow)
        x = torch.cat((self._convolved(_differences(first, second, 2)), found[:, 4:]), 1)
        x = self.out(self.mix(F.relu(self.look(x), inplace=True))).float()
        odds, detail = (F.pixel_shuffle(part, 2) for part in (x[:, :4], x[:, 4:8]))
        weight = torch.sigmoid(odds + _log_odds(instant))
        frame = torch.lerp(second, first, weight) + detail / _GAIN
        doubt = F.softplus(x[:, 8:] - 2)
        parts = (
            frame,
            F.interpolate(flow.flatten(1, 2), scale_factor=2, mode="bilinear"),
            weight,
            F.interpolate(doubt, scale_factor=2, mode="bilinear"),
        )
        frame, wide, weight, doubt = (part[..., :height, :width] for part in parts)
        return Between(frame, wide.reshape(-1, 2, 2, height, width), weight, doubt)

    def _convolved(self, x: Tensor) -> Tensor:
        """As convolutions take it; autocast, where it is on, converts by itself."""
        return x.to(self.out.weight.dtype, memory_format=torch.channels_last)


def halve(flow: Tensor) -> Tensor:
    """Flow for two by two pixels, `(B, 2, ceil(H / 2), ceil(W / 2))`, still in pixels."""
    return F.avg_pool2d(flow, 2, ceil_mode=True)


def _pad(x: Tensor, multiple: int) -> Tensor:
    height, width = x.shape[-2:]
    return F.pad(x, (0, -width % multiple, 0, -height % multiple), "replicate")


def _move(before: Tensor, after: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Both neighbours along flow to them, `(B, 2, 2, h, w)`, half as large."""
    wide = F.interpolate(flow.flatten(1, 2), scale_factor=2, mode="bilinear")
    return warp(before, wide[:, :2]), warp(after, wide[:, 2:])


def _differences(first: Tensor, second: Tensor, side: int) -> Tensor:
    """What two frames show beside brightness: detail of their mean, then how they differ.

    Args:
        first: `(B, 1, H, W)`.
        second: same shape.
        side: of the blocks of pixels that become channels.

    Returns:
        `(B, 2 * side * side, H / side, W / side)`, about 1.
    """
    mean = (first + second) / 2
    detail = mean - F.avg_pool2d(mean, 5, 1, 2, count_include_pad=False)
    return F.pixel_unshuffle(torch.cat((detail, second - first), 1) * _GAIN, side)


def _log_odds(instant: Tensor | float) -> Tensor | float:
    """Of the frame before, where nothing is known but the instant."""
    if isinstance(instant, Tensor):
        return torch.log((1 - instant) / instant)
    return log((1 - instant) / instant)
