"""The state of a run of training, in memory and in its folder."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from upreel.core.files import PendingFile, failed
from upreel.errors import ConfigError, UsageError, WeightsError
from upreel.inference.loop import CPU
from upreel.losses import Term, make_loss
from upreel.losses.adversarial import Adversarial
from upreel.models import upscaler_class
from upreel.models.foreign import load_plain
from upreel.models.learned_flow import read_spynet
from upreel.models.upscaler import Upscaler
from upreel.training.opponent import FindMotion, Opponent
from upreel.training.recipe import Recipe
from upreel.training.warm_start import warm_start

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

CHECKPOINT = "checkpoint.pt"
METRICS = "metrics.jsonl"
BOARD = "tensorboard"
RECIPE = "recipe.json"

Log = Callable[[Mapping[str, float]], None]


class Run:
    """A network on its way, with all that the next step depends on.

    Attributes:
        out: its folder.
        step: how many steps are done.
        network: as the last step left it.
        average: a moving average of its weights: what is scored and written.
        device: where it computes.
        terms: what it is trained on, each with what it counts.
        opponent: what it plays against in adversarial training.
        overflows: how many of the last steps were left out in a row, for gradients beyond fp16.
    """

    def __init__(self, recipe: Recipe, out: Path, *, device: torch.device = CPU) -> None:
        """Make the network of a recipe, before its first step."""
        self.out, self.step, self._recipe = out, 0, recipe.model_dump_json()
        self.device = device
        self.network = _build(recipe).to(device)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self._optimizers = recipe.optimizer.make(self.network)
        self._scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "fp16")
        self.overflows = 0
        self.terms = [(loss.weight, make_loss(loss.name, loss.options)) for loss in recipe.losses]
        self.opponent = _oppose(recipe, self.network, [term for _, term in self.terms], device)

    @classmethod
    def begin(
        cls,
        recipe: Recipe,
        out: Path,
        *,
        resume: bool,
        begins: bool = True,
        device: torch.device = CPU,
    ) -> Run:
        """Begin a run in a folder, or go on with the one that is there.

        Args:
            recipe: of the run.
            out: its folder.
            resume: whether to go on.
            begins: whether this process writes into the folder.
            device: where it computes; its checkpoint may come from another.

        Raises:
            UsageError: there is one and `resume` is not set, or it has another recipe.
            WeightsError: its checkpoint is damaged, or holds more than tensors.
            OutputError: the folder cannot be written.
        """
        checkpoint = out / CHECKPOINT
        if checkpoint.exists() and not resume:
            raise UsageError(f"{out} has a run already. Pass --resume, or name another folder.")
        try:
            out.mkdir(parents=True, exist_ok=True)
            run = cls(recipe, out, device=device)
            if checkpoint.exists():
                run._restore(checkpoint)
            if begins:
                (out / RECIPE).write_text(recipe.model_dump_json(indent=2) + "\n")
                run._forget_metrics()
        except OSError as error:
            raise failed(out, error) from error
        return run

    def backward(self, loss: Tensor) -> None:
        """Add to the gradients; what fp16 would lose is scaled up on the way."""
        scaled: Tensor = self._scaler.scale(loss)
        scaled.backward()  # type: ignore[no-untyped-call]

    def unscale(self) -> None:
        """Bring the gradients to their true size."""
        for optimizer in self._optimizers:
            self._scaler.unscale_(optimizer)

    def update(self, rate: float, *, decay: float) -> None:
        """Move the weights along their gradients, and their average after them."""
        scale = self._scaler.get_scale()
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group["factor"]
            self._scaler.step(optimizer)  # leaves out a step whose gradients overflowed
        self._scaler.update()
        self.overflows = self.overflows + 1 if self._scaler.get_scale() < scale else 0
        with torch.no_grad():
            weights = self.network.state_dict()
            for name, average in self.average.state_dict().items():
                if average.is_floating_point():
                    average.lerp_(weights[name], 1 - decay)
                else:  # how many batches a normalisation has seen
                    average.copy_(weights[name])
        self.step += 1

    def save(self) -> None:
        """Write a checkpoint in place of the last one.

        Raises:
            OutputError: the disk is full; the last one is as it was.
        """
        state = {
            "recipe": self._recipe,
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "scaler": self._scaler.state_dict(),
            "overflows": self.overflows,
            "opponent": self.opponent.state() if self.opponent else None,
        }
        with PendingFile(self.out / CHECKPOINT, overwrite=True) as pending:
            torch.save(state, pending.path)
            pending.commit()

    def _restore(self, checkpoint: Path) -> None:
        found = load_plain(checkpoint)
        if not isinstance(found, dict) or "recipe" not in found:
            raise WeightsError(
                f"expected a checkpoint of 'upreel train' in {checkpoint}, found something else; "
                "name another folder"
            )
        state: dict[str, Any] = found
        if state["recipe"] != self._recipe:
            differences = ", ".join(_differences(state["recipe"], self._recipe))
            raise UsageError(
                f"expected the recipe that {self.out} was begun with, found other {differences}; "
                "take that one, or another folder"
            )
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        for optimizer, kept in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self._scaler.load_state_dict(state["scaler"])
        self.overflows = state["overflows"]
        if self.opponent:
            self.opponent.restore(state["opponent"])

    def _forget_metrics(self) -> None:
        """Drop the lines of steps that are not in the checkpoint: they will be done again."""
        path = self.out / METRICS
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        complete = [line for line in lines if line.endswith("\n")]
        path.write_text("".join(li for li in complete if json.loads(li)["step"] <= self.step))

    def curve(self) -> dict[int, float]:
        """The PSNR of each validation so far, in dB, by the steps done."""
        lines = map(json.loads, (self.out / METRICS).read_text().splitlines())
        return {figures["step"]: figures["psnr"] for figures in lines if "psnr" in figures}

    @contextmanager
    def metrics(self, *, written: bool = True) -> Iterator[Log]:
        """Append figures to the log of the run, one line each, or to nothing."""
        if not written:
            yield lambda figures: None
            return
        board = _open_board(self.out / BOARD, self.step)
        try:
            with (self.out / METRICS).open("a", buffering=1) as file:

                def log(figures: Mapping[str, float]) -> None:
                    known = {key: value for key, value in figures.items() if math.isfinite(value)}
                    file.write(json.dumps(known) + "\n")  # JSON has no infinity
                    if board:
                        for name in known.keys() - {"step"}:
                            board.add_scalar(name, known[name], int(known["step"]))

                yield log
        finally:
            if board:
                board.close()


def _build(recipe: Recipe) -> nn.Module:
    """The network of a recipe with its first weights."""
    arguments = {"scale": recipe.scale, **recipe.network.arguments}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        try:
            network = upscaler_class(recipe.network.name)(**arguments)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"expected network.arguments that {recipe.network.name} takes, but: {error}"
            ) from error
    if not isinstance(network, nn.Module) or not any(True for _ in network.parameters()):
        raise UsageError(f"{recipe.network.name} has nothing to train")
    if recipe.network.init:
        warm_start(network, recipe.network.init, recipe.network.arguments)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _open_board(folder: Path, step: int) -> SummaryWriter | None:
    """A log for TensorBoard, if that is installed, without what it knew of later steps."""
    if find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=step + 1)


def _oppose(
    recipe: Recipe, network: nn.Module, terms: Sequence[Term], device: torch.device
) -> Opponent | None:
    """The discriminator of a recipe with its first weights, if it has one."""
    sides = [term for term in terms if isinstance(term, Adversarial)]
    if recipe.discriminator is None:
        return None
    planes = 1 if cast(Upscaler, network).spec.color == "luma" else 3
    motion = recipe.discriminator.motion
    find = _find_motion(Path(motion), device) if motion else None
    return Opponent(
        recipe.discriminator, sides[0], planes, seed=recipe.seed, find_motion=find, device=device
    )


def _find_motion(path: Path, device: torch.device) -> FindMotion:
    """A flow network; luma is shown to it as grey."""
    network = read_spynet(path.expanduser()).to(device)

    def find(frames: Tensor, neighbours: Tensor) -> Tensor:
        flow: Tensor = network(*(one.expand(-1, 3, -1, -1) for one in (frames, neighbours)))
        return flow

    return find


def _differences(one: str, other: str) -> Iterator[str]:
    """Names of the recipe's parts that differ."""
    left, right = (cast("dict[str, object]", json.loads(text)) for text in (one, other))
    yield from (name for name in left | right if left.get(name) != right.get(name))
