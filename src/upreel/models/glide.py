"""Glide: the default interpolator. Small, luma only, any instant between two frames.

Our own design. Motion comes from outside (`ops.flow`). From it several guesses are made of where a
pixel of the new frame comes from, and a network weighs what they show: flow there and back, mixed
in place (Jiang et al. 2018, "Super SloMo"), and flow followed from either side to the instant, all
with the acceleration that the frames around tell of (Xu et al. 2019, "Quadratic video
interpolation"). What differs:

* No guess is the truth. Both neighbours are moved along each, and where they then differ, it is
  wrong: that is what the weights begin with, before anything is learned.
* A network at a quarter of the resolution sees all guesses and adds one of its own; another, at
  half, weighs them, says which neighbour hides a pixel, and adds detail. Nothing is learned that
  the guesses know.
* Neighbours are moved and mixed in float32. Where nothing moves and nothing is added, code values
  are kept, whatever the convolutions run in.
* Convolutions see detail and differences, not brightness, as those of `swift` do.
* It also tells how wrong it expects to be (`Between.doubt`).

`docs/experiments.md` has the measurements behind these choices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import log
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.models.detail import GAIN, Residual
from upreel.models.interpolator import Between, double, flow_at
from upreel.models.upscaler import Spec, State, Window
from upreel.ops.warp import warp

_REACH = 8.0
"""Pixels of motion that count as 1 for the convolutions."""
_SHARP = 32.0
"""What a guess loses in weight, in logits, where the neighbours differ by the whole range."""
_WRONG = 0.1
"""An expected error that is doubt in full: a tenth of the range."""
_GUESSES = 3
_STEPS = 3
"""In which flow is followed to the instant."""


class Motion(NamedTuple):
    """Flow at half of the resolution, `(B, 2, h, w)` each, in whole pixels.

    Attributes:
        there: from the frame before to the one after.
        back: from the frame after to the one before.
        past: from the frame before to the one before that; `-there` where there is none.
        beyond: from the frame after to the one after that; `-back` where there is none.
    """

    there: Tensor
    back: Tensor
    past: Tensor
    beyond: Tensor


class Glide(nn.Module):
    """See the head of this file."""

    def __init__(
        self, scale: int = 1, *, channels: int = 64, blocks: int = 2, detail: int = 32
    ) -> None:
        """Build it with random weights, but for those of what it makes: it begins with nothing.

        Args:
            scale: 1; frames keep their size.
            channels: of the convolutions that make a guess.
            blocks: residual blocks of two of them.
            detail: channels of the convolutions that weigh and blend.
        """
        super().__init__()
        if scale != 1:
            raise ValueError(f"expected a scale of 1, found {scale}")
        seen = 16 * (_GUESSES + 1) + _GUESSES * 5 + 1
        self.see = nn.Conv2d(seen, channels, 3, padding=1)
        self.body = nn.Sequential(*(Residual(channels) for _ in range(blocks)))
        self.guess = nn.Conv2d(channels, 4 + channels // 4, 3, padding=1)
        self.look = nn.Conv2d(4 * (_GUESSES + 2) + channels // 4, detail, 3, padding=1)
        self.mix = Residual(detail)
        self.out = nn.Conv2d(detail, _GUESSES + 1 + 3, 3, padding=1)
        self._start()

    def _start(self) -> None:
        small = {"second": 0.3, "guess": 0.0, "out": 0.0}
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias if module.bias is not None else module.weight)
                module.weight.data.mul_(small.get(name.split(".")[-1], 1.0))

    @property
    def spec(self) -> Spec:
        """Flow between two frames, there and back, and from them to those around."""
        return Spec(
            scale=1,
            color="luma",
            rate=2,
            past=1,
            future=2,
            inputs=frozenset({"flow_along"}),
            flow="dis-half",
            multiple=4,
            exact=False,
        )

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Make the frame half-way to the next: see `Upscaler.step`."""
        return double(self, window), state

    def between(self, window: Window, instants: Sequence[float]) -> list[Between]:
        """Make frames at instants: see `Interpolator.between`."""
        at, along = window.past, window.inputs["flow_along"]
        there, back = along[:, at, 0], along[:, at, 1]
        past = along[:, at - 1, 1] if window.past else -there
        beyond = along[:, at + 1, 0] if window.future > 1 else -back
        flows = Motion(*map(halve, (there, back, past, beyond)))
        before, after = window.clip[:, at], window.clip[:, at + 1]
        made = [self.make(before, after, flows, instant) for instant in instants]
        return [replace(each, doubt=(each.doubt / _WRONG).clamp(0, 1)) for each in made]

    def forward(self, clip: Tensor, flow: Tensor, rate: int = 2) -> Tensor:
        """Make the frames between those of a whole clip: see `Doubts.make_with_doubt`."""
        return self.make_with_doubt(clip, flow, rate)[0]

    def make_with_doubt(self, clip: Tensor, flow: Tensor, rate: int) -> tuple[Tensor, Tensor]:
        """The same, and how wrong they may be: see `Doubts.make_with_doubt`."""
        there, back = flow[:, :-1, 1], flow[:, 1:, 0]
        past = torch.cat((-there[:, :1], flow[:, 1:-1, 0]), 1)
        beyond = torch.cat((flow[:, 1:-1, 1], -back[:, -1:]), 1)
        flows = Motion(*(halve(each.flatten(0, 1)) for each in (there, back, past, beyond)))
        before, after = (each.flatten(0, 1) for each in (clip[:, :-1], clip[:, 1:]))
        made = [self.make(before, after, flows, at / rate) for at in range(1, rate)]
        frames = torch.stack((before, *(each.frame for each in made)), 1)
        doubt = torch.stack((torch.zeros_like(before), *(each.doubt for each in made)), 1)
        ends = (clip[:, -1:], torch.zeros_like(clip[:, -1:]))
        frames, doubt = (
            torch.cat((each.reshape(len(clip), -1, *clip.shape[2:]), end), 1)
            for each, end in zip((frames, doubt), ends, strict=True)
        )
        return frames, doubt

    def make(
        self, before: Tensor, after: Tensor, flows: Motion, instant: Tensor | float
    ) -> Between:
        """Make one frame; its `doubt` is the error expected, in the units of a frame.

        Args:
            before: `(B, 1, H, W)`, float32.
            after: same shape.
            flows: between them.
            instant: between 0 and 1; one for all, or `(B, 1, 1, 1)`.
        """
        height, width = before.shape[-2:]
        if height % 4 or width % 4:
            before, after = (_pad(frame, 4) for frame in (before, after))
            flows = Motion(*(_pad(flow, 2) for flow in flows))
        guesses = guess(flows, instant)
        pairs = [_move(before, after, each) for each in guesses]
        misfits = [first - second for first, second in pairs]
        odds = [-_SHARP * _smooth(F.avg_pool2d(misfit.abs(), 2)) for misfit in misfits]
        own, context = self._guess(guesses, pairs, misfits, odds, instant)
        pairs.append(_move(before, after, own))
        misfits.append(pairs[-1][0] - pairs[-1][1])
        odds.append(-_SHARP * _smooth(F.avg_pool2d(misfits[-1].abs(), 2)))
        seen = torch.cat((_detail(pairs[-1]), *misfits), 1) * GAIN
        x = self._convolved(torch.cat((F.pixel_unshuffle(seen, 2), context), 1))
        x = _blur(self.out(self.mix(F.relu(self.look(x), inplace=True))).float())
        count = _GUESSES + 1
        shares = F.softmax(torch.cat(odds, 1) + x[:, :count], 1)
        side, soft = _enlarge(x[:, count:-1]).chunk(2, 1)
        weight = torch.sigmoid(side + _log_odds(instant))
        wide = _enlarge(shares)
        first, second = (torch.zeros_like(side) for side in pairs[0])
        for share, (near, far) in zip(wide.chunk(count, 1), pairs, strict=True):
            first, second = torch.addcmul(first, share, near), torch.addcmul(second, share, far)
        frame = torch.lerp(second, first, weight)
        frame = torch.lerp(frame, _blur(frame), torch.sigmoid(soft - 3))
        flow = _weigh([*guesses, own], shares)
        doubt = _enlarge(F.softplus(x[:, -1:] - 2))
        parts = (frame, _enlarge(flow.flatten(1, 2)), weight, doubt)
        frame, along, weight, doubt = (part[..., :height, :width] for part in parts)
        return Between(frame, along.reshape(-1, 2, 2, height, width), weight, doubt)

    def _guess(
        self,
        guesses: Sequence[Tensor],
        pairs: Sequence[tuple[Tensor, Tensor]],
        misfits: Sequence[Tensor],
        odds: Sequence[Tensor],
        instant: Tensor | float,
    ) -> tuple[Tensor, Tensor]:
        """The network's own guess, and what it knows, both at half of the resolution."""
        shares = F.softmax(torch.cat(list(odds), 1), 1)
        best = _weigh(guesses, shares)
        motion = torch.cat(list(guesses), 1).flatten(1, 2) / _REACH
        moment = torch.zeros_like(shares[:, :1]) + (instant - 0.5)
        coarse = F.avg_pool2d(torch.cat((motion, shares, moment), 1), 2)
        fine = F.pixel_unshuffle(torch.cat((_detail(pairs[0]), *misfits), 1) * GAIN, 4)
        x = F.relu(self.see(self._convolved(torch.cat((fine, coarse), 1))), inplace=True)
        found = _enlarge(self.guess(self.body(x)).float())
        return best + (found[:, :4] * (_REACH / 4)).view_as(best), found[:, 4:]

    def _convolved(self, x: Tensor) -> Tensor:
        """As convolutions take it; autocast, where it is on, converts by itself."""
        return x.to(self.out.weight.dtype, memory_format=torch.channels_last)


