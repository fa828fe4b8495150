"""RISTN: residual invertible blocks in space, a dense LSTM of convolutions in time, fused sparsely.

Source: Zhu et al. 2019 (AAAI), "Residual invertible spatio-temporal network for video
super-resolution"; layers, names of tensors (spelling included) and first weights as in the authors'
Python 2 code (lizhuangzi/RISTN). What differs: the matrix that fuses both networks is a parameter,
so that it learns (on a GPU theirs was none); the block that nothing calls is kept for its names but
not trained; windows may have any length; the carried state is an argument.

Their weights are a whole network, saved by Python 2: `read_published`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.models.upscaler import Spec, State, StateSpec, Window
from upreel.models.whole_module import read_whole_module

Variant = Literal["paper", "tiny"]

_TILE = 160  # 256 with what tiles overlap by: 3.3 GB for a window in float32
_AHEAD = 2  # frames after those that a window keeps
_STRIP = 4096  # pixels of a frame whose features are brought to four times their size at once
_AUTHORS_MODULES = frozenset({"VSRRINc", "RRIN", "RDBCLSTM", "model_utils"})


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a network is.

    Attributes:
        channels: that a frame is padded to with zeros; the features of a frame are 16 times more.
        depths: couplings of both chains of each of the four levels; the second of the first level
            is the one that is never called.
        layers: of the LSTM.
        growth: channels that each of them makes in each direction.
    """

    channels: int
    depths: tuple[tuple[int, int], ...]
    layers: int
    growth: int


VARIANTS: dict[Variant, Sizes] = {
    "paper": Sizes(16, ((6, 6), (8, 6), (10, 12), (10, 6)), 10, 16),
    "tiny": Sizes(8, ((2, 1), (2, 1), (2, 1), (2, 1)), 3, 8),
}
"""The published size, and one that a CPU can train."""


