"""The one protocol: what every upscaler is, whether a network or a wrapper around one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from torch import Tensor

from upreel.ops.flow import FlowProvider

Color = Literal["luma", "rgb"]
"""What the channels of a clip are: one of luma, or three of R, G and B."""

Input = Literal["flow", "flow_back", "flow_along"]
"""What a network may need beside frames, described at `Window.inputs`."""

State: TypeAlias = dict[str, Tensor]
"""What a recurrent upscaler carries from one step to the next; empty where a scene begins."""


@dataclass(frozen=True, slots=True)
class StateSpec:
    """One tensor of the state: `(B, channels, H * scale, W * scale)` for frames of `H` by `W`.

    Frame sizes count after padding to a multiple of `Spec.multiple`.

    Attributes:
        channels: of the tensor.
        scale: its size in relation to a frame.
        cache: whether it only saves time: a step without it gives the same frames.
    """

    channels: int
    scale: Fraction = Fraction(1)
    cache: bool = False


@dataclass(frozen=True, slots=True)
class Spec:
    """What a caller has to know of an upscaler; tests prove every line of it.

    Attributes:
        scale: how many times larger a frame gets in each direction.
        color: what the channels are.
        rate: how many frames come back for each frame of the middle.
        views: 1, or 2 for stereo.
        past: frames before the middle that `step` wants to see.
        future: frames after the middle that `step` wants to see.
        step: how many frames of the middle `step` takes at a time.
        inputs: what has to come with the frames.
        flow: what finds optical flow, if it is among the inputs, in both directions.
        state: the tensors of the state.
        multiple: frame sizes that need no padding inside are multiples of this; others work too.
        halo: how far, in input pixels, one step looks around a pixel (motion comes on top);
            `None` where there is no bound, or one so far away that what lies there hardly counts.
        exact: whether tiles that overlap by `halo` give the same values as the whole frame.
        windowed: for networks that want to see the whole clip: PSNR in dB, at least, of each frame
            that was made in windows against the same frame made of the whole clip; `None` for the
            others, which see all that they want.
        tile: side of the tiles that larger frames have to be cut into to fit into memory, in input
            pixels; `None` where whole frames do.
    """

    scale: int
    color: Color
    rate: int = 1
    views: int = 1
    past: int = 0
    future: int = 0
    step: int = 1
    inputs: frozenset[Input] = frozenset()
    flow: FlowProvider = "dis"
    state: Mapping[str, StateSpec] = field(default_factory=dict)
    multiple: int = 1
    halo: int | None = None
    exact: bool = True
    windowed: float | None = None
    tile: int | None = None

    @property
    def recurrent(self) -> bool:
        """Whether a step depends on the steps before it."""
        return not all(each.cache for each in self.state.values())


@dataclass(frozen=True, slots=True)
class Window:
    """The frames that one step sees.

    Attributes:
        clip: `(B, T, C, H, W)`, float32, values as coded in the file, scaled to 0..1. `T` is
            `past` + the middle + `future`.
        past: frames before the middle: `Spec.past` of them, fewer where a scene begins.
        future: frames after the middle: `Spec.future` of them, fewer where a scene ends.
        inputs: for `flow`, `(B, K, Spec.past + Spec.future, 2, H, W)`, float32: from each of the
            `K` frames of the middle to each of its neighbours `-past .. -1, 1 .. future`; x then
            y, in input pixels, so that `frame(p)` looks like `neighbour(p + flow(p))`. Zero
            where there is no such neighbour. For `flow_back`, the same from each neighbour to the
            frame of the middle: `neighbour(p)` looks like `frame(p + flow_back(p))`.
            For `flow_along`, `(B, T - 1, 2, 2, H, W)`: between each two frames of the window that
            follow each other, from the earlier to the later, then back.
    """

    clip: Tensor
    past: int = 0
    future: int = 0
    inputs: Mapping[Input, Tensor] = field(default_factory=dict)

    @property
    def middle(self) -> Tensor:
        """The frames that the step enlarges, `(B, K, C, H, W)`."""
        return self.clip[:, self.past : self.clip.shape[1] - self.future]


class Upscaler(Protocol):
    """Anything that enlarges frames: a network, a filter, tiles of one, an exported graph."""

    @property
    def spec(self) -> Spec:
        """What callers have to know."""
        ...

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge the middle of a window.

        Args:
            window: the frames, with the inputs that `spec.inputs` names.
            state: what the step before returned; empty where a scene begins.

        Returns:
            `(B, K * rate, C, H * scale, W * scale)`, float32, about 0..1 (not clipped), and the
            state for the next step.
        """
        ...


@runtime_checkable
class FindsMotion(Protocol):
    """A network that finds the motion in a clip itself, and can be trained on what it finds."""

    def enlarge_with_motion(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        """Enlarge a whole clip, and tell along which flow.

        Args:
            clip: `(B, T, C, H, W)`, 0..1.

        Returns:
            `(B, T, C, H * scale, W * scale)`, float32, and `(B, T, 2, 2, H, W)`: flow from each
            frame to the one before and to the one after, x then y, in input pixels, by which
            features of these are warped onto it; zero where there is none.
        """
        ...


class WithFlow:
    """An upscaler that gets its optical flow from another provider than it was trained with."""

    def __init__(self, inner: Upscaler, provider: FlowProvider) -> None:
        """Wrap `inner`."""
        self._inner = inner
        self._provider = provider

    @property
    def spec(self) -> Spec:
        """That of the upscaler inside, but for the provider."""
        return replace(self._inner.spec, flow=self._provider)

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        """Enlarge the middle of a window: see `Upscaler.step`."""
        return self._inner.step(window, state)