def halve(flow: Tensor) -> Tensor:
    """Flow for two by two pixels, `(B, 2, ceil(H / 2), ceil(W / 2))`, still in pixels."""
    return F.avg_pool2d(flow, 2, ceil_mode=True)


def guess(flows: Motion, instant: Tensor | float) -> list[Tensor]:
    """Flow from a frame between two to both, guessed in several ways.

    With `f` the flow there and `p` the flow to the frame before that, a pixel of the frame before
    whose motion changes evenly is at `t f + (t**2 - t) (f + p) / 2` at the instant `t`. The frame
    after tells of the change too; the mean of both is taken.

    Args:
        flows: between the two.
        instant: `t`, between 0 and 1.

    Returns:
        `(B, 2, 2, h, w)` each: to the frame before, to the one after. Flow there and back mixed in
        place; followed from the frame before; followed from the frame after.
    """
    there, back, past, beyond = flows
    rest = 1 - instant
    mixed = flow_at(there, back, instant)
    share = (instant * instant - instant) / 4
    change = _at_half(share * (there + past), mixed[:, 0])
    change = (change + _at_half(share * (back + beyond), mixed[:, 1]))[:, None]
    near, far = _source(instant * there), _source(rest * back)
    followed = (
        torch.stack((near, -near * (rest / instant)), 1),
        torch.stack((-far * (instant / rest), far), 1),
    )
    return [each - change for each in (mixed, *followed)]