class Coupling(nn.Module):
    """One invertible step: halves change places, and one gets a function of the other added."""

    def __init__(self, channels: int, *, first: bool) -> None:
        """Take the channels of both halves together; the first step of a chain has no entry."""
        super().__init__()
        half, slim = channels // 2, channels // 6
        entry: list[nn.Module] = [] if first else [nn.BatchNorm2d(half), nn.ReLU(inplace=True)]
        self.bottleneck_block = nn.Sequential(
            *entry,
            nn.Conv2d(half, slim, 3, padding=1, bias=False),
            nn.BatchNorm2d(slim),
            nn.ReLU(inplace=True),
            nn.Conv2d(slim, slim, 3, padding=1, bias=False),
            nn.Identity(),  # theirs has a dropout of nothing here, which names count
            nn.BatchNorm2d(slim),
            nn.ReLU(inplace=True),
            nn.Conv2d(slim, half, 3, padding=1, bias=False),
        )

    def forward(self, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        """Both halves, each `(B, C / 2, H, W)`."""
        return other, one + self.bottleneck_block(other)

    def inverse(self, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        """What `forward` was given."""
        return other - self.bottleneck_block(one), one


class Chain(nn.Module):
    """Couplings one after the other, beside a shortcut."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.block_list = nn.ModuleList(
            Coupling(channels, first=place == 0) for place in range(depth)
        )

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same. The shortcut cannot be undone; `couple` can."""
        return self.couple(x) + x

    def couple(self, x: Tensor) -> Tensor:
        """The couplings alone."""
        one, other = x.chunk(2, 1)
        for block in self.block_list:
            one, other = block(one, other)
        return torch.cat((one, other), 1)

    def uncouple(self, y: Tensor) -> Tensor:
        """What `couple` was given, in eval mode."""
        one, other = y.chunk(2, 1)
        for block in reversed(self.block_list):
            assert isinstance(block, Coupling)
            one, other = block.inverse(one, other)
        return torch.cat((one, other), 1)


class SpatialNetwork(nn.Module):
    """Features of single frames, and frames of features."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.channels = sizes.channels
        for level, depths in enumerate(sizes.depths, 1):
            for branch, depth in zip(("", f"_{level}"), depths, strict=True):
                chain = Chain(sizes.channels * 2 ** (level - 1), depth)
                self.add_module(f"resblock{level}{branch}", chain)
        self.get_submodule("resblock1_1").requires_grad_(False)  # nothing calls it
        wide = 16 * sizes.channels
        self.eaualization = _squash(wide, wide)
        self.deconv = nn.Sequential(
            nn.ConvTranspose2d(wide, wide, 2, 2, bias=False),
            nn.PReLU(),
            nn.ConvTranspose2d(wide, wide, 2, 2, bias=False),
            nn.PReLU(),
        )
        self.reconstruct = nn.Sequential(nn.Conv2d(wide, 3, 3, padding=1, bias=False))

    def forward(self, frames: Tensor) -> Tensor:
        """`(B, 3, H, W)` to features `(B, 16 * channels, H, W)`."""
        x = F.pad(frames, (0, 0, 0, 0, 0, self.channels - 3))
        x = torch.cat((self.get_submodule("resblock1")(x), x), 1)
        for level in (2, 3, 4):
            one = self.get_submodule(f"resblock{level}")(x)
            other = self.get_submodule(f"resblock{level}_{level}")(x)
            x = torch.cat((other, one), 1)
        return x

    def enlarge(self, features: Tensor) -> Tensor:
        """`(B, 16 * channels, H, W)` to `(B, 3, 4 * H, 4 * W)`, float32.

        Large frames are done in strips, because features at the size of the output are many.
        """
        features = self.eaualization(features)
        height, width = features.shape[-2:]
        rows, strips = max(_STRIP // width, 1), []
        for top in range(0, height, rows):
            first, last = max(0, top - 1), min(height, top + rows + 1)  # the last layer sees beyond
            strip = self._reconstruct(features[..., first:last, :])
            strips.append(strip[..., 4 * (top - first) :, :][..., : 4 * rows, :])
        return torch.cat(strips, -2)

    def _reconstruct(self, features: Tensor) -> Tensor:
        large = self.deconv(features)
        last = self.reconstruct.get_parameter("0.weight")
        with torch.autocast(large.device.type, enabled=False):  # bf16 would round pixels
            return F.conv2d(large.float(), last.float(), padding=1)


class Cell(nn.Module):
    """One LSTM of convolutions."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels + growth, 4 * growth, 3, padding=1)

    def forward(self, x: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """One instant: what it sees and its state before, to its state."""
        i, f, o, g = self.conv(torch.cat((x, hidden), 1)).chunk(4, 1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        return o.sigmoid() * cell.tanh(), cell


class DenseLstm(nn.Module):
    """Layers of LSTMs in both directions of time, each of which sees all layers before it (RDC)."""

    def __init__(self, channels: int, layers: int, growth: int) -> None:
        super().__init__()
        self.growth = growth
        seen = [channels, *(2 * growth * layer for layer in range(1, layers))]
        self.cell_list = nn.ModuleList(Cell(each, growth) for each in seen)
        self.Invcell_list = nn.ModuleList(Cell(each, growth) for each in seen)
        for cell in (*self.cell_list, *self.Invcell_list):
            assert isinstance(cell, Cell)
            nn.init.normal_(cell.conv.weight, 0.0, 0.02)

    def forward(self, clip: Tensor, state: State, *, keep: int) -> tuple[Tensor, State]:
        """Look through a window.

        Args:
            clip: `(T, B, C, H, W)`, as many channels as all layers make.
            state: `hidden` and `cell` of all layers forward in time, `(B, layers * growth, H, W)`
                each; empty for zeros.
            keep: after how many frames of the window the next state is taken.

        Returns:
            `(T, B, C, H, W)`, and that state.
        """
        shape = (clip.shape[1], self.growth * len(self.cell_list), *clip.shape[-2:])
        nothing = clip.new_zeros(shape)
        starts = zip(
            *(
                torch.split(state.get(name, nothing).to(clip.dtype), self.growth, 1)
                for name in ("hidden", "cell")
            ),
            strict=True,
        )
        zero = nothing[:, : self.growth]
        inputs, made, kept = list(clip), list[Tensor](), list[tuple[Tensor, Tensor]]()
        for there, back, start in zip(self.cell_list, self.Invcell_list, starts, strict=True):
            forward = _run(there, inputs, start)
            backward = _run(back, inputs[::-1], (zero, zero))[::-1]
            kept.append(forward[keep - 1])
            pairs = zip(forward, backward, strict=True)
            made.append(torch.stack([torch.cat((a[0], b[0]), 1) for a, b in pairs]))
            inputs = list(torch.cat(made, 2))
        hidden, cell = (torch.cat(parts, 1) for parts in zip(*kept, strict=True))
        return torch.cat(made, 2) + clip, {"hidden": hidden, "cell": cell}


def _run(
    cell: nn.Module, inputs: Sequence[Tensor], state: tuple[Tensor, Tensor]
) -> list[tuple[Tensor, Tensor]]:
    """The state after each input."""
    states = []
    for x in inputs:
        state = cell(x, *state)
        states.append(state)
    return states


class RISTN(nn.Module):
    """See the head of this file."""

    def __init__(
        self,
        scale: int = 4,
        *,
        variant: Variant = "paper",
        carry: bool = False,
        residual: bool = False,
    ) -> None:
        """Build it with random weights.

        Args:
            scale: 4.
            variant: how large it is.
            carry: whether the LSTM goes on from one window to the next within a scene. The authors'
                script resets it before each window; the code around it would do so before every
                sixth.
            residual: whether the bicubic frame is added, which the published network does not do.

        Raises:
            ValueError: there is no such network.
        """
        super().__init__()
        if scale != 4:
            raise ValueError(f"expected a scale of 4, found {scale}")
        sizes = VARIANTS[variant]
        self.carry, self.residual = carry, residual
        self.state_channels = sizes.layers * sizes.growth
        self.wide = wide = 16 * sizes.channels
        slim = 2 * self.state_channels
        self.sptioCNN = SpatialNetwork(sizes)
        self.temporalRNN = DenseLstm(slim, sizes.layers, sizes.growth)
        self.convertsTot = nn.Sequential(
            nn.BatchNorm2d(wide), nn.ReLU(), nn.Conv2d(wide, slim, 1, bias=False)
        )
        self.convertTtos = _squash(slim, wide)
        self.FW = nn.Parameter(torch.randn(2 * wide, wide) * 0.01)
        self.eaualization = _squash(wide, wide, bias=True)

    @staticmethod
    def arguments_of(tensors: Mapping[str, Tensor]) -> dict[str, int | str | bool] | None:
        """What the constructor has to be called with for weights after `rename`, if these fit."""
        if "FW" not in tensors or tensors["FW"].shape != (512, 256):
            return None
        return {"scale": 4, "variant": "paper"}

    @property
    def spec(self) -> Spec:
        """Windows of five frames, of which the first three are kept, as published.

        What the spatial network makes of the other two is handed to the next window.
        """
        carried = StateSpec(self.state_channels)
        state = {"spatial": StateSpec(_AHEAD * self.wide, cache=True)}
        return Spec(
            scale=4,
            color="rgb",
            future=_AHEAD,
            step=3,
            state=state | ({"hidden": carried, "cell": carried} if self.carry else {}),
            exact=False,
            tile=_TILE,
        )

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge the first frames of a window: see `Upscaler.step`."""
        keep = window.clip.shape[1] - window.future
        high, state = self.enlarge(window.clip, state, keep=keep)
        return high, {name: state[name] for name in self.spec.state}

    def forward(self, clip: Tensor) -> Tensor:
        """Enlarge a whole clip as one window: `(B, T, 3, H, W)`, `(B, T, 3, 4 * H, 4 * W)`."""
        return self.enlarge(clip, {}, keep=clip.shape[1])[0]

    def enlarge(self, clip: Tensor, state: State, *, keep: int) -> tuple[Tensor, State]:
        """Enlarge the first frames of a window.

        Args:
            clip: `(B, T, 3, H, W)`, 0..1.
            state: of the window before; empty where a scene begins.
            keep: how many frames.

        Returns:
            `(B, keep, 3, 4 * H, 4 * W)`, float32, the LSTM's state after these frames, and the
            features of the first ones after them.
        """
        spatial = self._see(clip, state)
        temporal = self.convertsTot(spatial.flatten(0, 1)).unflatten(0, clip.shape[:2])
        temporal, state = self.temporalRNN(temporal.transpose(0, 1), state, keep=keep)
        high = []
        for time in range(keep):  # one by one: they are large
            features = torch.cat((self.convertTtos(temporal[time]), spatial[:, time]), 1)
            fused = self.eaualization(F.conv2d(features, self.FW.T[..., None, None]))
            frame = self.sptioCNN.enlarge(fused)
            if self.residual:
                low = clip[:, time].float()
                frame = frame + F.interpolate(low, scale_factor=4, mode="bicubic")
            high.append(frame)
        ahead = spatial[:, keep : keep + _AHEAD]
        missing = (_AHEAD - ahead.shape[1]) * self.wide
        kept = F.pad(ahead.flatten(1, 2), (0, 0, 0, 0, 0, missing))
        return torch.stack(high, 1), state | {"spatial": kept}

    def _see(self, clip: Tensor, state: State) -> Tensor:
        """Features of each frame, `(B, T, C, H, W)`; the state's are not made again."""
        known = clip.new_zeros(len(clip), 0, self.wide, *clip.shape[-2:])
        if "spatial" in state:
            known = torch.stack(state["spatial"].chunk(_AHEAD, 1), 1)[:, : clip.shape[1]]
        new = clip[:, known.shape[1] :].to(self.FW.dtype)
        if not new.shape[1]:
            return known
        made: Tensor = self.sptioCNN(new.flatten(0, 1)).unflatten(0, new.shape[:2])
        return torch.cat((known.to(made.dtype), made), 1)


def rename(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of `RISTN` for those of its authors.

    Their networks were spread over GPUs, which shows in the names; and their torch did not count
    batches yet.
    """
    named = {key.replace(".module.", ".").removeprefix("module."): tensors[key] for key in tensors}
    means = [key for key in named if key.endswith("running_mean")]
    counts = {key.replace("running_mean", "num_batches_tracked"): torch.tensor(0) for key in means}
    return counts | named


def read_published(path: Path) -> dict[str, Tensor]:
    """Read the tensors of `RISTN` from the file that its authors published: the whole network.

    Raises:
        WeightsError: it is another file.
    """
    return rename(read_whole_module(path, _AUTHORS_MODULES))


def _squash(channels: int, into: int, *, bias: bool = False) -> nn.Sequential:
    """A convolution of single pixels, normalised and without negative values."""
    return nn.Sequential(
        nn.Conv2d(channels, into, 1, bias=bias), nn.BatchNorm2d(into), nn.ReLU(inplace=True)
    )
