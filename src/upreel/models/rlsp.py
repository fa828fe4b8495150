"""RLSP: a stack of convolutions that hands its last output and a hidden state to the next frame.

Source: Fuoli et al. 2019, "Efficient video super-resolution through recurrent latent space
propagation": without any alignment, a layer sees a frame, both its neighbours, the last output
folded into channels, and as many hidden channels as layers are wide. "RLSP 7-48" has 7 layers of 48
channels. Frames are RGB there and what is made is luma; the authors' PyTorch code
(dariofuoli/RLSP) makes RGB and gives the names of tensors. Chroma beside luma that is made is
interpolated. First weights as in their TensorFlow code: Glorot's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.models.pixels import PLANES, interpolate, type_of
from upreel.models.upscaler import Color, Spec, State, StateSpec, Window
from upreel.ops.color import Range, rgb_to_ycbcr, ycbcr_to_rgb

_CODED: tuple[str, Range, int] = ("smpte170m", "tv", 8)
"""Matrix, range and bits of the luma that is made."""
_TOP = 255
"""White in the authors' code."""


class RLSP(nn.Module):
    """See the head of this file."""

    def __init__(
        self,
        scale: int = 4,
        *,
        color: Color = "rgb",
        makes: Color = "luma",
        channels: int = 64,
        layers: int = 7,
    ) -> None:
        """Build it with random weights.

        Args:
            scale: how many times larger.
            color: what its frames are.
            makes: what of them it makes; the rest is interpolated.
            channels: of every layer, and of the hidden state.
            layers: convolutions that a frame goes through, 2 or more.

        Raises:
            ValueError: RGB would have to be made out of luma.
        """
        super().__init__()
        if (color, makes) == ("luma", "rgb"):
            raise ValueError("expected luma to be made out of luma, found makes='rgb'")
        self.scale, self.color, self.makes = scale, color, makes
        self.blocks = PLANES[makes] * scale**2
        seen = 3 * PLANES[color] + self.blocks + channels
        self.conv1 = nn.Conv2d(seen, channels, 3, padding=1)
        self.conv_list = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1) for _ in range(layers - 2)
        )
        self.conv_out = nn.Conv2d(channels, self.blocks + channels, 3, padding=1)
        self._start()

    def _start(self) -> None:
        """Glorot's first weights; what makes the output and the state are two layers there."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(cast(Tensor, module.bias))
        nn.init.xavier_uniform_(self.conv_out.weight[: self.blocks])
        nn.init.xavier_uniform_(self.conv_out.weight[self.blocks :])

    @staticmethod
    def arguments_of(tensors: Mapping[str, Tensor]) -> dict[str, int | str | bool] | None:
        """What the constructor has to be called with for weights of its authors, if these are."""
        if not {"conv1.weight", "conv_list.0.weight", "conv_out.weight"} <= tensors.keys():
            return None
        channels, seen = tensors["conv1.weight"].shape[:2]
        blocks = len(tensors["conv_out.weight"]) - channels
        luma = math.isqrt(blocks) ** 2 == blocks
        return {
            "scale": math.isqrt(blocks if luma else blocks // 3),
            "color": "luma" if seen - blocks - channels == 3 else "rgb",
            "makes": "luma" if luma else "rgb",
            "channels": channels,
            "layers": 2 + sum(key.startswith("conv_list") for key in tensors) // 2,
        }

    @property
    def spec(self) -> Spec:
        """Both neighbours; the hidden state and what was made last."""
        return Spec(
            scale=self.scale,
            color=self.color,
            past=1,
            future=1,
            state={
                "features": StateSpec(len(self.conv1.weight)),
                "output": StateSpec(PLANES[self.makes], Fraction(self.scale)),
            },
            halo=2 + len(self.conv_list),
        )

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge one frame: see `Upscaler.step`."""
        clip, last = window.clip, window.clip.shape[1] - 1
        times = [max(window.past - 1, 0), window.past, min(window.past + 1, last)]
        high, state = self._advance(clip[:, times], state)
        return high[:, None], state

    def forward(self, clip: Tensor) -> Tensor:
        """Enlarge a whole clip from an empty state; the first and last frame are repeated.

        Args:
            clip: `(B, T, C, H, W)`, 0..1.

        Returns:
            `(B, T, C, H * scale, W * scale)`, float32.
        """
        wide = torch.cat((clip[:, :1], clip, clip[:, -1:]), 1)
        state: State = {}
        outputs = []
        for time in range(clip.shape[1]):
            output, state = self._advance(wide[:, time : time + 3], state)
            outputs.append(output)
        return torch.stack(outputs, 1)

    def _advance(self, frames: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: the frame before, the frame, the frame after, `(B, 3, C, H, W)`."""
        kind = type_of(self.conv1, frames.device)
        frame = frames[:, 1].float()
        low = frame if self.makes == self.color else _to_ycbcr(frame)[:, :1]
        if state:
            hidden, last = state["features"], F.pixel_unshuffle(state["output"], self.scale)
        else:
            hidden = frame.new_zeros(len(frame), len(self.conv1.weight), *frame.shape[2:])
            last = frame.new_zeros(len(frame), self.blocks, *frame.shape[2:])
        x = torch.cat((frames.flatten(1, 2).to(kind), last.to(kind), hidden.to(kind)), 1)
        for layer in (self.conv1, *self.conv_list):
            x = F.relu(layer(x), inplace=True)
        residual, hidden = self.conv_out(x).split((self.blocks, len(self.conv1.weight)), 1)
        made = F.pixel_shuffle(residual.float(), self.scale)
        made = made + F.interpolate(low, scale_factor=self.scale)
        high = made if self.makes == self.color else _add_chroma(made, frame, self.scale)
        return high, {"features": F.relu(hidden), "output": made}


def _to_ycbcr(frame: Tensor) -> Tensor:
    with torch.autocast(frame.device.type, enabled=False):
        return rgb_to_ycbcr(frame, *_CODED)


def _add_chroma(luma: Tensor, frame: Tensor, scale: int) -> Tensor:
    """RGB of luma that was made and chroma that is interpolated."""
    chroma = interpolate(_to_ycbcr(frame)[:, 1:], scale)
    with torch.autocast(frame.device.type, enabled=False):
        return ycbcr_to_rgb(torch.cat((luma, chroma), 1), *_CODED)


def rename(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of `RLSP` for those of its authors, which have the same names.

    White is 255 for them and 1 here, which for such a network only concerns what is added; and of
    the channels that become a block of pixels, colours come first here, places there.
    """
    arguments = RLSP.arguments_of(tensors)
    if arguments is None:
        return dict(tensors)
    own = {key: each / _TOP if key.endswith("bias") else each for key, each in tensors.items()}
    planes = PLANES[cast(Color, arguments["makes"])]
    blocks = planes * cast(int, arguments["scale"]) ** 2
    order = torch.arange(blocks).view(-1, planes).T.flatten()
    seen = own["conv1.weight"].shape[1]
    first = seen - blocks - cast(int, arguments["channels"])
    into, out = torch.arange(seen), torch.arange(len(own["conv_out.weight"]))
    into[first : first + blocks] = first + order
    out[:blocks] = order
    own["conv1.weight"] = own["conv1.weight"][:, into]
    for key in ("conv_out.weight", "conv_out.bias"):
        own[key] = own[key][out]
    return own
