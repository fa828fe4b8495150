"""The loop that trains."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from upreel.data.cache import open_pack, pack
from upreel.data.clips import Clip, find_clips, has_splits
from upreel.data.degradations import samples_first
from upreel.data.samples import Batch, Sampler
from upreel.errors import NumericError
from upreel.evaluation.evaluate import evaluate, score
from upreel.losses import Term, make_loss
from upreel.losses.seen import Seen
from upreel.models.upscaler import Upscaler
from upreel.models.weights import build
from upreel.training.export import export, weights_path
from upreel.training.ranks import Ranks, join, split
from upreel.training.recipe import Recipe
from upreel.training.run import Run
from upreel.training.schedule import decay_at, rate_at, stage_at
from upreel.training.unrolling import enlarge_clips

Progress = Callable[[str], None]

_FIRST_FRAME = 0.5
"""What a sequence's first frame counts: it has no past."""
_TELL_EVERY = 50
_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def train(
    recipe: Recipe,
    *,
    data: Path,
    out: Path,
    cache: Path | None = None,
    resume: bool = False,
    progress: Progress = lambda line: None,
) -> Path:
    """Train a network, score it, and write its weights. Computes on the CPU.

    With one thread (`torch.set_num_threads(1)`) a run that was stopped at any instant and resumed
    gives the same bits as one that was not.

    Args:
        recipe: all that the result depends on beside the clips.
        data: a folder of clips, see `find_clips`. Without splits nothing is scored.
        out: folder of the run: `recipe.json`, `metrics.jsonl`, `checkpoint.pt`, `report.json`, and
            the weights.
        cache: where prepared clips lie; several runs on the same clips may share it. In `out`
            without it.
        resume: go on from the last checkpoint in `out`, if there is one.
        progress: is told lines about what happens.

    Returns:
        The file of weights.

    Raises:
        UsageError: `out` has a run and `resume` is not set, or it is a run of another recipe; the
            network cannot be built or trained; no clip is long and large enough for a stage.
        MediaError: there are no clips.
        NumericError: the loss is no longer finite.
    """
    with join() as ranks:
        if ranks.rank:
            progress = _silent
        return _train(recipe, data, out, cache or out / "cache", resume, ranks, progress)


def _train(
    recipe: Recipe,
    data: Path,
    out: Path,
    cache: Path,
    resume: bool,
    ranks: Ranks,
    progress: Progress,
) -> Path:
    first = ranks.rank == 0
    clips = find_clips(data, "train", stills=True)
    if not first:
        ranks.wait()  # the first one prepares the folder and the clips
    run = Run.begin(recipe, out, resume=resume or not first, begins=first)
    sampler = _prepare(recipe, clips, cache, progress)
    if first:
        ranks.wait()
    held_out = data if has_splits(data) else None
    if held_out is None:
        progress(f"{data} has no folders train and val: the network will not be scored")
    terms = [(loss.weight, make_loss(loss.name, loss.options)) for loss in recipe.losses]
    settings, begun, first_step = recipe.optimizer, time.monotonic(), run.step
    with run.metrics(written=first) as log:
        for step in range(run.step, recipe.steps):
            stage = stage_at(step, recipe.stages)
            batch = sampler.batch(
                recipe.seed, step, size=stage.batch, frames=stage.frames, crop=stage.crop
            )
            if stage.mirrored:
                batch = batch.mirrored()
            rate = rate_at(
                step,
                steps=recipe.steps,
                peak=settings.rate,
                final=settings.final_rate,
                warm_up=settings.warm_up,
                shape=settings.schedule,
                at=settings.at,
                factor=settings.factor,
            )
            run.network.zero_grad(set_to_none=True)
            lost = 0.0
            for part in split(ranks.slice(batch), settings.accumulate, "parts"):
                loss = _loss(recipe, run.network, part, terms) / settings.accumulate
                run.backward(loss)
                lost += loss.item()
            run.unscale()
            lost = ranks.average(run.network, lost)
            norm = nn.utils.clip_grad_norm_(run.network.parameters(), settings.clip)
            _check_finite(step, lost, 0.0 if recipe.precision == "fp16" else float(norm))
            run.update(rate, decay=decay_at(step, limit=settings.average))
            log({"step": run.step, "loss": lost, "norm": float(norm), "rate": rate})
            if run.step % _TELL_EVERY == 0 or run.step == recipe.steps:
                each = (time.monotonic() - begun) / (run.step - first_step)
                left = timedelta(seconds=round(each * (recipe.steps - run.step)))
                progress(
                    f"step {run.step}/{recipe.steps}, loss {255 * lost:.3f} levels, {left} left"
                )
            if (
                first
                and held_out
                and run.step % recipe.validate_every == 0 < recipe.steps - run.step
            ):
                means = _validate(recipe, run.average, held_out)
                log({"step": run.step, **means})
                progress(f"step {run.step}/{recipe.steps}, {means['psnr']:.2f} dB")
            if first and (run.step % recipe.save_every == 0 or run.step == recipe.steps):
                run.save()
    if not first:
        ranks.wait()
        return weights_path(recipe, out)
    path = _finish(recipe, run, clips, held_out, progress)
    ranks.wait()
    return path


