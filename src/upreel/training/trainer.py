"""The loop that trains."""

from __future__ import annotations

import copy
import json
import math
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import torch
from torch import nn

from upreel.core.background import prefetch
from upreel.data.samples import Batch
from upreel.errors import NumericError
from upreel.evaluation.evaluate import evaluate, score
from upreel.evaluation.protocols import Protocol
from upreel.losses.seen import Seen
from upreel.models.upscaler import Upscaler
from upreel.models.weights import build
from upreel.training.batches import HeldOut, Part, find_parts, open_batches
from upreel.training.export import export, weights_path
from upreel.training.opponent import Exhibit
from upreel.training.pictures import draw_pictures, write_picture
from upreel.training.ranks import Ranks, join, split
from upreel.training.recipe import Recipe
from upreel.training.run import Run
from upreel.training.schedule import decay_at, rate_at
from upreel.training.tables import Optimizer
from upreel.training.unrolling import Maker, compared, make_clips
from upreel.video.trust import TRUST, Trust

Progress = Callable[[str], None]

_FIRST_FRAME = 0.5
"""What a sequence's first frame counts: it has no past."""
_OVERFLOWS = 25
"""Steps that fp16 may leave out in a row; the scale of gradients begins at 2**16 and halves."""
_SAVE_AFTER = 180.0
"""Seconds without a checkpoint, at most, where steps are slow."""
_TELL_EVERY = 50
_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def train(
    recipe: Recipe,
    *,
    data: Path | None = None,
    out: Path,
    cache: Path | None = None,
    resume: bool = False,
    device: str = "cpu",
    compiled: bool = False,
    trust: Trust = TRUST,
    progress: Progress = lambda line: None,
) -> Path:
    """Train a network, score it, and write its weights.

    With one thread of a CPU (`torch.set_num_threads(1)`) a run that was stopped at any instant and
    resumed gives the same bits as one that was not.

    Args:
        recipe: all that the result depends on beside the clips.
        data: a folder of clips, see `find_clips`, in place of the sets that the recipe names,
            except those that need no file.
            Without splits nothing is scored.
        out: folder of the run: `recipe.json`, `metrics.jsonl`, `checkpoint.pt`, `report.json`,
            `pictures` of each validation, the weights, and, if the package tensorboard is here,
            `tensorboard` with the figures of `metrics.jsonl`.
        cache: where prepared clips lie; several runs on the same clips may share it. In `out`
            without it.
        resume: go on from the last checkpoint in `out`, if there is one; it may have been made on
            another device.
        device: a device of torch, or `auto`.
        compiled: whether torch compiles the way through the network and back: minutes before the
            first step of each stage, for faster steps.
        trust: what the clips may cost, and where they may lead.
        progress: is told lines about what happens.

    Returns:
        The file of weights.

    Raises:
        UsageError: there is no such device; `out` has a run and `resume` is not set, or it is a run
            of another recipe; the network cannot be built or trained; no clip is long and large
            enough for a stage.
        MediaError: there are no clips.
        NumericError: the loss is no longer finite.
    """
    with join() as ranks:
        if ranks.rank:
            progress = _silent
        return _train(
            recipe, data, out, cache or out / "cache", resume, trust, ranks,
            ranks.choose_device(device), compiled, progress,
        )  # fmt: skip


