"""What a recipe learns from and is scored on, and the batches that are drawn from it."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

import numpy as np

from upreel.core.background import make_ahead
from upreel.data.cache import Version, open_pack, pack
from upreel.data.clips import Clip, find_clips, has_splits, is_drawn
from upreel.data.datasets.splits import split
from upreel.data.degradations import Codes, degrade, samples_first
from upreel.data.loader import (
    MARGIN,
    WIDE_MARGIN,
    Augmentation,
    Loader,
    Motion,
    Shape,
    WeightedSet,
)
from upreel.data.samples import Batch, Sampler, by_length
from upreel.data.sources import DrawnSource, FileSource, Scenes
from upreel.errors import UsageError
from upreel.models.upscaler import Spec
from upreel.ops.flow import Dis
from upreel.training.ranks import Ranks
from upreel.training.recipe import Recipe
from upreel.training.schedule import stage_at
from upreel.training.tables import ClipSet
from upreel.video.trust import TRUST, Trust

Batches = Callable[[range], Iterator[Batch]]
"""This process's part of the batch of each step."""

_MOST_WORKERS = 16
_PACKED = 4
"""Batches of packed clips that are drawn at a time: little work, but much memory."""


@dataclass(frozen=True, slots=True)
class Part:
    """A set of clips.

    Attributes:
        name: of the set; empty for the only one.
        folder: that it lies in.
        weight: how likely it is beside the others.
        train: what is learned from.
        val: what scores are of; nothing where the set is not divided.
    """

    name: str
    folder: Path
    weight: float
    train: tuple[Clip, ...]
    val: tuple[Clip, ...]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The clips that scores are of.

    Attributes:
        folder: for the report.
        clips: none where nothing is held out.
    """

    folder: Path
    clips: tuple[Clip, ...]

    @classmethod
    def of(cls, parts: Sequence[Part]) -> HeldOut:
        """Those of all sets; drawn ones only if there are no others."""
        parts = [part for part in parts if part.val]
        parts = [part for part in parts if part.val[0].drawing is None] or parts
        folders = " + ".join(str(part.folder) for part in parts)
        return cls(Path(folders), tuple(clip for part in parts for clip in part.val))


def find_parts(recipe: Recipe, data: Path | None, trust: Trust = TRUST) -> list[Part]:
    """Find the clips of a recipe.

    Args:
        recipe: with sets, unless `data` is given.
        data: a folder that takes the place of all of them but those that need no file.
        trust: what the clips may cost, and where they may lead.

    Raises:
        UsageError: nothing says where clips are.
        MediaError: there are none.
    """
    if data is not None:
        drawn = [each for each in recipe.data.sets if is_drawn(Path(each.path))]
        given = ClipSet.model_construct(name="", path=str(data))
        return [_find_part(each, trust) for each in (given, *drawn)]
    if not recipe.data.sets:
        raise UsageError(
            f"expected clips for {recipe.name}, whose recipe names no sets, found none; "
            "pass --data FOLDER, or --data procedural for clips that need no file"
        )
    return [_find_part(each, trust) for each in recipe.data.sets]


def _find_part(each: ClipSet, trust: Trust) -> Part:
    folder, name, weight = Path(each.path), each.name, each.weight
    if not each.split:
        train = find_clips(folder, "train", stills=True, trust=trust)
        val = find_clips(folder, trust=trust) if has_splits(folder) else []
        return Part(name, folder, weight, tuple(train), tuple(val))
    if has_splits(folder):
        raise UsageError(
            f"expected no 'split' for the set {name}, because {folder} is divided already, found "
            f"{list(each.split)}; leave it out"
        )
    shares = dict(zip(("train", "val", "test"), each.split, strict=True))
    divided = split(find_clips(folder, trust=trust), each.seed, parts=shares)
    return Part(name, folder, weight, tuple(divided["train"]), tuple(divided["val"]))


def open_batches(
    recipe: Recipe,
    parts: Sequence[Part],
    spec: Spec,
    cache: Path,
    ranks: Ranks,
    progress: Callable[[str], None],
) -> Batches:
    """Make what is missing of the cache, where the recipe wants one, and open the clips.

    Args:
        recipe: of the run.
        parts: see `find_parts`.
        spec: of the network.
        cache: where prepared clips lie.
        ranks: who shares the batches.
        progress: is told lines about what happens.

    Raises:
        UsageError: no clip is long and large enough for a stage; prepared clips do not have what
            the network wants.
    """
    # What is drawn has no end, which a cache would give it.
    drawn = all(clip.drawing is not None for part in parts for clip in part.train)
    if recipe.data.packed and not drawn:
        _check_packed(recipe.network.name, spec)
        draw = _draw_packed(recipe, spec, _prepare(recipe, parts, spec, cache, progress), ranks)
    else:
        draw = _draw_from_files(recipe, parts, spec, ranks)

    def batches(steps: range) -> Iterator[Batch]:
        for step, batch in zip(steps, draw(steps), strict=True):
            yield batch.mirrored() if stage_at(step, recipe.stages).mirrored else batch

    return batches


def _check_packed(network: str, spec: Spec) -> None:
    """Refuse what prepared clips do not have.

    Raises:
        UsageError: RGB, frames that nobody sees, or flow to more frames or of another kind.
    """
    if spec.color != "luma":
        raise UsageError(
            f"expected a network for luma with packed clips, found {network} for {spec.color}; "
            "set data.packed=false"
        )
    if spec.rate != 1:
        raise UsageError(
            "expected a network that makes a frame for each that it sees with packed clips, found "
            f"{network}, which makes {spec.rate}; set data.packed=false"
        )
    near = "flow" not in spec.inputs or max(spec.past, spec.future) <= 1
    if spec.inputs and not (near and spec.flow in get_args(Dis)):
        raise UsageError(
            f"expected a network that wants flow of {', '.join(get_args(Dis))} to at most 1 frame "
            f"before and after with packed clips, found {network}, which wants {spec.flow!r} to "
            f"{spec.past} and {spec.future}; set data.packed=false"
        )


def _prepare(
    recipe: Recipe,
    parts: Sequence[Part],
    spec: Spec,
    cache: Path,
    progress: Callable[[str], None],
) -> Sampler:
    flow = cast(Dis, spec.flow) if spec.inputs else "dis"
    packing = replace(recipe.packing, flow=flow)
    versions, weights = list[Version](), list[float]()
    for part in parts:
        for made in pack(part.train, cache / part.name, packing):
            progress(f"prepared {made}")
        opened = open_pack(part.train, cache / part.name, packing)
        share = by_length(opened)
        weights += list(part.weight * share / share.sum())
        versions += opened
    first_phase = any(map(samples_first, packing.degradations.values()))
    sampler = Sampler(versions, scale=recipe.scale, first_phase=first_phase, weights=weights)
    for stage in recipe.stages:  # now, not when hours have passed
        sampler.check(frames=stage.frames, crop=stage.crop)
    progress(f"{len(versions)} versions of clips in {cache}")
    return sampler


def _workers(ranks: Ranks) -> int:
    """Threads that make batches: the cores, shared with the other processes."""
    return max(2, min((os.cpu_count() or 1) // ranks.count, _MOST_WORKERS))


def _draw_packed(recipe: Recipe, spec: Spec, sampler: Sampler, ranks: Ranks) -> Batches:
    def draw(step: int) -> Batch:
        shape = _shape(recipe, step, spec)
        return ranks.slice(
            sampler.batch(recipe.seed, step, size=shape.size, frames=shape.frames, crop=shape.crop)
        )

    def batches(steps: range) -> Iterator[Batch]:
        return make_ahead(draw, steps, workers=_PACKED, depth=_PACKED)

    return batches


def _draw_from_files(recipe: Recipe, parts: Sequence[Part], spec: Spec, ranks: Ranks) -> Batches:
    chains = tuple(recipe.packing.degradations.values())

    def lower(clip: Codes, *, key: str) -> Codes:
        chain = chains[zlib.crc32(f"{key} version".encode()) % len(chains)]
        return degrade(clip, chain, scale=recipe.scale, key=key)

    sets = [WeightedSet(part.name, _sources(recipe, part, spec), part.weight) for part in parts]
    augmentation = Augmentation(
        tuple(range(1, recipe.data.strides + 1)), transpose=recipe.data.transpose,
        reverse=recipe.data.reverse, jitter=recipe.data.jitter,
    )  # fmt: skip
    loader = Loader(
        sets, lower, scale=recipe.scale, seed=recipe.seed, flow=_motion(recipe, spec),
        augmentation=augmentation,
    )  # fmt: skip
    return lambda steps: loader.batches(
        lambda step: _shape(recipe, step, spec), steps, rank=ranks.rank, ranks=ranks.count,
        workers=_workers(ranks),
    )  # fmt: skip


def _sources(
    recipe: Recipe, part: Part, spec: Spec
) -> Sequence[FileSource] | Sequence[DrawnSource]:
    """The clips of a set; those that need no file are as large and long as the recipe wants."""
    drawing = part.train[0].drawing
    if drawing is None:
        return [FileSource(clip, spec.color) for clip in part.train]
    side = max(stage.crop + 2 * _margin(spec) for stage in recipe.stages) * recipe.scale
    steps = max((each.frames - 1) * max(each.rates or (spec.rate,)) for each in recipe.stages)
    frames = steps * recipe.data.strides + 1
    return Scenes(drawing.kind, spec.color, (side, side), frames)


def _motion(recipe: Recipe, spec: Spec) -> Motion | None:
    """The flow that a network wants, and that losses want: at least one frame back and ahead."""
    if not spec.inputs:
        return None
    if "flow_along" in spec.inputs:
        return Motion(provider=spec.flow)
    every = spec.recurrent or any(stage.mirrored for stage in recipe.stages)
    left_out = (0, 0) if every else (spec.past, spec.future)
    return Motion(max(spec.past, 1), max(spec.future, 1), spec.flow, left_out)


def _shape(recipe: Recipe, step: int, spec: Spec) -> Shape:
    stage = stage_at(step, recipe.stages)
    rate = int(np.random.default_rng((recipe.seed, step)).choice(stage.rates or (spec.rate,)))
    return Shape(stage.batch, stage.frames, stage.crop, rate, _margin(spec))


def _margin(spec: Spec) -> int:
    return WIDE_MARGIN if _makes_new(spec) else MARGIN


def _makes_new(spec: Spec) -> bool:
    """Whether frames are made between others along flow."""
    return "flow_along" in spec.inputs and spec.rate > 1
