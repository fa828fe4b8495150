"""Training of a denoiser of scans on the best scan of each burst, as yasue32/afm-denoise did.

RBPN looks at a scan and six others with the optical flow to them, and has to make the scan with the
fewest stripes of it, which is noisy itself and lies elsewhere by the drift between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
from upreel.training.optim import make_optimizers
from upreel.training.schedule import rate_at
from upreel.training.tables import Positive, Rate, Table

BURST = 10


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


def train_on_pseudo_truth(
    recipe: PseudoTruthRecipe, out: Path, *, progress: Callable[[str], None] = lambda line: None
) -> RBPN:
    """Train, or go on from the checkpoint in a folder; loss L1. Returns the trained network."""
    network = build_rbpn(recipe)

    def loss_of(step: int) -> Tensor:
        clip, target = draw_batch(recipe, step)
        output = denoise_clip(network, clip)
        return F.l1_loss(output, target.expand_as(output))

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
        make_optimizers(network, "adam", recipe.rate, betas=(0.9, 0.999)),
        loss_of,
        rate_of,
        steps=recipe.steps,
        out=out,
        average=0.0,  # as published: the last weights
        save_every=recipe.save_every,
        validate_every=recipe.validate_every,
        validate=validate,
        progress=progress,
    )


def draw_batch(recipe: PseudoTruthRecipe, step: int) -> tuple[Tensor, Tensor]:
    """The batch of a step, always the same.

    Returns:
        `(B, frames, 1, patch, patch)` with the base in the middle, and the target `(B, 1, patch,
        patch)`.
    """
    random = np.random.default_rng((recipe.seed, 1, step))
    clips, targets = [], []
    for _ in range(recipe.batch):
        images = _images(recipe.seed, int(random.integers(recipe.movies)), recipe.size)
        patch, choice = draw_patch(images, recipe.patch, random)
        patch = augment(patch, random)
        clips.append(patch[[*_ordered(choice.base, choice.others, recipe.frames)]])
        targets.append(patch[choice.target])
    clip, target = (torch.from_numpy(np.stack(one)) for one in (clips, targets))
    return clip[:, :, None], target[:, None]


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
