"""MSITF: four times as large and twice as many frames, out of aligned features and attention.

Source: carpenterChina/MSITF (2024; class `Net` of `mystvsr07.py`), a slimmer Zooming Slow-Mo;
layers, names of tensors and the first weights as there. Features between two frames come from
deformable convolutions at three sizes; a deformable LSTM goes over given and new ones both ways;
each place attends over time; a Swin-V2 trunk finishes each frame.

Two things of the published form look unintended, and each can be chosen otherwise with the same
weights: it samples the features of the earlier frame alone (`align_source="both"` samples both and
takes their mean), and what is added to the output is resized in time so that no given frame but the
first and the last stays as it is (`base="aligned"` takes the given frames, and means between).
`docs/experiments.md` has what was measured.

The network wants a few frames at a time; it was trained and scored on windows of four that share
one. So `step` makes three frames and the new ones after them of each window; at the end of a scene,
the window is filled with frames from before. For a frame that two windows share the later one
counts; in the authors' script, the earlier. What windows cost, against the whole clip at once, is
in `docs/experiments.md`: 68 dB and more between the two after a short training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.models.basicvsr import SLOPE, ResidualBlock, Tail, check_scale
from upreel.models.deformable_lstm import BothWays, TemporalAttention
from upreel.models.pyramid import AlignSource, PyramidFeatures
from upreel.models.swin import WINDOW, SwinTrunk
from upreel.models.upscaler import Spec, State, Window

Variant = Literal["paper", "tiny"]
Base = Literal["trilinear", "aligned"]

_TILE = 192
"""Larger frames are cut: the features of all instants of a window are held at a time."""


@dataclass(frozen=True, slots=True)
class Widths:
    """How large a network is.

    Attributes:
        features: channels of what is aligned.
        blocks: residual blocks that make it of a frame.
        groups: of the trunk.
        heads: of the trunk's attention.
    """

    features: int
    blocks: int
    groups: int
    heads: int


VARIANTS: dict[Variant, Widths] = {"paper": Widths(64, 5, 6, 4), "tiny": Widths(16, 1, 1, 2)}
"""The published size, and one that a CPU can train."""


class MSITF(PyramidFeatures, Tail):
    """See the head of this file. 5,585,611 weights as published."""

    def __init__(
        self,
        scale: int = 4,
        *,
        variant: Variant = "paper",
        align_source: AlignSource = "first",
        base: Base = "trilinear",
        frames: int = 4,
    ) -> None:
        """Build it with random weights.

        Args:
            scale: 4.
            variant: how large it is.
            align_source: whose features are sampled; `first` as published.
            base: what is added to the output; `trilinear` as published.
            frames: that one step looks at, 2 or more.

        Raises:
            ValueError: there is no such network.
        """
        check_scale(scale)
        if frames < 2:
            raise ValueError(f"expected windows of 2 frames or more, found {frames}")
        widths = VARIANTS[variant]
        channels = widths.features
        super().__init__(channels, align_source)
        self.base, self.frames = base, frames
        self.conv_first = nn.Conv2d(3, channels, 3, padding=1)
        self.feature_extraction = nn.Sequential(
            *(ResidualBlock(channels) for _ in range(widths.blocks))
        )
        self.ConvBLSTM = BothWays(channels, align_source)
        self.attn = TemporalAttention(channels)
        self.recon_trunk = SwinTrunk(channels, widths.groups, widths.heads)
        self.upconv1 = nn.Conv2d(channels, 4 * channels, 3, padding=1)
        self.upconv2 = nn.Conv2d(channels, 4 * channels, 3, padding=1)
        self.HRconv = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_last = nn.Conv2d(channels, 3, 3, padding=1)

    @staticmethod
    def arguments_of(tensors: Mapping[str, Tensor]) -> dict[str, str] | None:
        """What the constructor has to be called with for these weights, if they fit."""
        if not {"conv_first.weight", "ConvBLSTM.conv_1x1.weight"} <= tensors.keys():
            return None
        channels = len(tensors["conv_first.weight"])
        fits = (name for name, widths in VARIANTS.items() if widths.features == channels)
        variant = next(fits, None)
        return {"variant": variant} if variant else None

    @property
    def spec(self) -> Spec:
        """Windows that share a frame; those before fill the last one."""
        return Spec(
            scale=4,
            color="rgb",
            rate=2,
            past=self.frames - 1,
            future=1,
            step=self.frames - 1,
            multiple=WINDOW,
            exact=False,
            tile=_TILE,
        )

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge the middle of a window: see `Upscaler.step`."""
        begin = max(0, min(window.past, window.clip.shape[1] - self.frames))
        first, count = 2 * (window.past - begin), 2 * window.middle.shape[1]
        high = self._enlarge(window.clip[:, begin:], first, first + count)
        if high.shape[1] < count:  # nothing follows: the last frame is held
            high = torch.cat((high, high[:, -1:]), 1)
        return high, state

    def forward(self, clip: Tensor) -> Tensor:
        """Enlarge a whole clip at once, as published: `(B, T, 3, H, W)`, 0..1.

        Returns:
            `(B, 2 * T - 1, 3, H * 4, W * 4)`, float32.
        """
        return self._enlarge(clip, 0, 2 * clip.shape[1] - 1)

    def _enlarge(self, clip: Tensor, first: int, last: int) -> Tensor:
        """The frames `first..last - 1` of `forward`, or up to the last."""
        height, width = clip.shape[-2:]
        known = self._extract(clip)
        sequence = self.ConvBLSTM(torch.stack(self._between(known), 1))
        features = self.attn(sequence)[:, first:last].unbind(1)
        bases = self._bases(clip.float())[:, first:last].unbind(1)
        high = [
            self.enlarge(self.recon_trunk(seen)[..., :height, :width], base)
            for seen, base in zip(features, bases, strict=True)
        ]
        return torch.stack(high, 1)

    def _extract(self, clip: Tensor) -> Tensor:
        """Features of each frame, `(B, T, C, H', W')`, zeros up to multiples of the window."""
        frames = clip.flatten(0, 1).to(self.conv_first.weight.dtype)
        shallow = F.leaky_relu(self.conv_first(frames), SLOPE)
        bottom, right = (-side % WINDOW for side in clip.shape[-2:])
        deep: Tensor = self.feature_extraction(F.pad(shallow, (0, right, 0, bottom)))
        return deep.view(*clip.shape[:2], *deep.shape[1:])

    def _between(self, known: Tensor) -> list[Tensor]:
        """Features of each frame, and after each but the last those of the instant between."""
        sequence = [known[:, 0]]
        large, half, quarter = (
            level.view(*known.shape[:2], *level.shape[1:])
            for level in self.build(known.flatten(0, 1))
        )
        for later in range(1, known.shape[1]):
            before = large[:, later - 1], half[:, later - 1], quarter[:, later - 1]
            after = large[:, later], half[:, later], quarter[:, later]
            sequence += [self.fuse(before, after), known[:, later]]
        return sequence

    def _bases(self, clip: Tensor) -> Tensor:
        """What is enlarged linearly and added, `(B, 2 * T - 1, 3, H, W)`."""
        batch, frames, planes, height, width = clip.shape
        count = 2 * frames - 1
        if self.base == "trilinear":
            size = (count, height, width)
            return F.interpolate(clip.transpose(1, 2), size, mode="trilinear").transpose(1, 2)
        bases = clip.new_empty(batch, count, planes, height, width)
        bases[:, ::2] = clip
        bases[:, 1::2] = (clip[:, :-1] + clip[:, 1:]) / 2
        return bases

    def _lacks(self, features: Tensor) -> Tensor:
        for conv in (self.upconv1, self.upconv2):
            features = F.leaky_relu_(F.pixel_shuffle(conv(features), 2), SLOPE)
        lacks: Tensor = self.conv_last(F.leaky_relu_(self.HRconv(features), SLOPE))
        return lacks
