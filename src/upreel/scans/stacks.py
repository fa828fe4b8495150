"""TIFF stacks as ImageJ writes and reads them."""

from __future__ import annotations

from pathlib import Path

from upreel.errors import MediaError
from upreel.scans.facts import describe, described, facts_of, require
from upreel.scans.scan import Scan, as_heights

_NANOMETRES = {
    "nm": 1.0,
    "um": 1e3,
    "micron": 1e3,
    "\\u00b5m": 1e3,
    "µm": 1e3,
    "mm": 1e6,
    "cm": 1e7,
}


def read_tiff(path: Path, channel: str | None) -> Scan:
    """Read the first series of pages; the scale of a file from elsewhere is what ImageJ says.

    Raises:
        MediaError: there are fewer pages than the file says.
    """
    with require("tifffile", ".tif").TiffFile(path) as file:
        series = file.series[0]
        heights = as_heights(series.asarray().squeeze(), path.name)
        facts = file.imagej_metadata or {}
        tags = series.pages[0].tags
        density = [tags[name].value for name in ("XResolution", "YResolution") if name in tags]
    if facts.get("images", len(heights)) != len(heights):
        raise MediaError(
            f"{path} cannot be read as .tif: expected {facts['images']} images of one channel, "
            f"found {len(heights)}; it is cut off, or has several channels"
        )
    if "upreel" in facts:
        return described(heights, str(facts["upreel"]))
    factor = _NANOMETRES.get(str(facts.get("unit", "")).lower())
    known = factor is not None and len(density) == 2 and all(n for n, _ in density)
    sides = [d / n * factor for n, d in density] if known and factor else []
    interval = facts.get("finterval")
    return Scan(
        heights,
        pixel_size=(sides[0], sides[1]) if sides else None,
        frame_time=float(interval) if interval else None,
        metadata=facts_of(facts),
        source=path.name,
    )


def write_tiff(scan: Scan, path: Path) -> None:
    """Write float32 pages; ImageJ shows the scale of the pixels and the time between frames."""
    facts: dict[str, object] = {"axes": "TYX", "upreel": describe(scan)}
    density = None
    if scan.pixel_size is not None:
        facts["unit"] = "nm"
        density = tuple(1 / side for side in scan.pixel_size)
    if scan.frame_time is not None:
        facts["finterval"] = scan.frame_time
    require("tifffile", ".tif").imwrite(
        path, scan.heights, imagej=True, resolution=density, metadata=facts
    )