def _train(
    recipe: Recipe,
    data: Path | None,
    out: Path,
    cache: Path,
    resume: bool,
    trust: Trust,
    ranks: Ranks,
    device: torch.device,
    compiled: bool,
    progress: Progress,
) -> Path:
    first = ranks.rank == 0
    parts = find_parts(recipe, data, trust)
    if not first:
        ranks.wait()  # the first one prepares the folder and the clips
    run = Run.begin(recipe, out, resume=resume or not first, begins=first, device=device)
    spec = cast(Upscaler, run.network).spec
    batches = open_batches(recipe, parts, spec, cache, ranks, progress)
    if first:
        ranks.wait()
    held_out = HeldOut.of(parts)
    if not held_out.clips:
        progress("no clips are held out (folders train and val): the network will not be scored")
    make: Maker = torch.compile(make_clips, dynamic=False) if compiled else make_clips
    begun, first_step = time.monotonic(), run.step
    saved, steps = begun, range(run.step, recipe.steps)
    with (
        run.metrics(written=first) as log,
        closing(prefetch((each.to(device) for each in batches(steps)), depth=1)) as drawn,
    ):
        for step, batch in zip(steps, drawn, strict=True):
            figures = take_step(recipe, run, batch, step, ranks=ranks, make=make)
            log(figures)
            if run.step % _TELL_EVERY == 0 or run.step == recipe.steps:
                each = (time.monotonic() - begun) / (run.step - first_step)
                left = timedelta(seconds=round(each * (recipe.steps - run.step)))
                loss = figures["loss"]
                progress(f"step {run.step}/{recipe.steps}, loss {loss:.5f}, {left} left")
            if not first:
                continue
            if held_out.clips and run.step % recipe.validate_every == 0 < recipe.steps - run.step:
                means = _validate(recipe, run, held_out)
                log({"step": run.step, **means})
                progress(f"step {run.step}/{recipe.steps}, {means['psnr']:.2f} dB")
            late = time.monotonic() - saved > _SAVE_AFTER
            if late or run.step % recipe.save_every == 0 or run.step == recipe.steps:
                run.save()
                saved = time.monotonic()
    if not first:
        ranks.wait()
        return weights_path(recipe, out)
    path = _finish(recipe, run, parts, held_out, progress)
    ranks.wait()
    return path


def take_step(
    recipe: Recipe, run: Run, batch: Batch, step: int, *, ranks: Ranks, make: Maker = make_clips
) -> dict[str, float]:
    """Make one step of a run.

    Args:
        recipe: of the run.
        run: is moved on.
        batch: this process's part of that of the step, on the device of the run.
        step: from 0.
        ranks: who else takes part.
        make: what the network makes of a batch: `make_clips`, or that compiled.

    Returns:
        Figures for the log.

    Raises:
        NumericError: the loss is no longer finite.
    """
    settings = recipe.optimizer
    rate = _rate(settings, step, recipe.steps)
    run.network.zero_grad(set_to_none=True)
    lost, exhibits = 0.0, list[Exhibit]()
    for number, part in enumerate(split(batch, settings.accumulate, "parts")):
        seen, exhibit = _see(recipe, run, part, (step, ranks.rank, number), make)
        loss = torch.stack([counts * term(seen) for counts, term in run.terms]).sum()
        run.backward(loss / settings.accumulate)
        lost += loss.item() / settings.accumulate
        exhibits += [exhibit] if exhibit else []
    lost = ranks.average(run.network, lost)
    run.unscale()  # after the mean, so that all processes leave out the same steps
    norm = float(nn.utils.clip_grad_norm_(run.network.parameters(), settings.clip))
    # fp16 leaves out a step whose gradient is not finite, and scales the next one less.
    checked = {"loss": lost} if recipe.precision == "fp16" else {"loss": lost, "gradient": norm}
    _check_finite(step, checked)
    run.update(rate, decay=decay_at(step, limit=settings.average))
    _check_overflows(run)
    figures = {"step": run.step, "loss": lost, "norm": norm, "rate": rate}
    if run.opponent and recipe.discriminator:  # the other network's turn
        against = _rate(recipe.discriminator.optimizer, step, recipe.steps)
        figures["discriminator"] = run.opponent.learn(exhibits, against, ranks)
        _check_finite(step, {"loss of the discriminator": figures["discriminator"]})
    return figures


def _silent(line: str) -> None:
    """What the other processes say: nothing."""


def _rate(settings: Optimizer, step: int, steps: int) -> float:
    return rate_at(
        step,
        steps=steps,
        peak=settings.rate,
        final=settings.final_rate,
        warm_up=settings.warm_up,
        shape=settings.schedule,
        at=settings.at,
        factor=settings.factor,
    )


