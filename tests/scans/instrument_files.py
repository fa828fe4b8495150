"""Tiny files as instruments write them, made from their layouts byte by byte."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

CODES = np.arange(12, dtype=np.int16).reshape(3, 4)
"""Three rows of four samples, all different: nothing can be turned unseen."""


def write_asd(path: Path, frames: int = 2) -> None:
    """High-speed AFM, version 1, one channel; the converter has 12 bits for -5 to 5 V."""
    rows, columns = CODES.shape
    user = b"ann\0"
    # Text encoding, sizes of name and comment, channel as UTF-16, frames, direction, file.
    head = struct.pack(
        "<iii4s4siiii", 932, len(user), 0, b"T\0P\0", b"\0" * 4, frames, frames, 1, 7
    )
    head += struct.pack("<iiii?i", columns, rows, 8, 3, True, 1)
    head += struct.pack("<8i", 2020, 2, 3, 4, 5, 6, 0, 0)
    head += struct.pack("<fffi12x", 80.0, 1.0, 1.0, 0)
    head += struct.pack("<iIi", 2, 0x40000, 12)
    head += struct.pack("<6f", 700, 2900, 7.5, 29.0, 10.0, 2.0) + user
    data = struct.pack("<iii", 1, len(head) + 12, 32) + head
    for number in range(frames):
        data += struct.pack("<ihhhhff?bhii", number, 11, 0, 0, 0, 0, 0, False, 0, 0, 0, 0)
        data += (CODES + 100 * number).astype("<i2").tobytes()
    path.write_bytes(data)


def write_jpk(path: Path) -> None:
    """A thumbnail with the grid, then the trace and the retrace of the height."""
    tifffile = pytest.importorskip("tifffile")
    grid = [
        (32834, "d", 1, 400e-9),
        (32835, "d", 1, 150e-9),
        (32838, "i", 1, 4),
        (32839, "i", 1, 3),
    ]
    with tifffile.TiffWriter(path) as file:
        file.write(np.zeros((2, 2), np.uint8), extratags=[(*tag, True) for tag in grid])
        for retrace in (0, 1):
            slots = [
                (32848, "s", 0, "height"), (32849, "i", 1, retrace), (32896, "i", 1, 2),
                (32897, "s", 0, "nominal"), (32912, "s", 0, "raw"), (32960, "s", 0, "nominal"),
                (32979, "s", 0, "LinearScaling"), (32978, "s", 0, "m"), (32980, "d", 1, 2e-9),
                (32981, "d", 1, 1e-9),
            ]  # fmt: skip
            codes = (CODES + 50 * retrace).astype(np.int32)
            file.write(codes, extratags=[(*tag, True) for tag in slots])


def write_h5_jpk(path: Path) -> None:
    """Two square frames as columns, metres as 16-bit integers with a scale."""
    h5py = pytest.importorskip("h5py")
    frames = np.arange(18, dtype=np.int16).reshape(2, 9)
    with h5py.File(path, "w") as file:
        measurement = file.create_group("Measurement_000")
        measurement.attrs["position-pattern.grid.ulength"] = 300e-9
        measurement.attrs["position-pattern.grid.ilength"] = 3
        measurement.attrs["timing-settings.scanRate"] = 30.0
        channel = measurement.create_group("Channel_001")
        channel.attrs["channel.name"] = "height"
        channel.attrs["retrace"] = "false"
        channel.attrs["net-encoder.scaling.multiplier"] = 1e-9
        channel.attrs["net-encoder.scaling.offset"] = 5e-9
        channel.create_dataset("Height", data=frames.T)


def write_spm(path: Path) -> None:
    """Bruker's, 16 bits, the trace of a height sensor: 10 nm/V, 6.5536 V in 65536 steps."""
    header = "\r\n".join([
        r"\*File list", r"\*Scanner list", r"\@Sens. ZsensSens: V 10.00000 nm/V",
        r"\*Ciao image list", r"\Data offset: 1024", r"\Data length: 24", r"\Bytes/pixel: 2",
        r"\Samps/line: 4", r"\Number of lines: 3", r"\Scan Size: 2 2 ~m", r"\Aspect Ratio: 1:1",
        r"\Line Direction: Trace", r"\Valid data len X: 4", r"\Valid data len Y: 3",
        r'\@2:Image Data: S [ZSensor] "Height Sensor"',
        r"\@2:Z scale: V [Sens. ZsensSens] (0.006 V/LSB) 6.5536 V",
        r"\@2:Z offset: V [Sens. ZsensSens] (0.006 V/LSB) 0 V",
        r"\*File list end", "",
    ])  # fmt: skip
    path.write_bytes(header.encode("latin-1").ljust(1024, b"\0") + CODES.astype("<i2").tobytes())


def write_ibw(path: Path, layers: NDArray[np.float32]) -> None:
    """Igor's binary wave of version 5 with the note and the labels of Asylum Research.

    Args:
        path: of the file.
        layers: `(2, H, W)`, first row on top.
    """
    note = b"FastScanSize: 2e-06\rSlowScanSize: 1.5e-06\rImaging Mode: AC Mode\r"
    labels = b"".join(name.ljust(32, b"\0") for name in (b"", b"HeightRetrace", b"PhaseRetrace"))
    count, rows, columns = layers.shape
    # Dates, number of values, single precision, name; then the sizes, what a step along each is.
    wave = struct.pack("<4i2h6xh32s8x", 0, 0, 0, layers.size, 2, 0, 1, b"wave")
    wave += struct.pack("<4i", columns, rows, count, 0) + struct.pack("<8d", *[1.0] * 8)
    wave = wave.ljust(320, b"\0")
    data = np.flip(layers, 1).astype("<f4").tobytes()
    sizes = struct.pack("<3i", len(wave) + len(data), 0, len(note))
    sizes += struct.pack("<9i", 0, 0, 0, 0, 0, 0, 0, len(labels), 0) + struct.pack("<3i", 0, 0, 0)
    # The sum of all 16-bit words of both headers has to be 0.
    total = int(np.frombuffer(struct.pack("<hh", 5, 0) + sizes + wave, "<i2").astype(int).sum())
    start = struct.pack("<hH", 5, -total & 0xFFFF)
    path.write_bytes(start + sizes + wave + data + note + labels)


def write_wsxm(path: Path, kind: str, values: NDArray[np.generic]) -> None:
    """WSxM's: a text header that states its own length, the last pixel first."""
    lines = [
        "WSxM file copyright UAM", "SxM Image file", "Image header size: 00000", "", "[Control]",
        "", "    X Amplitude: 0.4 µm", "    Y Amplitude: 150 nm", "", "[General Info]", "",
        "    Acquisition channel: Topography", f"    Image Data Type: {kind}",
        "    Number of columns: 4", "    Number of rows: 3", "    Z Amplitude: 5.5 nm", "",
        "[Header end]", "",
    ]  # fmt: skip
    header = "\r\n".join(lines).encode("latin-1")
    header = header.replace(b"00000", b"%05d" % len(header))
    path.write_bytes(header + values[::-1, ::-1].tobytes())
