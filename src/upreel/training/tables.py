"""The tables of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from torch import nn

from upreel.data.cache import LONGEST
from upreel.data.degradations import parse_chain, samples_first
from upreel.losses import Option
from upreel.models import ZOO
from upreel.models.weights import Argument
from upreel.ops.flow import FlowProvider
from upreel.training.optim import OptimizerName, make_optimizers
from upreel.training.schedule import Shape

Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


class Table(BaseModel):
    """A table of a recipe: nothing in it is ignored, nothing is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Network(Table):
    """What is trained.

    Attributes:
        name: in the zoo.
        arguments: of its constructor, beside `scale`.
        init: what to start from: a file of weights, or a name among those that ship such as
            `swift-x4-clean`; those of `swift` serve for other scales too. Empty: random numbers.
    """

    name: str = "swift"
    arguments: dict[str, Argument] = {}
    init: str = ""

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        return _one_of(ZOO, name)


class ClipSet(Table):
    """Clips that are drawn together.

    Attributes:
        name: of the set; a folder in the cache too.
        path: a folder of clips, as `data.clips.find_clips` takes it: with or without an index; or
            `procedural` or `dead-leaves`, for clips that need no file. Packed with others, the
            former are 24 of 192x192, the latter 64 of 320x320, 16 frames each.
        weight: how likely the set is beside the others; a folder that somebody gives counts 1.
        split: shares of train, val and test, such as `[70, 15, 15]`, by which whole clips are
            divided at random. Empty where the folder is divided, or all of it is to learn from.
        seed: of this division.
    """

    name: Annotated[str, Field(pattern=r"^[\w-]+$")]
    path: str
    weight: Annotated[float, Field(gt=0)] = 1.0
    split: Annotated[tuple[Rate, ...], Field(max_length=3)] = ()
    seed: int = 0

    @field_validator("split")
    @classmethod
    def _three(cls, split: tuple[float, ...]) -> tuple[float, ...]:
        if split and (len(split) != 3 or not split[0]):
            raise ValueError(
                f"expected shares of train, val and test such as [70, 15, 15], found {list(split)}"
            )
        return split


class Data(Table):
    """What is seen.

    Attributes:
        sets: where clips are; none where whoever trains has to say. A folder that they give takes
            the place of all but those that need no file.
        packed: whether clips are prepared before the first step, which pays with optical flow and
            codecs: see `Packing`. If not, they are read and degraded when they are drawn.
        jitter: largest change of contrast and brightness, as parts of 1, where clips are not
            packed.
        transpose: whether rows and columns may change places, where clips are not packed.
        reverse: whether time may run backwards, where clips are not packed.
        strides: temporal strides.
        frames: of a packed version at most.
        versions: chains as text, such as `BI+codec(crf=18..28)`: see `data.degradations`.
    """

    sets: tuple[ClipSet, ...] = ()
    packed: bool = True
    jitter: Rate = 0.0
    transpose: bool = True
    reverse: bool = True
    strides: Positive = 2
    frames: Positive = LONGEST
    versions: Annotated[dict[str, str], Field(min_length=1)]

    @field_validator("versions")
    @classmethod
    def _alike(cls, versions: dict[str, str]) -> dict[str, str]:
        if len({samples_first(parse_chain(text)) for text in versions.values()}) > 1:
            raise ValueError(
                "expected versions all with or all without BD-DUF, found both: their low samples "
                "lie in different places"
            )
        return versions


class Stage(Table):
    """A part of the run with batches of one shape.

    Attributes:
        steps: how many.
        batch: sequences.
        crop: side of a low frame.
        frames: of a sequence that the network sees; one that makes more is compared with all
            frames from the first of these to the last.
        mirrored: whether every sequence is followed by its way back, which makes it one frame
            less than twice as long; the loss `ping-pong` needs it.
        rates: how many frames come of one, drawn for each batch, for networks that make frames at
            any instant; that of the network if there are none.
    """

    steps: Positive
    batch: Positive
    crop: Positive
    frames: Positive
    mirrored: bool = False
    rates: tuple[Annotated[int, Field(ge=2)], ...] = ()


class Optimizer(Table):
    """How weights move.

    Attributes:
        name: which optimiser.
        schedule: how the rate falls; see `rate_at`.
        at: steps of the schedule.
        factor: what the rate is multiplied by at these.
        factors: what it is multiplied by for parameters whose name begins so: `{"flow." = 0.125}`.
        decay: of weights, for `adamw`.
        betas: of `adam` and `adamw`: how much of their past the averages of gradients and of their
            squares keep.
        rate: its greatest learning rate.
        final_rate: its last one.
        warm_up: steps until the rate is reached.
        clip: greatest norm of a gradient; longer ones are shortened to it.
    """

    name: OptimizerName = "muon"
    schedule: Shape = "cosine"
    at: tuple[Positive, ...] = ()
    factor: Rate = 0.5
    factors: dict[str, Rate] = {}
    decay: Rate = 0.0
    betas: tuple[Share, Share] = (0.9, 0.99)
    rate: Rate
    final_rate: Rate = 1e-5
    warm_up: Annotated[int, Field(ge=0)] = 100
    clip: Rate = 0.5

    @model_validator(mode="after")
    def _has_steps(self) -> Optimizer:
        if self.schedule != "cosine" and not self.at:
            raise ValueError(f"expected steps in 'at' for the schedule {self.schedule}, found none")
        if list(self.at) != sorted(set(self.at)):
            raise ValueError(f"expected rising steps in 'at', found {list(self.at)}")
        return self

    def make(self, network: nn.Module) -> list[torch.optim.Optimizer]:
        """What moves the weights of a network so.

        Raises:
            UsageError: a name in `factors` begins no parameter's.
        """
        return make_optimizers(
            network,
            self.name,
            self.rate,
            decay=self.decay,
            betas=self.betas,
            factors=self.factors,
        )


class NetworkOptimizer(Optimizer):
    """How the weights of the network move.

    Attributes:
        accumulate: parts that a batch is cut into, one after the other, to save memory.
        average: how much of its past the average of the weights keeps from step to step.
    """

    accumulate: Positive = 1
    average: Share = 0.999


class Discriminator(Table):
    """The other network of adversarial training.

    Attributes:
        name: in `upreel.losses.DISCRIMINATORS`: `patch`, `srgan`, `recurrent`, `image-and-flow`.
        arguments: its own, such as `{channels = 16}`.
        flow: what finds optical flow between large frames, where it looks at that.
        motion: a file with weights of SPyNet, which then finds the motion of what was made and of
            the truth, where it judges that. Empty: `flow`, brought nearer by a step that gradients
            pass.
        optimizer: how its weights move.
    """

    name: str = "patch"
    arguments: dict[str, Option] = {}
    flow: FlowProvider = "dis"
    motion: str = ""
    optimizer: Optimizer


class Loss(Table):
    """A part of what is minimised.

    Attributes:
        name: in `upreel.losses`.
        weight: what it counts.
        options: its own, such as `{eps = 1e-3}`.
    """

    name: str
    weight: Rate = 1.0
    options: dict[str, Option] = {}


def _one_of(known: Mapping[str, object], name: str) -> str:
    if name not in known:
        raise ValueError(f"expected one of {', '.join(known)}, found {name!r}")
    return name
