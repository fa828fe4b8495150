"""Gwyddion's own files. A movie is as many images of one title, in the order of their numbers."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Protocol

import numpy as np

from upreel.errors import MediaError
from upreel.scans.facts import from_text, require, to_text
from upreel.scans.scan import Fact, Scan, as_heights

_DATA = re.compile(r"/(\d+)/data")
_OURS = "upreel: "
"""Before the names of what Gwyddion has no place for."""


class _Unit(Protocol):
    unitstr: str


def read_gwy(path: Path, channel: str | None) -> Scan:
    """Read the images of one title: of the one asked for, else that of the first image.

    Raises:
        MediaError: there is no image, none of this title, or they differ in size.
    """
    reader, data = require("gwyfile", ".gwy"), path.read_bytes()
    _, _, rest = data.partition(b"\0")
    if not data.startswith(b"GWYP") or len(rest) < 4 + int.from_bytes(rest[:4], "little"):
        # Of part of a text gwyfile looks for the end for ever.
        raise MediaError(f"{path} cannot be read as .gwy: it is cut off, or something else")
    box = reader.load(BytesIO(data))
    numbers = sorted(int(match[1]) for match in map(_DATA.fullmatch, box) if match)
    titles = {number: str(box.get(f"/{number}/data/title", "")) for number in numbers}
    if not numbers or (channel is not None and channel not in titles.values()):
        found = ", ".join(dict.fromkeys(titles.values())) or "no image"
        raise MediaError(f"{path}: expected images named {channel or 'in any way'}, found {found}")
    title = titles[numbers[0]] if channel is None else channel
    chosen = [number for number in numbers if titles[number] == title]
    fields = [box[f"/{number}/data"] for number in chosen]
    first = fields[0]
    if len({(field["xres"], field["yres"]) for field in fields}) > 1:
        raise MediaError(f"{path}: expected images named {title!r} of one size, found several")
    factor, unit = _scale(first.si_unit_z)
    across, lateral = _scale(first.si_unit_xy)
    meta = {k: from_text(str(v)) for k, v in box.get(f"/{chosen[0]}/meta", {}).items()}
    ours = {k.removeprefix(_OURS): meta.pop(k) for k in list(meta) if k.startswith(_OURS)}
    time = ours.get("frame_time")
    return Scan(
        as_heights(np.stack([field.data for field in fields]) * factor, path.name),
        pixel_size=(
            (first.xreal / first["xres"] * across, first.yreal / first["yres"] * across)
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


def _scale(unit: _Unit | None) -> tuple[float, str]:
    """By what to multiply values of a unit, and the unit that they then have: lengths are in nm."""
    text = unit.unitstr if unit is not None else ""
    return (1e9, "nm") if text == "m" else (1.0, text)