def _see(
    recipe: Recipe, run: Run, batch: Batch, place: tuple[int, int, int], make: Maker
) -> tuple[Seen, Exhibit | None]:
    """What the losses look at, of one batch, and the discriminator; `place` is that of the batch.

    What a network leaves out at random depends on the place, so that a run can be resumed.
    """
    network = run.network
    with (
        torch.random.fork_rng(devices=[]),  # that of a GPU is seeded here and used nowhere else
        torch.autocast(
            run.device.type, _TYPES[recipe.precision], enabled=recipe.precision != "fp32"
        ),
    ):
        torch.manual_seed(zlib.crc32(repr((recipe.seed, *place)).encode()))
        output, motion, doubt = make(network, batch, checkpointing=recipe.checkpointing)
    spec = cast(Upscaler, network).spec
    made = compared(spec, batch, output.shape[1])
    whole = output.shape[1] == batch.high.shape[1]
    weight = torch.ones(output.shape[1], device=run.device)
    if spec.recurrent and not spec.future:  # others know what follows the first frame
        weight[0] = _FIRST_FRAME
    seen = Seen(
        output, made.high, weight / weight.sum(), made.flow,
        low=made.low, motion=motion, parameters=dict(network.named_parameters()),
        doubt=doubt,
    )  # fmt: skip
    if run.opponent is None:
        return seen, None
    exhibit = run.opponent.look(output, batch.high, 0 if whole else spec.past)
    fake, real = run.opponent.judge(exhibit)
    return replace(seen, fake=fake, real=real), exhibit


def _check_finite(step: int, values: Mapping[str, float]) -> None:
    """Stop before numbers that are none get into the weights.

    Raises:
        NumericError: one of the values is not finite.
    """
    for name, value in values.items():
        if not abs(value) < math.inf:
            raise NumericError(
                f"expected a finite {name}, found {value} at step {step + 1}; begin anew with a "
                "lower optimizer.rate (the last checkpoint is as it was)"
            )


def _check_overflows(run: Run) -> None:
    """Stop a run that only seems to go on.

    Raises:
        NumericError: fp16 could not hold the gradients of many steps in a row.
    """
    if run.overflows >= _OVERFLOWS:
        raise NumericError(
            f"expected gradients that fp16 can hold, found none in the {run.overflows} steps up to "
            f"step {run.step}; begin anew with precision bf16 or fp32"
        )


def _validate(recipe: Recipe, run: Run, held_out: HeldOut) -> dict[str, float]:
    """Score the averaged weights through the loop that users run, and draw what they make."""
    network = copy.deepcopy(run.average).to(_TYPES[recipe.precision])
    upscaler, protocol = cast(Upscaler, network), recipe.validation
    report = score({recipe.name: upscaler}, protocol, held_out.folder, clips=held_out.clips)
    _draw(upscaler, run, protocol, held_out)
    return report[recipe.name].means


def _draw(upscaler: Upscaler, run: Run, protocol: Protocol, held_out: HeldOut) -> None:
    picture = draw_pictures(upscaler, protocol, held_out.clips)
    write_picture(picture, run.out / "pictures" / f"{run.step:07}.png")


def _finish(
    recipe: Recipe, run: Run, parts: list[Part], held_out: HeldOut, progress: Progress
) -> Path:
    """Write the weights, score what was written, and write that into them."""
    clips = [clip for part in parts for clip in part.train]
    path = export(recipe, run.average, clips, run.out)
    if held_out.clips:
        network, protocol = build(path, device=run.device), recipe.validation
        report = evaluate({recipe.name: network}, protocol, held_out.folder, clips=held_out.clips)
        (run.out / "report.json").write_text(report.to_json())
        means = report[recipe.name].means
        with run.metrics() as log:
            log({"step": run.step, **means})
        _draw(network, run, protocol, held_out)
        scores = {recipe.protocol: means}
        path = export(recipe, run.average, clips, run.out, scores=scores, curve=run.curve())
        over = report.baselines[0]
        gain = report.gain(report[recipe.name], over)
        progress(f"{recipe.protocol}: {json.dumps(means)}, {gain:+.2f} dB over {over}")
    return path
