"""Files of instruments, through AFMReader, pySPM, tifffile and igor2.

What else the headers say than AFMReader returns is read here. Lengths are made nm. Not used: libasd
1.5.6 for `.asd`, which refuses a converter's range that AFMReader reads; and AFMReader 0.0.7 for
`.jpk`, which looks for tags by names that tifffile has since changed (here: by their numbers).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import numpy as np

from upreel.errors import MediaError
from upreel.scans.facts import facts_of, require
from upreel.scans.scan import Fact, Scan, as_heights

_MEASURED = ("height", "measuredheight", "amplitude", "error")
"""Channels of `.h5-jpk` that AFMReader turns into nm."""
_HEIGHTS = ("Height Sensor", "Height", "ZSensor")
_NANOMETRES = {"nm": 1.0, "um": 1e3, "µm": 1e3, "pm": 1e-3, "mm": 1e6}


def read_asd(path: Path, channel: str | None) -> Scan:
    """Read a high-speed AFM movie: `TP` (height), `ER` (error) or `PH` (phase)."""
    channel = channel or "TP"
    frames, _, header = _afmreader("asd", ".asd").load_asd(path, channel)
    # AFMReader computes this one with an exclusive or.
    header.pop("analogue_digital_resolution", None)
    return Scan(
        as_heights(frames, path.name),
        pixel_size=(header["x_nm"] / header["x_pixels"], header["y_nm"] / header["y_pixels"]),
        unit="deg" if channel == "PH" else "nm",
        frame_time=header["frame_time"] / 1000,
        channel=channel,
        metadata=facts_of(header),
        source=path.name,
    )


def read_jpk(path: Path, channel: str | None) -> Scan:
    """Read an image of JPK's: a channel such as `height_trace` or `vDeflection_retrace`.

    Each page after the first, a small picture, is a channel. Its conversions from code values are
    in slots of 48 tags, of which the instrument's program shows one.

    Raises:
        MediaError: there is no such channel.
    """
    with require("tifffile", ".jpk").TiffFile(path) as file:
        first, *pages = [{int(t.code): t.value for t in page.tags} for page in file.pages]
        names = [f"{tags[0x8050]}_{'retrace' if tags[0x8051] else 'trace'}" for tags in pages]
        wanted = channel or "height_trace"
        if wanted not in names:
            raise MediaError(f"{path}: expected a channel {wanted!r}, found {', '.join(names)}")
        tags = pages[names.index(wanted)]
        codes = file.pages[names.index(wanted) + 1].asarray()
    slots = [0x8090 + 48 * number for number in range(tags[0x8080])]
    shown = next(slot for slot in slots if tags[slot] == tags[0x8081])
    linear = tags[shown + 0x13] == "LinearScaling"
    factor, offset = (tags[shown + 0x14], tags[shown + 0x15]) if linear else (1.0, 0.0)
    unit = str(tags.get(shown + 0x12, ""))
    nanometres = 1e9 if unit == "m" else 1.0
    name, _, direction = wanted.rpartition("_")
    header = {f"tag {code}": value for code, value in (first | tags).items()}
    return Scan(
        as_heights(np.flipud(codes * factor + offset) * nanometres, path.name),
        pixel_size=(first[0x8042] / first[0x8046] * 1e9, first[0x8043] / first[0x8047] * 1e9),
        unit="nm" if unit == "m" else unit,
        channel=name,
        direction=direction,
        metadata=facts_of(header),
        source=path.name,
    )


def read_h5_jpk(path: Path, channel: str | None) -> Scan:
    """Read a movie of JPK's: a channel such as `height_trace`."""
    channel = channel or "height_trace"
    frames, pixel, times = _afmreader("h5_jpk", ".h5-jpk").load_h5jpk(path, channel)
    with require("h5py", ".h5-jpk").File(path) as file:
        header = facts_of(file["Measurement_000"].attrs)
    return Scan(
        as_heights(frames, path.name),
        pixel_size=(float(pixel), float(pixel)),  # it reads square images only
        unit="nm" if channel.rpartition("_")[0].lower() in _MEASURED else "",
        frame_time=float(times["frame 1"]) if len(times) > 1 else None,
        channel=channel.rpartition("_")[0],
        direction=channel.rpartition("_")[2],
        metadata=header,
        source=path.name,
    )


