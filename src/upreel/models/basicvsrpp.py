"""BasicVSR++: features travel back and forth twice, aligned by deformable convolution.

Source: Chan et al. 2022, "BasicVSR++: improving video super-resolution with enhanced propagation
and alignment"; layers, names of tensors and the first weights as in BasicSR (`rename` of
`models.basicvsr` brings mmagic's names there).

At each frame the features of the two frames before it on the way are brought to it: optical flow
(SPyNet) says roughly from where, what a deformable convolution learned adds to that. The four ways
are backward, forward, backward, forward; each sees what those before it made.

What differs: frames of any size, and the flow of a clip that equals its own reversal is computed
like any other. As for BasicVSR, `step` starts the ways back anew in each window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from upreel.models.basicvsr import (
    SLOPE,
    Tail,
    Trunk,
    Variant,
    Widths,
    blank,
    blocks_of,
    check_scale,
    move,
)
from upreel.models.spynet import SPyNet
from upreel.models.upscaler import Spec, State, StateSpec, Window
from upreel.ops.deform import deform_conv2d

VARIANTS: dict[Variant, Widths] = {"paper": Widths(64, 7), "tiny": Widths(16, 1, 16, 8)}
"""The published size, and one that a CPU can train."""

_WAYS: tuple[Literal["backward_1", "forward_1", "backward_2", "forward_2"], ...] = (
    "backward_1", "forward_1", "backward_2", "forward_2",
)  # fmt: skip
_GROUPS = 16
_TILE = 224  # 320 with what tiles overlap by: 3.2 GB for a window in float32
_REACH = 10.0
"""How far from where the flow points the deformable convolution can look, in pixels."""


class Alignment(nn.Module):
    """Bring the features of two frames to where a third one has them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for planes in (3 * channels + 4, channels, channels):
            layers += [nn.Conv2d(planes, channels, 3, padding=1), nn.LeakyReLU(SLOPE, inplace=True)]
        last = nn.Conv2d(channels, 27 * _GROUPS, 3, padding=1)
        for tensor in last.parameters():
            nn.init.zeros_(tensor)
        self.conv_offset = nn.Sequential(*layers, last)
        like = nn.Conv2d(2 * channels, channels, 3)
        self.weight, self.bias = like.weight, nn.Parameter(torch.zeros(channels))

    def forward(self, pair: Sequence[Tensor], current: Tensor, flows: Sequence[Tensor]) -> Tensor:
        """Align.

        Args:
            pair: features of the frame before and of the one before that, `(B, C, H, W)` each.
            current: features of the frame itself.
            flows: from the frame to each of the two, `(B, 2, H, W)`.

        Returns:
            `(B, C, H, W)`.
        """
        kind = self.weight.dtype
        first, second = (move(x, flow) for x, flow in zip(pair, flows, strict=True))
        hints = torch.cat([x.to(kind) for x in (first, current, second, *flows)], 1)
        found = self.conv_offset(hints).float()
        residue, mask = found.split([18 * _GROUPS, 9 * _GROUPS], 1)
        rough = [flow.flip(1).repeat(1, 9 * _GROUPS // 2, 1, 1) for flow in flows]
        offset = torch.cat(rough, 1) + _REACH * residue.tanh()
        return deform_conv2d(
            torch.cat(list(pair), 1), offset, mask=mask.sigmoid(), weight=self.weight,
            bias=self.bias,
        )  # fmt: skip


class BasicVSRPlusPlus(Tail):
    """See the head of this file. 7,322,927 weights as published."""

    def __init__(
        self,
        scale: int = 4,
        *,
        variant: Variant = "paper",
        features: int | None = None,
        blocks: int | None = None,
        chunk: int = 10,
        future: int = 5,
    ) -> None:
        """Build it with random weights.

        Args:
            scale: 4.
            variant: how large it is.
            features: instead of the variant's; a multiple of 8.
            blocks: instead of the variant's.
            chunk: frames that one step enlarges.
            future: frames that one step sees after these.

        Raises:
            ValueError: there is no such network.
        """
        super().__init__()
        check_scale(scale)
        widths = VARIANTS[variant]
        self.features, self.chunk, self.future = features or widths.features, chunk, future
        blocks, size = widths.blocks if blocks is None else blocks, self.features
        self.spynet = SPyNet(channels=widths.flow)
        self.feat_extract = Trunk(3, size, 5)
        self.deform_align = nn.ModuleDict({way: Alignment(size) for way in _WAYS})
        self.backbone = nn.ModuleDict(
            {way: Trunk((2 + place) * size, size, blocks) for place, way in enumerate(_WAYS)}
        )
        self.reconstruction = Trunk(5 * size, size, 5)
        self.build_tail(size, widths.tail)

    @staticmethod
    def arguments_of(tensors: Mapping[str, Tensor]) -> dict[str, int] | None:
        """What the constructor has to be called with for weights after `rename`, if these fit."""
        if "deform_align.backward_1.weight" not in tensors:
            return None
        return {
            "features": len(tensors["deform_align.backward_1.weight"]),
            "blocks": blocks_of(tensors, "backbone.backward_1"),
        }

    @property
    def spec(self) -> Spec:
        """Two frames before, some after; features of both frames before on both ways forward."""
        return Spec(
            scale=4,
            color="rgb",
            past=2,
            future=self.future,
            step=self.chunk,
            state={way: StateSpec(2 * self.features) for way in _WAYS if "forward" in way},
            exact=False,
            windowed=60.0,
            tile=_TILE,
        )

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge the middle of a window: see `Upscaler.step`."""
        past = window.past if state else 0
        frames = window.clip[:, window.past - past :].unbind(1)
        known = {way: list(value.chunk(2, 1))[2 - past :] for way, value in state.items()}
        ahead = self._flows(frames[past:][::-1])
        behind = self._flows(frames)
        seen = [[self.feat_extract(frame)] for frame in frames[past:]]
        middle = len(seen) - window.future
        after: State = {}
        for way in _WAYS:
            if "backward" in way:
                made = self._travel(way, seen[::-1], ahead, [])[::-1]
            else:
                before = known.get(way, [])
                last = way == _WAYS[-1]
                made = self._travel(way, seen[:middle] if last else seen, behind, before)
                pair = [blank(frames[0], self.features), *before, *made[:middle]][-2:]
                after[way] = torch.cat([x.to(pair[-1].dtype) for x in pair], 1)
            for known_of_frame, features in zip(seen, made, strict=False):
                known_of_frame.append(features)
        high = [
            self.enlarge(self.reconstruction(*parts), frame)
            for parts, frame in zip(seen[:middle], frames[past:], strict=False)
        ]
        return torch.stack(high, 1), after

    def forward(self, clip: Tensor) -> Tensor:
        """Enlarge a whole clip, as published: `(B, T, 3, H, W)` to `(B, T, 3, H * 4, W * 4)`."""
        return self.step(Window(clip), {})[0]

    def _flows(self, frames: Sequence[Tensor]) -> list[Tensor]:
        """From each frame to the one before it in this order; zeros for the first."""
        pairs = zip(frames[1:], frames, strict=False)
        return [blank(frames[0], 2), *(self.spynet(frame, before) for frame, before in pairs)]

    def _travel(
        self,
        way: str,
        seen: Sequence[Sequence[Tensor]],
        flows: Sequence[Tensor],
        before: Sequence[Tensor],
    ) -> list[Tensor]:
        """Go along the frames.

        Args:
            way: which of the four.
            seen: for each frame, its own features and what the ways before made of them.
            flows: of `_flows`, for the frames that `before` belongs to and for these.
            before: features of this way at up to two frames before the first.

        Returns:
            For each frame, the features of this way.
        """
        trail = list(before)
        for parts in seen:
            place = len(trail)
            features = blank(parts[0], self.features).to(parts[0].dtype)
            if place:
                pair, to = [trail[-1], features], [flows[place], torch.zeros_like(flows[place])]
                if place > 1:
                    pair[1] = trail[-2]
                    to[1] = flows[place] + move(flows[place - 1], flows[place])
                features = self.deform_align[way](pair, parts[0], to)
            trail.append(features + self.backbone[way](*parts, features))
        return trail[len(before) :]
