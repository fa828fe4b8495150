"""One measurement of `bench`, in its own process: `python -m upreel.evaluation.measure REQUEST`."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import av
from av.video.reformatter import VideoReformatter

from upreel.core.heap import keep_freed_memory
from upreel.errors import UpreelError
from upreel.evaluation.bench import LANCZOS, PEER, Case, Timing
from upreel.inference.pipeline import Options, upscale
from upreel.inference.precision import choose_device, choose_precision
from upreel.inference.stages import Stage, Stages
from upreel.models.compact import Compact
from upreel.models.upscaler import Upscaler
from upreel.models.weights import load, prepare
from upreel.video.encoding import Encoding

ENCODING = Encoding(codec="libx264", crf=18, preset="veryfast")


def measure(case: Case, source: Path) -> Timing:
    """Enlarge the first frames of a video of the case's size, in this process."""
    way = _scale_with_swscale if case.model == LANCZOS else _upscale
    with tempfile.TemporaryDirectory(prefix="upreel-bench-") as folder:
        frames, seconds, cpu, stages = way(case, source, Path(folder) / "out.mp4")
    per_frame: dict[str, float] = {name: 1e3 * busy / frames for name, busy in stages.items()}
    return Timing(frames, seconds, per_frame, peak_memory(), cpu)


def peak_memory() -> int | None:
    """The most memory that this process held at a time, in bytes; `None` on Windows."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not getrusage: what it tells of a process on Linux includes the one that started it.
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


_Measured = tuple[int, float, float, Mapping[Stage, float]]
"""Frames, seconds, seconds of all cores, seconds of each stage."""


def _upscale(case: Case, source: Path, target: Path) -> _Measured:
    upscaler = _upscaler(case.model, case.scale)
    cpu = time.process_time()
    result = upscale(
        source, target, Options(scale=case.scale, encoding=ENCODING), upscaler=upscaler
    )
    return result.frames, result.seconds, time.process_time() - cpu, result.stages


def _upscaler(model: str, scale: int) -> Upscaler:
    """A model, or the peer, on the device and in the precision that users get."""
    device = choose_device()
    dtype = choose_precision("auto", device)
    if model != PEER:
        return load(model, scale, device=device, dtype=dtype)
    network = Compact(scale, color="luma")
    prepare(network, device=device, dtype=dtype)
    return network


def _scale_with_swscale(case: Case, source: Path, target: Path) -> _Measured:
    scaler, stages = VideoReformatter(), Stages()
    width, height = (case.scale * side for side in case.size)

    def lanczos(frame: av.VideoFrame) -> av.VideoFrame:
        return scaler.reformat(frame, width, height, interpolation="LANCZOS")

    began, cpu, count = time.perf_counter(), time.process_time(), 0
    with av.open(source) as container, av.open(target, "w") as output:
        container.streams.video[0].thread_type = "AUTO"
        options = {"crf": f"{ENCODING.crf}", "preset": f"{ENCODING.preset}"}
        stream = output.add_stream("libx264", rate=24, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        encode = stages.timed("encode", stream.encode)
        enlarge = stages.timed("network", lanczos)
        for frame in stages.iterate("decode", container.decode(video=0)):
            output.mux(encode(enlarge(frame)))
            count += 1
        output.mux(encode(None))
    seconds = time.perf_counter() - began
    return count, seconds, time.process_time() - cpu, stages.seconds


def main() -> None:
    """Measure what the request in the first argument asks for, and write it as JSON."""
    keep_freed_memory()
    request = json.loads(sys.argv[1])
    case = Case(**(request["case"] | {"size": tuple(request["case"]["size"])}))
    try:
        timing = measure(case, Path(request["source"]))
    except UpreelError as error:
        sys.exit(str(error))
    sys.stdout.write(json.dumps(asdict(timing)) + "\n")


if __name__ == "__main__":
    main()
