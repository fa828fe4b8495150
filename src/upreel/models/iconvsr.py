"""IconVSR: BasicVSR with key frames that are refilled, and one way after the other.

Source: Chan et al. 2021, "BasicVSR: the search for essential components in video super-resolution
and beyond"; layers, names of tensors and the first weights as in BasicSR. At each key frame
features that EDVR makes of it and its neighbours are mixed into what travels; the way forward sees
what the way back made.

What differs: clips too short for the windows of EDVR are enlarged too. Key frames are counted from
the first frame that a step enlarges, so their distance divides how many these are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from upreel.models.basicvsr import (
    TILE,
    Tail,
    Trunk,
    Variant,
    Widths,
    blank,
    blocks_of,
    check_scale,
    move,
)
from upreel.models.edvr import MULTIPLE, FusedFeatures, fill
from upreel.models.spynet import SPyNet
from upreel.models.upscaler import Spec, State, StateSpec, Window

VARIANTS: dict[Variant, Widths] = {"paper": Widths(64, 30), "tiny": Widths(16, 1, 16, 8)}
"""The published size, and one that a CPU can train."""

_BLOCKS = 5  # of EDVR's before its alignment


class IconVSR(Tail):
    """See the head of this file. 8,694,991 weights as published."""

    def __init__(
        self,
        scale: int = 4,
        *,
        variant: Variant = "paper",
        features: int | None = None,
        blocks: int | None = None,
        every: int = 5,
        side: int = 2,
        chunk: int = 10,
        future: int = 5,
    ) -> None:
        """Build it with random weights.

        Args:
            scale: 4.
            variant: how large it is.
            features: instead of the variant's.
            blocks: instead of the variant's.
            every: frames from one key frame to the next; the last frame is one too.
            side: neighbours on each side that key frames are refilled from.
            chunk: frames that one step enlarges.
            future: frames that one step sees after these.

        Raises:
            ValueError: there is no such network.
        """
        super().__init__()
        check_scale(scale)
        if chunk % every:
            raise ValueError(f"expected a chunk that is a multiple of {every}, found {chunk}")
        widths = VARIANTS[variant]
        self.features, self.every, self.side = features or widths.features, every, side
        self.chunk, self.future = chunk, future
        blocks, size = widths.blocks if blocks is None else blocks, self.features
        self.edvr = FusedFeatures(size, 2 * side + 1, _BLOCKS)
        self.spynet = SPyNet(channels=widths.flow)
        self.backward_fusion = nn.Conv2d(2 * size, size, 3, padding=1)
        self.backward_trunk = Trunk(3 + size, size, blocks)
        self.forward_fusion = nn.Conv2d(2 * size, size, 3, padding=1)
        self.forward_trunk = Trunk(3 + 2 * size, size, blocks)
        self.build_tail(size, widths.tail)

    @staticmethod
    def arguments_of(tensors: Mapping[str, Tensor]) -> dict[str, int] | None:
        """What the constructor has to be called with for these weights, if they fit.

        They do not tell how far key frames are apart.
        """
        if "backward_fusion.weight" not in tensors:
            return None
        features = len(tensors["backward_fusion.weight"])
        return {
            "features": features,
            "blocks": blocks_of(tensors, "backward_trunk"),
            "side": tensors["edvr.fusion.feat_fusion.weight"].shape[1] // features // 2,
        }

    @property
    def spec(self) -> Spec:
        """Some frames before and after; features of the frame before."""
        return Spec(
            scale=4,
            color="rgb",
            past=self.side,
            future=self.future,
            step=self.chunk,
            state={"features": StateSpec(self.features)},
            multiple=MULTIPLE,
            exact=False,
            windowed=60.0,
            tile=TILE,
        )

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge the middle of a window: see `Upscaler.step`."""
        height, width = window.clip.shape[-2:]
        clip = fill(window.clip)
        frames, first, last = clip.unbind(1), window.past, clip.shape[1] - window.future
        keys = {*range(first, len(frames), self.every), len(frames) - 1}
        refills = {key: self._refill(clip, key) for key in sorted(keys)}
        behind = self._propagate_back(frames, first, refills)[: last - first]
        features = state.get("features")
        high = []
        for index, later in enumerate(behind, first):
            frame = frames[index]
            if features is None:
                features = blank(frame, self.features)
            else:
                features = move(features, self.spynet(frame, frames[index - 1]))
            if index in refills:
                features = _mix(self.forward_fusion, features, refills[index])
            features = self.forward_trunk(frame, later, features)
            high.append(self.enlarge(features, frame)[..., : 4 * height, : 4 * width])
        assert features is not None
        return torch.stack(high, 1), {"features": features}

    def forward(self, clip: Tensor) -> Tensor:
        """Enlarge a whole clip, as published: `(B, T, 3, H, W)` to `(B, T, 3, H * 4, W * 4)`."""
        return self.step(Window(clip), {})[0]

    def _refill(self, clip: Tensor, key: int) -> Tensor:
        """Features of EDVR at a key frame.

        Where a window of EDVR reaches over an end of the clip, it takes the frames that lie beyond
        its other side: `4 3 0 1 2` for the first one, as published.
        """
        last, span = clip.shape[1] - 1, range(key - self.side, key + self.side + 1)
        places = [
            self.side - place if place < 0 else 2 * last - self.side - place if place > last
            else place for place in span
        ]  # fmt: skip
        features: Tensor = self.edvr.fuse(clip[:, [min(max(place, 0), last) for place in places]])
        return features

    def _propagate_back(
        self, frames: Sequence[Tensor], first: int, refills: Mapping[int, Tensor]
    ) -> list[Tensor]:
        """Features on the way from the end to the beginning."""
        made: list[Tensor] = []
        for index in reversed(range(first, len(frames))):
            frame = frames[index]
            if made:
                features = move(made[0], self.spynet(frame, frames[index + 1]))
            else:
                features = blank(frame, self.features)
            if index in refills:
                features = _mix(self.backward_fusion, features, refills[index])
            made.insert(0, self.backward_trunk(frame, features))
        return made


def _mix(fusion: nn.Conv2d, features: Tensor, refill: Tensor) -> Tensor:
    mixed: Tensor = fusion(torch.cat((features.to(refill.dtype), refill), 1))
    return mixed