def _source(motion: Tensor) -> Tensor:
    """Flow from where pixels come to, to where they come from, by fixed-point iteration."""
    flow = -motion
    for _ in range(_STEPS):
        flow = -_at_half(motion, flow)
    return flow


def _at_half(image: Tensor, flow: Tensor) -> Tensor:
    """Warp at half of the resolution by flow in whole pixels."""
    return warp(image, flow / 2)


def _enlarge(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear")


def _smooth(x: Tensor) -> Tensor:
    """The mean of 5x5 pixels."""
    return _box(x, 5)


def _blur(x: Tensor) -> Tensor:
    """The mean of 3x3 pixels."""
    return _box(x, 3)


def _box(x: Tensor, side: int) -> Tensor:
    """The mean of squares of pixels, by adding moved images: `avg_pool2d` is slow on a CPU."""
    height, width = x.shape[-2:]
    wide = F.pad(x, (side // 2,) * 4, "replicate")
    rows = wide[..., :width].clone()
    for step in range(1, side):
        rows += wide[..., step : step + width]
    both = rows[..., :height, :].clone()
    for step in range(1, side):
        both += rows[..., step : step + height, :]
    return both / side**2


def _weigh(flows: Sequence[Tensor], shares: Tensor) -> Tensor:
    """The mean of flows by their shares, `(B, N, h, w)`."""
    return torch.einsum("bnfchw,bnhw->bfchw", torch.stack(list(flows), 1), shares)


def _pad(x: Tensor, multiple: int) -> Tensor:
    height, width = x.shape[-2:]
    return F.pad(x, (0, -width % multiple, 0, -height % multiple), "replicate")


def _move(before: Tensor, after: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Both neighbours along flow to them, `(B, 2, 2, h, w)`, half as large."""
    wide = _enlarge(flow.flatten(1, 2))
    return (
        warp(before, wide[:, :2], kernel="cubic"),
        warp(after, wide[:, 2:], kernel="cubic"),
    )


def _detail(pair: tuple[Tensor, Tensor]) -> Tensor:
    """What the mean of both shows beside the brightness around."""
    mean = (pair[0] + pair[1]) / 2
    return mean - _smooth(mean)


def _log_odds(instant: Tensor | float) -> Tensor | float:
    """Of the frame before, where nothing is known but the instant."""
    if isinstance(instant, Tensor):
        return torch.log((1 - instant) / instant)
    return log((1 - instant) / instant)
