"""`upreel doctor`: what this machine can do, and which settings Upreel would choose on it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import typer

from upreel.cli.console import Verbose

ENCODERS = ("libx264", "libx265", "libsvtav1", "libvpx-vp9", "ffv1", "h264_nvenc", "hevc_nvenc")
PACKAGES = ("torch", "av", "numpy", "opencv-python-headless")


def doctor(verbose: Verbose = False) -> None:
    """Say what this machine can do, which settings would be chosen, and how fast that is here.

    Worth a look when upreel is slower than expected, and in every report of a mistake.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in (*describe_software(), *describe_hardware(), *describe_choice()):
        table.add_row(label, Text(value))
    console = Console()
    console.print(table)
    for line in measure_speed():
        console.print(line, highlight=False)


def describe_software() -> Iterator[tuple[str, str]]:
    """Versions, and which encoders came with PyAV."""
    import av
    from av.codec import codecs_available

    yield "upreel", version("upreel")
    yield "Python", f"{platform.python_version()}, {sys.executable}"
    yield "system", f"{platform.system()} {platform.release()}"
    for package in PACKAGES:
        yield package, version(package)
    yield (
        "FFmpeg libraries",
        ", ".join(
            f"{name} {'.'.join(map(str, number))}"
            for name, number in sorted(av.library_versions.items())
        ),
    )
    yield "encoders", ", ".join(name for name in ENCODERS if can_encode(name, codecs_available))


def can_encode(name: str, available: set[str]) -> bool:
    """Whether PyAV's FFmpeg has this encoder (a driver that it needs may still be missing)."""
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    try:
        return name in available and Codec(name, "w").is_encoder
    except UnknownCodecError:
        return False


def describe_hardware() -> Iterator[tuple[str, str]]:
    """Processor, memory, GPU."""
    import torch

    yield "processor", f"{processor_name()}, {os.cpu_count()} cores"
    yield "vector instructions", torch.backends.cpu.get_cpu_capability()
    total = total_memory()
    yield "memory", "not told" if total is None else f"{total / 1e9:.1f} GB"
    if torch.cuda.is_available():
        yield "GPU", torch.cuda.get_device_name()
    else:
        yield "GPU", "none that this PyTorch can use"


def processor_name() -> str:
    """The name that the maker gave the processor, where the system tells."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def total_memory() -> int | None:
    """Bytes of main memory; `None` where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def describe_choice() -> Iterator[tuple[str, str]]:
    """What `upreel upscale` would use here when nothing is said."""
    import torch

    from upreel.inference.pipeline import DEFAULT_MODEL
    from upreel.inference.precision import choose_device, choose_precision, convolution_seconds

    device = choose_device()
    yield "model", DEFAULT_MODEL
    yield "device", str(device)
    seconds = convolution_seconds(device)
    times = ", ".join(
        f"{name} {1e3 * seconds[dtype]:.2f} ms"
        for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))
    )
    chosen = str(choose_precision("auto", device)).removeprefix("torch.")
    yield "precision", f"{chosen} (one layer of 32 channels on 320x180: {times})"
    yield "torch threads", str(torch.get_num_threads())


def measure_speed() -> Iterator[str]:
    """Enlarge two seconds of the sample, files and all."""
    from importlib.resources import as_file, files

    from upreel.evaluation.bench import Case, bench
    from upreel.inference.pipeline import DEFAULT_MODEL

    typer.echo("measuring ...", err=True)
    with as_file(files("upreel") / "sample" / "sample.mp4") as sample:
        ((case, timing),) = bench([Case(DEFAULT_MODEL, frames=48)], sample, repetitions=1)
    width, height = case.size
    yield (
        f"{case.model}: {timing.fps:.1f} frames per second from {width}x{height} "
        f"to {width * 4}x{height * 4}, with decoding and encoding"
    )
