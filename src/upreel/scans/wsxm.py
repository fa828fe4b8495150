"""WSxM's images, `.stp` and `.top`: a text header, then rows of little-endian numbers.

Own code: AFMReader 0.0.7 takes square images only, cuts the height range of `.top` to whole units,
and does not turn the image, which is stored last pixel first. Scaling as Gwyddion does it: floating
numbers are heights already, integers span the stated range from their least to their greatest.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from upreel.errors import MediaError
from upreel.scans.scan import Fact, Scan, as_heights

_TYPES = {"double": "<f8", "float": "<f4", "integer": "<i2", "short": "<i2"}
_NANOMETRES = {"nm": 1.0, "µm": 1e3, "um": 1e3, "Å": 0.1, "pm": 1e-3, "mm": 1e6}


def read_wsxm(path: Path, channel: str | None) -> Scan:
    """Read the one channel of a file.

    Raises:
        MediaError: the header lacks what is needed, or the data are cut off.
    """
    data = path.read_bytes()
    size = re.search(rb"Image header size:\s*(\d+)", data[:400])
    if size is None:
        raise MediaError(f"{path}: expected 'Image header size' at its beginning, found none")
    start = int(size[1])
    pairs = (line.partition(":") for line in data[:start].decode("latin-1").splitlines())
    header: dict[str, Fact] = {key.strip(): value.strip() for key, colon, value in pairs if colon}
    rows, columns = (int(_stated(header, path, f"Number of {x}")) for x in ("rows", "columns"))
    kind = _TYPES[str(header.get("Image Data Type", _usual(path)))]
    values = np.frombuffer(data, kind, count=rows * columns, offset=start).astype(np.float64)
    top, unit = _quantity(_stated(header, path, "Z Amplitude"))
    if kind[1] == "i":
        low, high = values.min(), values.max()
        values = (values - low) * (top / max(high - low, 1))
    factor = _NANOMETRES.get(unit)
    across, down = (_quantity(_stated(header, path, f"{axis} Amplitude")) for axis in "XY")
    sides = [s * _NANOMETRES[u] for s, u in (across, down) if u in _NANOMETRES]
    return Scan(
        as_heights(values[::-1].reshape(rows, columns) * (factor or 1.0), path.name),
        pixel_size=(sides[0] / columns, sides[1] / rows) if len(sides) == 2 else None,
        unit="nm" if factor else unit,
        channel=str(header.get("Acquisition channel", "")),
        metadata=header,
        source=path.name,
    )


def _usual(path: Path) -> str:
    """What old files, which do not state the type, hold."""
    return "double" if path.suffix.lower() == ".stp" else "short"


def _stated(header: dict[str, Fact], path: Path, name: str) -> str:
    if name not in header:
        raise MediaError(f"{path}: expected '{name}' in its header, found none")
    return str(header[name])


def _quantity(text: str) -> tuple[float, str]:
    """`1.5 nm`: the number and the unit."""
    number, _, unit = text.partition(" ")
    return float(number), unit.strip()
