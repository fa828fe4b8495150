"""Training of a denoiser of scans on the best scan of each burst, as yasue32/afm-denoise did.

RBPN looks at a scan and six others with the optical flow to them, and has to make the scan with the
fewest stripes of it, which is noisy itself and lies elsewhere by the drift between the two. If
wanted, it has to pass for a good scan as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from upreel.data.pseudo_truth import augment, draw_patch, scale_burst
from upreel.data.scan_simulator import simulate_scan
from upreel.losses.adversarial import Adversarial
from upreel.losses.seen import Seen
from upreel.metrics.scans import scan_psnr
from upreel.models import upscaler_class
from upreel.models.pixels import PLANES
from upreel.models.rbpn import RBPN, Variant
from upreel.models.upscaler import Color, Window
from upreel.models.weights import Argument
from upreel.ops.flow import FlowProvider, find_flow
from upreel.scans.scan import Heights
from upreel.training.denoising import HELD_OUT
from upreel.training.fitting import fit
from upreel.training.opponent import Exhibit, Opponent
from upreel.training.optim import make_optimizers
from upreel.training.ranks import Ranks
from upreel.training.schedule import rate_at
from upreel.training.tables import Discriminator, Optimizer, Positive, Rate, Table

BURST = 10
_BETAS = (0.9, 0.999)


class PseudoTruthRecipe(Table):
    """All that a run depends on. What is written here is what was published.

    Attributes:
        method: which of the recipes for scans this is.
        seed: of every random choice.
        variant: how large the network is.
        trunk: 2: it works at twice the size and folds its features back by a convolution of 6x6
            with a stride of 2; 1: it works at the size of the scan.
        frames: that it looks at, the base among them.
        color: "rgb" for three times the same image, as published; "luma" for one.
        flow: what finds the optical flow from the base to the others.
        movies: how many simulated bursts are learned from.
        size: side of a scan.
        patch: side of what is learned from at a time.
        steps: of the whole run; the rate falls to a tenth at half of them.
        batch: patches in a step.
        rate: learning rate of Adam.
        adversarial: what passing for a good scan counts beside L1: 0.005 as published, which is as
            often left out there. The discriminator is SRGAN's, its losses are probabilities without
            a logarithm, its rate does not fall.
        judge: channels of the discriminator's first convolution.
        save_every: steps between checkpoints.
        validate_every: steps between scores.
        scored: how many movies the result is scored on.
    """

    method: Literal["pseudo-truth"] = "pseudo-truth"
    seed: int = 1
    variant: Variant = "paper"
    trunk: Literal[1, 2] = 2
    frames: Positive = 7
    color: Color = "rgb"
    flow: FlowProvider = "variational"
    movies: Positive = 50
    size: Positive = 256
    patch: Positive = 64
    steps: Positive = 300_000
    batch: Positive = 12
    rate: Rate = 1e-4
    adversarial: Rate = 0.0
    judge: Positive = 64
    save_every: Positive = 100
    validate_every: Positive = 5000
    scored: Positive = 20


def network_arguments(recipe: PseudoTruthRecipe) -> dict[str, Argument]:
    """What the constructor of the network is called with."""
    arguments: dict[str, Argument] = {
        "scale": 1,
        "variant": recipe.variant,
        "frames": recipe.frames,
        "color": recipe.color,
        "flow": recipe.flow,
    }
    return arguments if recipe.trunk == 1 else arguments | {"trunk": recipe.trunk}


def build_rbpn(recipe: PseudoTruthRecipe) -> RBPN:
    """The network of a recipe with its first weights."""
    torch.manual_seed(recipe.seed)
    network = upscaler_class("rbpn")(**network_arguments(recipe))
    return cast(RBPN, network)


class Match:
    """The adversarial part of a run: to pass for a good scan of the burst."""

    def __init__(self, recipe: PseudoTruthRecipe) -> None:
        """Make it, before its first step."""
        self._weight, self._rate = recipe.adversarial, recipe.rate
        self._loss = Adversarial("linear")
        optimizer = Optimizer(name="adam", betas=_BETAS, rate=recipe.rate, clip=1e6)
        table = Discriminator(
            name="srgan", arguments={"channels": recipe.judge}, optimizer=optimizer
        )
        self._opponent = Opponent(table, self._loss, PLANES[recipe.color], seed=recipe.seed)
        self._exhibit: Exhibit | None = None

    def loss_of(self, output: Tensor, good: Tensor) -> Tensor:
        """What the network has to lose: both `(B, C, H, W)`."""
        made, true = output[:, None], good.expand_as(output)[:, None]
        self._exhibit = self._opponent.look(made, true, 0)
        fake, _ = self._opponent.judge(self._exhibit)
        return self._weight * self._loss(Seen(made, true, torch.ones(1), fake=fake))

    def follow(self) -> dict[str, float]:
        """The discriminator's step, on what it saw last."""
        assert self._exhibit is not None
        return {"discriminator": self._opponent.learn([self._exhibit], self._rate, Ranks())}

    def state(self) -> dict[str, object]:
        """All that the next step depends on."""
        return self._opponent.state()

    def restore(self, state: dict[str, object]) -> None:
        """Take up what `state` returned."""
        self._opponent.restore(state)