def _silent(line: str) -> None:
    """What the other processes say: nothing."""


def _prepare(recipe: Recipe, clips: list[Clip], cache: Path, progress: Progress) -> Sampler:
    """Make what is missing of the cache, and open it."""
    packing = recipe.packing
    for made in pack(clips, cache, packing):
        progress(f"prepared {made}")
    versions = open_pack(clips, cache, packing)
    first_phase = any(map(samples_first, packing.degradations.values()))
    sampler = Sampler(versions, scale=recipe.scale, first_phase=first_phase)
    for stage in recipe.stages:  # now, not when hours have passed
        sampler.check(frames=stage.frames, crop=stage.crop)
    progress(f"{len(versions)} versions of clips in {cache}")
    return sampler


def _loss(
    recipe: Recipe, network: nn.Module, batch: Batch, terms: Sequence[tuple[float, Term]]
) -> Tensor:
    """The weighted sum of the losses of one batch."""
    with torch.autocast("cpu", _TYPES[recipe.precision], enabled=recipe.precision != "fp32"):
        output = enlarge_clips(network, batch, checkpointing=recipe.checkpointing)
    weight = torch.ones(output.shape[1])
    weight[0] = _FIRST_FRAME
    seen = Seen(output, batch.high, weight / weight.sum(), batch.flow)
    return torch.stack([counts * term(seen) for counts, term in terms]).sum()


def _check_finite(step: int, loss: float, norm: float) -> None:
    """Stop before numbers that are none get into the weights.

    Raises:
        NumericError: one of the two is not finite.
    """
    for name, value in (("loss", loss), ("gradient", norm)):
        if not abs(value) < float("inf"):
            raise NumericError(
                f"expected a finite {name}, found {value} at step {step + 1}; begin anew with a "
                "lower optimizer.rate (the last checkpoint is as it was)"
            )


def _validate(recipe: Recipe, average: nn.Module, data: Path) -> dict[str, float]:
    """Score the averaged weights through the loop that users run."""
    network = copy.deepcopy(average).to(_TYPES[recipe.precision])
    report = score({recipe.name: cast(Upscaler, network)}, recipe.validation, data)
    return report[recipe.name].means


def _finish(
    recipe: Recipe, run: Run, clips: list[Clip], held_out: Path | None, progress: Progress
) -> Path:
    """Write the weights, score what was written, and write that into them."""
    path = export(recipe, run.average, clips, run.out)
    if held_out:
        report = evaluate({recipe.name: build(path)}, recipe.validation, held_out)
        (run.out / "report.json").write_text(report.to_json())
        means = report[recipe.name].means
        path = export(recipe, run.average, clips, run.out, scores={recipe.protocol: means})
        gain = report.gain(report[recipe.name], "bicubic")
        progress(f"{recipe.protocol}: {json.dumps(means)}, {gain:+.2f} dB over bicubic")
    return path
