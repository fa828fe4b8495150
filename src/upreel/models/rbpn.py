"""RBPN: recurrent back-projection over the neighbours of a frame. iSeeBetter's generator too.

Source: Haris et al. 2019, "Recurrent back-projection network for video super-resolution"; layers,
names of tensors and the first weights as in the authors' PyTorch code (alterzero/RBPN-PyTorch).
What differs, without changing a value by more than rounding:

* The first convolution sees the frame, a neighbour and the flow between them at once. It is a sum
  of three, so the frame's part is computed once for all neighbours, and each neighbour's part once
  for all frames that look at it: it is carried in the state.
* The last layer is summed up neighbour by neighbour, so that large features of one neighbour only
  are held at a time; and the low features that nothing follows are not computed.
* Pixels become features, and features pixels, in float32 whatever the rest runs in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.errors import UsageError
from upreel.models.dbpn import (
    ConvBlock,
    DeconvBlock,
    DownBlock,
    UpBlock,
    enter,
    scale_of,
    start,
    steps_of,
)
from upreel.models.pixels import PLANES, exactly, interpolate, tile_of, type_of
from upreel.models.upscaler import Color, Spec, State, StateSpec, Window
from upreel.ops.flow import FlowProvider

Border = Literal["replicate", "reflect", "shift"]
"""What takes the place of a neighbour that a scene does not have.