def train_on_pseudo_truth(
    recipe: PseudoTruthRecipe, out: Path, *, progress: Callable[[str], None] = lambda line: None
) -> RBPN:
    """Train, or go on from the checkpoint in a folder. Returns the trained network."""
    network = build_rbpn(recipe)
    match = Match(recipe) if recipe.adversarial else None

    def loss_of(step: int) -> Tensor:
        batch = draw_batch(recipe, step)
        output = denoise_clip(network, batch.clip)
        loss = F.l1_loss(output, batch.target.expand_as(output))
        return loss + match.loss_of(output, batch.good) if match else loss

    def rate_of(step: int) -> float:
        return rate_at(
            step,
            steps=recipe.steps,
            peak=recipe.rate,
            final=recipe.rate,
            warm_up=0,
            shape="multi-step",
            at=(recipe.steps // 2,),
            factor=0.1,
        )

    return fit(
        network,
        make_optimizers(network, "adam", recipe.rate, betas=_BETAS),
        loss_of,
        rate_of,
        steps=recipe.steps,
        out=out,
        average=0.0,  # as published: the last weights
        save_every=recipe.save_every,
        validate_every=recipe.validate_every,
        validate=validate,
        progress=progress,
        beside=match,
    )


@dataclass(frozen=True, slots=True)
class Bursts:
    """What a step sees.

    Attributes:
        clip: `(B, frames, 1, patch, patch)` with the base in the middle.
        target: `(B, 1, patch, patch)`, what serves as the truth.
        good: the same, any good scan of the burst, for a discriminator; the target if there is
            none.
    """

    clip: Tensor
    target: Tensor
    good: Tensor


def draw_batch(recipe: PseudoTruthRecipe, step: int) -> Bursts:
    """The batch of a step, always the same."""
    random = np.random.default_rng((recipe.seed, 1, step))
    clips, targets, goods = [], [], []
    for _ in range(recipe.batch):
        images = _images(recipe.seed, int(random.integers(recipe.movies)), recipe.size)
        patch, choice = draw_patch(images, recipe.patch, random)
        patch = augment(patch, random)
        clips.append(patch[[*_ordered(choice.base, choice.others, recipe.frames)]])
        targets.append(patch[choice.target])
        goods.append(patch[(*choice.good, choice.target)[0]])
    clip, target, good = (torch.from_numpy(np.stack(one)) for one in (clips, targets, goods))
    return Bursts(clip[:, :, None], target[:, None], good[:, None])


def denoise_clip(network: RBPN, clip: Tensor) -> Tensor:
    """Denoise the middle scan of `(B, T, 1, H, W)`, 0..1: `(B, C, H, W)`, C as in the network."""
    past, future = network.spec.past, network.spec.future
    clip = clip.expand(-1, -1, PLANES[network.color], -1, -1)
    neighbours = [n for n in range(clip.shape[1]) if n != past]
    base = clip[:, past : past + 1].expand(-1, len(neighbours), -1, -1, -1)
    flow = find_flow(base, clip[:, neighbours], provider=network.spec.flow)
    window = Window(clip, past, future, {"flow": flow[:, None]})
    return network.step(window, {})[0][:, 0]


def denoise_with_rbpn(network: RBPN, heights: Heights, base: int) -> Heights:
    """Denoise one scan of a burst with the scans around it: `(H, W)`, in their unit, levelled."""
    frames = network.spec.past + network.spec.future + 1
    others = sorted((n for n in range(len(heights)) if n != base), key=lambda n: abs(n - base))
    burst = scale_burst(heights)
    clip = burst.images[[*_ordered(base, sorted(others[: frames - 1]), frames)]]
    with torch.inference_mode():
        clean = denoise_clip(network, torch.from_numpy(clip)[None, :, None])
    return (clean[0].mean(0).numpy() * burst.span + burst.low).astype(np.float32)


def _ordered(base: int, others: tuple[int, ...] | list[int], frames: int) -> Iterator[int]:
    """The numbers of the scans as the network takes them: the base in the middle."""
    before = frames // 2
    yield from others[:before]
    yield base
    yield from islice(others, before, frames - 1)


@lru_cache(maxsize=256)
def _images(seed: int, index: int, size: int) -> NDArray[np.float32]:
    return scale_burst(simulate_scan((size, size), BURST, seed=seed, index=index).heights).images


def validate(network: RBPN) -> float:
    """Mean PSNR on simulated movies that are not learned from, in dB; only to look at."""
    movies = [simulate_scan((64, 64), BURST, seed=HELD_OUT, index=index) for index in range(5)]
    middle = BURST // 2
    outputs = map(partial(denoise_with_rbpn, network, base=middle), (m.heights for m in movies))
    return float(
        np.mean([scan_psnr(o, m.truth[middle]) for o, m in zip(outputs, movies, strict=True)])
    )
