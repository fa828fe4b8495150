"""DFlow: features propagated both ways along flow that is itself propagated from pair to pair.

Source: BMVC 2022, "DFlow"; layers, names of tensors and first weights as in the authors' code
(RSGao/DFlow_BasicSR). Only at both ends of a clip is motion estimated from two frames, by
attention with large kernels; from there each pair's flow follows from the one before it and the
difference of both frames, by a linear map. The trunks distil features densely.

What differs, without changing a value by more than rounding: clips of a single frame and frames
below 15 pixels are enlarged too, and long clips in chunks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.models.basicvsr import TILE, Tail
from upreel.models.upscaler import Spec, State, StateSpec, Window
from upreel.ops.warp import warp

Variant = Literal["paper", "tiny"]

_SMALLEST = 15  # what the pooling of the attention needs


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a network is.

    Attributes:
        channels: of its features; a multiple of 4.
        blocks: in each of the three parts of a trunk.
    """

    channels: int
    blocks: int


VARIANTS: dict[Variant, Sizes] = {"paper": Sizes(64, 2), "tiny": Sizes(16, 1)}
"""The published size, and one that a CPU can train."""


class Gate(nn.Module):
    """Features times a linear function of a neighbourhood of 23 pixels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.conv_spatial = nn.Conv2d(channels, channels, 7, padding=9, dilation=3, groups=channels)
        self.conv1 = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same."""
        y: Tensor = x * self.conv1(self.conv_spatial(self.conv0(x)))
        return y


class LargeKernelAttention(nn.Module):
    """A gate between two convolutions of single pixels, beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.proj_1 = nn.Conv2d(channels, channels, 1)
        self.spatial_gating_unit = Gate(channels)
        self.proj_2 = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same."""
        y: Tensor = x + self.proj_2(self.spatial_gating_unit(F.gelu(self.proj_1(x))))
        return y