* `replicate`: the frame itself, with no motion, as published.
* `reflect`: the neighbour as far on the other side of the scene's border, if it is in the window.
* `shift`: the next neighbours on the side that has them. The window is twice as wide for it.
"""

Variant = Literal["paper", "tiny"]

# Detail is small; this makes it about 1.
_GAIN = 8.0


@dataclass(frozen=True, slots=True)
class Widths:
    """How large a network is.

    Attributes:
        features: channels of low features of a frame and its neighbours (the paper's c_l and c_m).
        channels: of the back-projection (its c_h).
        blocks: residual blocks of each part.
    """

    features: int
    channels: int
    blocks: int


VARIANTS: dict[Variant, Widths] = {"paper": Widths(256, 64, 5), "tiny": Widths(64, 16, 1)}
"""The published size, and one that a CPU can train."""


class ResnetBlock(nn.Module):
    """Two convolutions beside a shortcut; one slope serves between them and after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.act = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same."""
        y: Tensor = self.act(x + self.conv2(self.act(self.conv1(x))))
        return y


class BackProjection(nn.Module):
    """The single-image part: DBPN with three stages that are not dense."""

    def __init__(self, features: int, channels: int, scale: int) -> None:
        super().__init__()
        self.feat1 = ConvBlock(features, channels, 1)
        self.up1, self.up2, self.up3 = (UpBlock(channels, scale) for _ in range(3))
        self.down1, self.down2 = (DownBlock(channels, scale) for _ in range(2))
        self.output = ConvBlock(3 * channels, channels, 1, act=False)

    def forward(self, low: Tensor) -> Tensor:
        """`(B, features, H, W)` to `(B, channels, H * scale, W * scale)`."""
        high1 = self.up1(self.feat1(low))
        high2 = self.up2(self.down1(high1))
        high3 = self.up3(self.down2(high2))
        high: Tensor = self.output(torch.cat((high3, high2, high1), 1))
        return high


class RBPN(nn.Module):
    """See the head of this file."""

    def __init__(
        self,
        scale: int = 4,
        *,
        variant: Variant = "paper",
        frames: int = 7,
        future: bool = True,
        color: Color = "rgb",
        residual: bool = False,
        detail: bool = False,
        border: Border = "replicate",
        flow: FlowProvider = "variational",
        trunk: int | None = None,
        features: int | None = None,
        channels: int | None = None,
        blocks: int | None = None,
    ) -> None:
        """Build it with random weights.

        Args:
            scale: 1, 2, 3, 4 or 8.
            variant: how large it is.
            frames: that it looks at, the one to enlarge among them; 2 or more.
            future: whether the neighbours lie on both sides, in the order of time (of an even
                number of frames, one more before); or all before, the nearest first.
            color: what its frames are.
            residual: whether the interpolated frame is added.
            detail: whether it sees and makes detail only, which it then learns much sooner: what
                a pixel has over the mean of its 5x5 neighbours, 8 times larger. For `residual`.
            border: what takes the place of neighbours that a scene does not have.
            flow: what finds the optical flow.
            trunk: how many times larger it works inside, for a scale of 1: with 2, large features
                are folded back to the size of the frame.
            features: instead of the variant's.
            channels: instead of the variant's.
            blocks: instead of the variant's.

        Raises:
            ValueError: there is no such network.
        """
        super().__init__()
        if frames < 2:
            raise ValueError(f"expected at least 2 frames, found {frames}")
        if trunk not in {None, scale} and scale != 1:
            raise ValueError(f"expected a trunk for a scale of 1 only, found {trunk} at {scale}")
        if detail and not residual:
            raise ValueError("expected residual = true for a network that makes detail only")
        widths = VARIANTS[variant]
        self.scale, self.color, self.residual, self.border = scale, color, residual, border
        self.gain = _GAIN if detail else None
        self.provider: FlowProvider = flow
        self.features, self.channels = features or widths.features, channels or widths.channels
        self.past = frames // 2 if future else frames - 1
        self.future = frames - 1 - self.past
        self._build(PLANES[color], trunk or scale, widths.blocks if blocks is None else blocks)
        start(self)
        if residual:  # begin close to what is added to
            self.output.conv.weight.data.mul_(0.1)

    def _build(self, planes: int, trunk: int, blocks: int) -> None:
        wide, slim, steps = self.features, self.channels, steps_of(trunk)
        self.feat0 = ConvBlock(planes, wide, 3, padding=1)
        self.feat1 = ConvBlock(2 * planes + 2, wide, 3, padding=1)
        self.DBPN = BackProjection(wide, slim, trunk)
        self.res_feat1 = nn.Sequential(
            *(ResnetBlock(wide) for _ in range(blocks)), DeconvBlock(wide, slim, *steps)
        )
        self.res_feat2 = nn.Sequential(
            *(ResnetBlock(slim) for _ in range(blocks)), ConvBlock(slim, slim, 3, padding=1)
        )
        self.res_feat3 = nn.Sequential(
            *(ResnetBlock(slim) for _ in range(blocks)), ConvBlock(slim, wide, *steps)
        )
        neighbours = self.past + self.future
        fold = steps if trunk != self.scale else (3, 1, 1)
        self.output = ConvBlock(neighbours * slim, planes, *fold, act=False)

    @staticmethod
    def arguments_of(tensors: Mapping[str, Tensor]) -> dict[str, int | str | bool] | None:
        """What the constructor has to be called with for published weights, if these are such.

        They do not tell whether the neighbours lie on both sides; those that are published do.
        """
        if not {"DBPN.up1.up_conv1.deconv.weight", "output.conv.weight"} <= tensors.keys():
            return None
        up, last = tensors["DBPN.up1.up_conv1.deconv.weight"], tensors["output.conv.weight"]
        trunk = scale_of(up)
        found: dict[str, int | str | bool] = {
            "scale": 1 if last.shape[-1] > 3 else trunk,
            "frames": last.shape[1] // len(up) + 1,
            "color": "luma" if len(last) == 1 else "rgb",
            "features": len(tensors["feat0.conv.weight"]),
            "channels": len(up),
            "blocks": next(n for n in count() if f"res_feat2.{n}.conv1.weight" not in tensors),
        }
        return found if found["scale"] == trunk else found | {"trunk": trunk}

    @property
    def spec(self) -> Spec:
        """Flow to all neighbours. What a pixel depends on reaches far, and fades."""
        past, future = self.past, self.future
        if self.border == "shift":
            past = future = self.past + self.future
        return Spec(
            scale=self.scale,
            color=self.color,
            past=past,
            future=future,
            inputs=frozenset({"flow"}),
            flow=self.provider,
            state={"neighbours": StateSpec(self.features * (past + future), cache=True)},
            exact=False,
            tile=tile_of(self.channels, self.scale),
        )

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge one frame: see `Upscaler.step`."""
        spec, frame = self.spec, window.middle[:, 0]
        seen = self._see(window, state, spec)
        flow = window.inputs["flow"][:, 0]
        still = torch.zeros_like(flow[:, 0])
        offsets = fill_borders(
            self._wanted, before=window.past, after=window.future, border=self.border
        )
        image = self._enlarge(
            frame,
            [seen[offset] for offset in offsets],
            [flow[:, _slot(offset, spec.past)] if offset else still for offset in offsets],
        )
        missing = torch.zeros_like(seen[0])
        kept = [seen.get(offset, missing) for offset in range(1 - spec.past, spec.future + 1)]
        return image[:, None], {"neighbours": torch.cat(kept, 1)}

    def _see(self, window: Window, state: State, spec: Spec) -> dict[int, Tensor]:
        """What the first convolution makes of each frame of a window as a neighbour, by offset.

        The state has those of the frames that the step before saw.
        """
        seen = dict[int, Tensor]()
        if state:
            before = torch.split(state["neighbours"], self.features, 1)
            seen = {slot - spec.past: before[slot] for slot in range(len(before))}
        return {
            offset: seen[offset] if offset in seen else self._glance(window.clip[:, place])
            for place, offset in enumerate(range(-window.past, window.future + 1))
        }

    def forward(self, clip: Tensor, flow: Tensor) -> Tensor:
        """Enlarge all frames of a clip that have all their neighbours.

        Args:
            clip: `(B, T, C, H, W)`, 0..1.
            flow: `(B, T, past + future, 2, H, W)`: see `Window.inputs`.

        Returns:
            `(B, T - past - future, C, H * scale, W * scale)`, float32.

        Raises:
            UsageError: the clip is too short.
        """
        spec = self.spec
        middle = slice(spec.past, clip.shape[1] - spec.future)
        number = middle.stop - middle.start
        if number < 1:
            raise UsageError(
                f"expected at least {spec.past + 1 + spec.future} frames for a network that looks "
                f"at {spec.past} before and {spec.future} after, found {clip.shape[1]}"
            )
        glances = self._glance(clip.flatten(0, 1))
        seen = glances.view(*clip.shape[:2], *glances.shape[1:])
        image = self._enlarge(
            clip[:, middle].flatten(0, 1),
            [seen[:, spec.past + o : spec.past + o + number].flatten(0, 1) for o in self._wanted],
            [flow[:, middle, _slot(o, spec.past)].flatten(0, 1) for o in self._wanted],
        )
        return image.view(len(clip), number, *image.shape[1:])

    @property
    def _wanted(self) -> list[int]:
        """The neighbours in the order that the network takes them in."""
        offsets = [*range(-self.past, 0), *range(1, self.future + 1)]
        return offsets if self.future else offsets[::-1]

    def _glance(self, frames: Tensor) -> Tensor:
        """The neighbour's part of the first convolution of `(B, C, H, W)`."""
        part = exactly(self.feat1.conv, self._look(frames), channels=self._parts[1], biased=False)
        return part.to(type_of(self.feat1.conv, frames.device))

    def _look(self, frames: Tensor) -> Tensor:
        """What the network sees of frames: all of it, or their detail."""
        if self.gain is None:
            return frames
        blurred = F.avg_pool2d(frames.float(), 5, stride=1, padding=2, count_include_pad=False)
        return self.gain * (frames - blurred)

    @property
    def _parts(self) -> tuple[slice, slice, slice]:
        """The channels that the first convolution sees of a frame, a neighbour, and their flow."""
        planes = PLANES[self.color]
        return slice(planes), slice(planes, 2 * planes), slice(2 * planes, None)

    def _enlarge(
        self, frame: Tensor, neighbours: Sequence[Tensor], flows: Sequence[Tensor]
    ) -> Tensor:
        """Enlarge `(B, C, H, W)` with what `_glance` made of each neighbour, and its flow."""
        first, last = self.feat1, self.output.conv
        own, _, motion = self._parts
        sight = self._look(frame)
        pixels = exactly(first.conv, sight, channels=own)
        low, parts = enter(self.feat0, sight), list[Tensor]()
        for place, (neighbour, flow) in enumerate(zip(neighbours, flows, strict=True)):
            seen = pixels + exactly(first.conv, flow, channels=motion, biased=False)
            single = self.DBPN(low)
            several = self.res_feat1(first.act(neighbour + seen.to(neighbour.dtype)))
            high = single + self.res_feat2(single - several)
            part = slice(place * self.channels, (place + 1) * self.channels)
            parts.append(exactly(last, high, channels=part, biased=not place))
            if place + 1 < len(neighbours):
                low = self.res_feat3(high)
        image = torch.stack(parts).sum(0)
        if not self.residual:
            return image
        return interpolate(frame, self.scale) + image / (self.gain or 1)


def fill_borders(wanted: Sequence[int], *, before: int, after: int, border: Border) -> list[int]:
    """Which neighbours a network gets where its scene does not have all that it wants.

    Args:
        wanted: offsets in the order of the network.
        before: frames of the scene before the one to enlarge, as far as the window shows them.
        after: frames after it.
        border: what takes the place of missing ones.

    Returns:
        As many offsets; 0 is the frame itself.
    """
    if border == "shift":
        first = max(min(wanted), -before)
        last = min(first + len(wanted), after)
        first = max(last - len(wanted), -before)
        found = [offset for offset in range(first, last + 1) if offset]
        if max(wanted) < 0:
            found.sort(key=abs)
        return found + [0] * (len(wanted) - len(found))
    there = range(-before, after + 1)
    if border == "reflect":
        wanted = [
            -2 * before - offset if offset < -before else 2 * after - offset if offset > after
            else offset for offset in wanted
        ]  # fmt: skip
    return [offset if offset in there else 0 for offset in wanted]


def _slot(offset: int, past: int) -> int:
    """Where the flow to a neighbour stands in `Window.inputs`."""
    return past + offset - (offset > 0)
