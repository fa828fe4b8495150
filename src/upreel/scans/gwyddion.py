"""Gwyddion's own files. A movie is as many images of one title, in the order of their numbers."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from upreel.errors import MediaError
from upreel.scans.components import Components, read_components
from upreel.scans.facts import from_text, require, to_text
from upreel.scans.scan import Fact, Scan, as_heights

_DATA = re.compile(r"/(\d+)/data")
_OURS = "upreel: "
"""Before the names of what Gwyddion has no place for."""


def read_gwy(path: Path, channel: str | None) -> Scan:
    """Read the images of one title: of the one asked for, else that of the first image.

    Raises:
        MediaError: there is no image, none of this title, or they differ in size.
        ValueError: the file is damaged, or something else.
    """
    box = read_components(path.read_bytes())
    numbers = sorted((match[1] for match in map(_DATA.fullmatch, box.values) if match), key=int)
    titles = {number: box.text(f"/{number}/data/title") for number in numbers}
    if not numbers or (channel is not None and channel not in titles.values()):
        found = ", ".join(dict.fromkeys(titles.values())) or "no image"
        raise MediaError(f"{path}: expected images named {channel or 'in any way'}, found {found}")
    title = titles[numbers[0]] if channel is None else channel
    chosen = [number for number in numbers if titles[number] == title]
    fields = [box.part(f"/{number}/data") for number in chosen]
    first = fields[0]
    images = [_image(field) for field in fields]
    if len({image.shape for image in images}) > 1:
        raise MediaError(f"{path}: expected images named {title!r} of one size, found several")
    factor, unit = _scale(first.part("si_unit_z").text("unitstr"))
    across, lateral = _scale(first.part("si_unit_xy").text("unitstr"))
    rows, columns = images[0].shape
    meta = {k: from_text(str(v)) for k, v in box.part(f"/{chosen[0]}/meta").values.items()}
    ours = {k.removeprefix(_OURS): meta.pop(k) for k in list(meta) if k.startswith(_OURS)}
    time = ours.get("frame_time")
    return Scan(
        as_heights(np.stack(images) * factor, path.name),
        pixel_size=(
            (first.number("xreal") / columns * across, first.number("yreal") / rows * across)
            if lateral == "nm"
            else None
        ),
        unit=unit,
        frame_time=time if isinstance(time, float) else None,
        channel=str(ours.get("channel", title)),
        direction=str(ours.get("direction", "")),
        metadata=meta,
        source=str(ours.get("source", path.name)),
    )


def _image(field: Components) -> NDArray[np.float64]:
    """The heights of an image: `(rows, columns)`."""
    columns, rows = int(field.number("xres")), int(field.number("yres"))
    heights = field.numbers("data")
    if min(columns, rows) < 1 or columns * rows != heights.size:
        raise ValueError(f"expected {columns}x{rows} heights in an image, found {heights.size}")
    return heights.reshape(rows, columns)


def write_gwy(scan: Scan, path: Path) -> None:
    """Write one image for each frame, lengths in metres as Gwyddion wants them."""
    objects = require("gwyfile.objects", ".gwy")
    factor, unit = (1e-9, "m") if scan.unit == "nm" else (1.0, scan.unit)
    columns, rows = scan.size
    sides = scan.pixel_size
    box = objects.GwyContainer()
    for number, frame in enumerate(scan.heights):
        field = objects.GwyDataField(
            np.asarray(frame, np.float64) * factor,
            xreal=columns * (1 if sides is None else sides[0] * 1e-9),
            yreal=rows * (1 if sides is None else sides[1] * 1e-9),
            si_unit_xy="" if sides is None else "m",
            si_unit_z=unit,
        )
        box[f"/{number}/data"] = field
        box[f"/{number}/data/title"] = scan.channel or "Height"
        box.typecodes[f"/{number}/data/title"] = "s"
    facts = {**scan.metadata, **{_OURS + name: fact for name, fact in _ours(scan).items()}}
    # Without its type, gwyfile takes a text of one letter for a character.
    types = dict.fromkeys(facts, "s")
    box["/0/meta"] = objects.GwyContainer({k: to_text(v) for k, v in facts.items()}, types)
    box.filename = path.name
    with path.open("wb") as file:
        box.tofile(file)


def _ours(scan: Scan) -> dict[str, Fact]:
    """What Gwyddion has no place for."""
    time: dict[str, Fact] = {} if scan.frame_time is None else {"frame_time": scan.frame_time}
    return {
        "channel": scan.channel,
        "direction": scan.direction,
        "source": scan.source,
        **time,
    }


def _scale(unit: str) -> tuple[float, str]:
    """By what to multiply values of a unit, and the unit that they then have: lengths are in nm."""
    return (1e9, "nm") if unit == "m" else (1.0, unit)