class MotionEstimator(nn.Module):
    """Flow between two frames: of their difference, of both, and of their features' difference."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.lka1, self.lka2, self.lka3 = (
            nn.Sequential(LargeKernelAttention(channels), LargeKernelAttention(channels))
            for _ in range(3)
        )
        self.conv1 = nn.Conv2d(3, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(3, channels, 3, padding=1)
        self.conv3 = nn.Conv2d(6, channels, 3, padding=1)
        self.convout = nn.Conv2d(3 * channels, 2, 1)

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """Two frames `(B, 3, H, W)` to `(B, 2, H, W)`: x then y, in pixels."""
        seen = (
            self.lka1(self.conv1(one - other)),
            self.lka2(self.conv3(torch.cat((one, other), 1))),
            self.lka3(self.conv2(one) - self.conv2(other)),
        )
        flow: Tensor = self.convout(torch.cat(seen, 1))
        return flow


class SpatialAttention(nn.Module):
    """Weights for features, found on a small copy of them (RFDN's ESA)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        slim = channels // 2
        self.conv1 = nn.Conv2d(channels, slim, 1)
        self.conv_f = nn.Conv2d(slim, slim, 1)
        self.conv_max = nn.Conv2d(slim, slim, 3, padding=1)
        self.conv2 = nn.Conv2d(slim, slim, 3, stride=2)
        self.conv3 = nn.Conv2d(slim, slim, 3, padding=1)
        self.conv3_ = nn.Conv2d(slim, slim, 3, padding=1)
        self.conv4 = nn.Conv2d(slim, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` of at least 15 pixels to the same."""
        slim = self.conv1(x)
        small = F.max_pool2d(self.conv2(slim), 7, 3)
        small = self.conv3_(F.relu(self.conv3(F.relu(self.conv_max(small)))))
        large = F.interpolate(small, x.shape[-2:], mode="bilinear")
        y: Tensor = x * self.conv4(large + self.conv_f(slim)).sigmoid()
        return y


class DistillationBlock(nn.Module):
    """Three residual convolutions that each leave a part of what they see behind (RFDN's RFDB)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        slim = channels // 2
        self.c1_d, self.c2_d, self.c3_d = (nn.Conv2d(channels, slim, 1) for _ in range(3))
        self.c1_r, self.c2_r, self.c3_r = (
            nn.Conv2d(channels, channels, 3, padding=1) for _ in range(3)
        )
        self.c4 = nn.Conv2d(channels, slim, 3, padding=1)
        self.c5 = nn.Conv2d(4 * slim, channels, 1)
        self.esa = SpatialAttention(channels)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same."""
        seen, left = x, []
        for leave, refine in (
            (self.c1_d, self.c1_r),
            (self.c2_d, self.c2_r),
            (self.c3_d, self.c3_r),
        ):
            left.append(_bend(leave(seen)))
            seen = _bend(refine(seen) + seen)
        left.append(_bend(self.c4(seen)))
        y: Tensor = self.esa(self.c5(torch.cat(left, 1))) + x
        return y


class Trunk(nn.Module):
    """Blocks in three parts, before each of which a part of the features is kept for the end."""

    def __init__(self, channels_in: int, channels: int, blocks: int) -> None:
        super().__init__()
        widths = [channels * quarters // 4 for quarters in (3, 2, 1)]
        self.inconv = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.r1, self.r2, self.r3 = (
            nn.Sequential(*(DistillationBlock(channels) for _ in range(blocks))) for _ in range(3)
        )
        self.conv1, self.conv2, self.conv3 = (nn.Conv2d(channels, wide, 1) for wide in widths)
        self.fusion = nn.Conv2d(channels + sum(widths), channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, channels_in, H, W)` to `(B, C, H, W)`."""
        x = _bend(self.inconv(x.to(self.inconv.weight.dtype)))
        one = self.r1(x)
        two = self.r2(one)
        seen = (self.r3(two), self.conv1(x), self.conv2(one), self.conv3(two))
        y: Tensor = self.fusion(torch.cat(seen, 1)) + x
        return y


class DFlow(Tail):
    """See the head of this file."""

    def __init__(
        self, scale: int = 4, *, variant: Variant = "paper", chunk: int = 14, future: int = 7
    ) -> None:
        """Build it with random weights.

        Args:
            scale: 4.
            variant: how large it is.
            chunk: how many frames of a long clip are enlarged at a time.
            future: how many more the way back begins with.

        Raises:
            ValueError: there is no such network.
        """
        super().__init__()
        if scale != 4:
            raise ValueError(f"expected a scale of 4, found {scale}")
        sizes = VARIANTS[variant]
        channels = self.channels = sizes.channels
        self.chunk, self.future = chunk, future
        self.createflowf, self.createflowb = (MotionEstimator(channels) for _ in range(2))
        self.flowconv1, self.flowconv2 = (nn.Conv2d(channels, 2, 1) for _ in range(2))
        self.flowconv31, self.flowconv32 = (nn.Conv2d(5, channels, 3, padding=1) for _ in range(2))
        self.backward_trunk = Trunk(3 + channels, channels, sizes.blocks)
        self.forward_trunk = Trunk(3 + 2 * channels, channels, sizes.blocks)
        self.fusion = nn.Conv2d(2 * channels, channels, 1)
        self.build_tail(channels, channels)

    @staticmethod
    def arguments_of(tensors: Mapping[str, Tensor]) -> dict[str, int | str | bool] | None:
        """What the constructor has to be called with for weights after `rename`, if these fit."""
        last = tensors.get("createflowf.convout.weight")
        if last is None or last.shape[1] != 3 * VARIANTS["paper"].channels:
            return None
        return {"scale": 4, "variant": "paper"}

    @property
    def spec(self) -> Spec:
        """Chunks that see a few frames ahead. The features and the flow of the last frame go on.

        On three real clips, with a `tiny` of 300 steps, chunks differ from the whole by 77 to 87 dB
        (the worst frame: 76), and by less than 0.001 dB in PSNR; with 3 frames ahead by 73 and 81.
        """
        return Spec(
            scale=4,
            color="rgb",
            past=1,
            future=self.future,
            step=self.chunk,
            state={"features": StateSpec(self.channels), "flow": StateSpec(2)},
            exact=False,
            windowed=60.0,
            tile=TILE,
        )

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge the middle of a window: see `Upscaler.step`."""
        past = window.past if state else 0
        clip = window.clip[:, window.past - past :]
        keep = clip.shape[1] - past - window.future
        high, _, state = self._propagate(clip, state, past=past, keep=keep)
        return high, state

    def forward(self, clip: Tensor) -> Tensor:
        """Enlarge a whole clip: `(B, T, 3, H, W)` to `(B, T, 3, 4 * H, 4 * W)`, float32."""
        return self.enlarge_with_motion(clip)[0]

    def enlarge_with_motion(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        """Enlarge a whole clip, and tell along which flow: see `FindsMotion`."""
        high, motion, _ = self._propagate(clip, {}, past=0, keep=clip.shape[1])
        return high, motion

    def _propagate(
        self, clip: Tensor, state: State, *, past: int, keep: int
    ) -> tuple[Tensor, Tensor, State]:
        """Enlarge `keep` frames after the `past` ones, of which there is one where a state is."""
        height, width = clip.shape[-2:]
        state = {name: _fill(value) for name, value in state.items()}
        seen = [_fill(frame.float()) for frame in clip.unbind(1)]
        later, back = self._go_back(seen[past:], keep)
        features = state.get("features", torch.zeros_like(later[0]))
        flow = state.get("flow", torch.zeros_like(back[0]))
        high, there = [], []
        for time in range(keep):
            place = time + past
            if place:
                flow = self._advance(seen, place, flow, known=bool(state) or place > 1)
                features = _move(features, flow)
            there.append(flow)
            features = self.forward_trunk(torch.cat((seen[place], features, later[time]), 1))
            fused = _bend(self.fusion(torch.cat((later[time], features), 1)))
            high.append(self.enlarge(fused, seen[place]))
        motion = torch.stack([torch.stack(pair, 1) for pair in zip(there, back, strict=True)], 1)
        state = {"features": features[..., :height, :width], "flow": flow[..., :height, :width]}
        large = torch.stack(high, 1)[..., : 4 * height, : 4 * width]
        return large, motion[..., :height, :width], state

    def _go_back(self, seen: list[Tensor], keep: int) -> tuple[list[Tensor], list[Tensor]]:
        """Features of each of the first frames and all after it, and the flow to the next."""
        last = len(seen) - 1
        flow = seen[0].new_zeros(len(seen[0]), 2, *seen[0].shape[-2:])
        features = seen[0].new_zeros(len(seen[0]), self.channels, *seen[0].shape[-2:])
        made, flows = list[Tensor](), list[Tensor]()
        for time in range(last, -1, -1):
            if time < last:
                flow = self._retreat(seen, time, flow)
                features = _move(features, flow)
            features = self.backward_trunk(torch.cat((seen[time], features), 1))
            made, flows = [features, *made[: keep - 1]], [flow, *flows[: keep - 1]]
        return made, flows

    def _retreat(self, seen: list[Tensor], place: int, flow: Tensor) -> Tensor:
        """Flow of a frame to the one after, from the flow of that one unless it is the last."""
        now, after = seen[place], seen[place + 1]
        if place == len(seen) - 2:
            return _estimate(self.createflowb, now, after)
        return _follow(self.flowconv31, self.flowconv1, now - after, flow)

    def _advance(self, seen: list[Tensor], place: int, flow: Tensor, *, known: bool) -> Tensor:
        """Flow of a frame to the one before, from the flow of that one if it is known."""
        now, before = seen[place], seen[place - 1]
        if not known:
            return _estimate(self.createflowf, now, before)
        return _follow(self.flowconv32, self.flowconv2, now - before, flow)


def rename(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The keys of `DFlow` for those of its authors: the same, but where GPUs were many."""
    return {key.removeprefix("module."): value for key, value in tensors.items()}


def _bend(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.1)


def _move(features: Tensor, flow: Tensor) -> Tensor:
    return warp(features.float(), flow, outside="zeros").to(features.dtype)


def _estimate(network: MotionEstimator, one: Tensor, other: Tensor) -> Tensor:
    kind = network.convout.weight.dtype
    flow: Tensor = network(one.to(kind), other.to(kind))
    return flow.float()


def _follow(mix: nn.Conv2d, into: nn.Conv2d, change: Tensor, flow: Tensor) -> Tensor:
    """The flow of a pair, from that of the pair before it and what changed: a linear map."""
    found: Tensor = into(mix(torch.cat((change, flow), 1).to(mix.weight.dtype)))
    return found.float()


def _fill(frames: Tensor) -> Tensor:
    """Repeat the last row and column of `(B, C, H, W)` until there are enough of them."""
    rows, columns = (max(0, _SMALLEST - side) for side in frames.shape[-2:])
    return F.pad(frames, (0, columns, 0, rows), mode="replicate") if rows or columns else frames