def read_spm(path: Path, channel: str | None) -> Scan:
    """Read an image of Bruker's: a channel such as `Height Sensor`; its trace if it has one.

    Raises:
        MediaError: there is no such channel, or it is no file of Bruker's.
    """
    reader = require("pySPM", ".spm")
    lines = path.read_bytes().split(b"\n")
    # For this line pySPM looks for ever.
    if not any(line.rstrip().replace(b"\\", b"") == b"*File list end" for line in lines):
        raise MediaError(f"{path}: expected a header of Bruker's, found none, or part of one")
    file = reader.Bruker(str(path))
    layers = [
        {k.decode("latin-1"): b": ".join(v).decode("latin-1") for k, v in layer.items()}
        for layer in file.layers
    ]
    named = [(re.findall(r'"([^"]*)"', x.get("@2:Image Data", "")), x) for x in layers]
    names = [name[-1] for name, _ in named if name]
    wanted = channel or next((name for name in _HEIGHTS if name in names), "Height")
    if wanted not in names:
        raise MediaError(f"{path}: expected a channel {wanted!r}, found {', '.join(names)}")
    ours = [layer for name, layer in named if name and name[-1] == wanted]
    sizes = {int(v) for layer in ours for k, v in layer.items() if k.lower() == "bytes/pixel"}
    if not sizes <= {2, 4, 8}:  # with which pySPM takes a power
        found = ", ".join(map(str, sorted(sizes)))
        raise MediaError(f"{path}: expected 2, 4 or 8 bytes for a pixel, found {found}")
    image = file.get_channel(wanted)
    trace = [layer for layer in ours if layer.get("Line Direction") != "Retrace"]
    header = (trace or ours)[0]
    real, pixels = image.size["real"], image.size["pixels"]
    factor = _NANOMETRES.get(real["unit"])
    scale = _NANOMETRES.get(image.zscale)
    return Scan(
        as_heights(np.flipud(image.pixels) * (scale or 1.0), path.name),
        pixel_size=None if factor is None
        else (real["x"] / pixels["x"] * factor, real["y"] / pixels["y"] * factor),
        unit="nm" if scale else str(image.zscale),
        channel=wanted,
        direction=header.get("Line Direction", "").lower(),
        metadata=facts_of(header),
        source=path.name,
    )  # fmt: skip


def read_ibw(path: Path, channel: str | None) -> Scan:
    """Read an image of Asylum Research's: a channel such as `HeightRetrace`.

    Raises:
        MediaError: there is no such channel.
    """
    wave = require("igor2.binarywave", ".ibw").load(str(path))["wave"]
    data = np.asarray(wave["wData"])
    names = [name.decode("latin-1") for labels in wave["labels"] for name in labels if name]
    layers = data.reshape(*data.shape[:2], -1)
    names = names if len(names) == layers.shape[2] else [f"{n}" for n in range(layers.shape[2])]
    wanted = channel or next((name for name in names if name.startswith("Height")), names[0])
    if wanted not in names:
        raise MediaError(f"{path}: expected a channel {wanted!r}, found {', '.join(names)}")
    note = wave["note"].decode("latin-1").replace("\n", "\r")
    pairs = (line.partition(":") for line in note.split("\r"))
    header: dict[str, Fact] = {key.strip(): value.strip() for key, colon, value in pairs if colon}
    direction = "retrace" if wanted.endswith("Retrace") else "trace" if "Trace" in wanted else ""
    metres = wanted.startswith(("Height", "ZSensor", "Amplitude", "Deflection"))
    return Scan(
        as_heights(
            np.flipud(layers[:, :, names.index(wanted)].T) * (1e9 if metres else 1), path.name
        ),
        pixel_size=_ibw_pixel(header, layers.shape),
        unit="nm" if metres else "deg" if wanted.startswith("Phase") else "",
        channel=wanted,
        direction=direction,
        metadata=header,
        source=path.name,
    )


def _ibw_pixel(header: Mapping[str, Fact], shape: tuple[int, ...]) -> tuple[float, float] | None:
    sizes = [header.get(name) for name in ("FastScanSize", "SlowScanSize")]
    if None in sizes:
        return None
    across, down = (float(size or 0) * 1e9 / n for size, n in zip(sizes, shape[:2], strict=True))
    return across, down


def _afmreader(name: str, suffix: str) -> ModuleType:
    """A module of AFMReader, which otherwise tells stderr every step."""
    module = require(f"AFMReader.{name}", suffix)
    require("loguru", suffix).logger.disable("AFMReader")
    return module
