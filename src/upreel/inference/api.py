"""What `import upreel` offers: the pipeline with its options as keywords."""

from __future__ import annotations

from collections.abc import Callable, Generator
from fractions import Fraction
from pathlib import Path

from upreel.core.instants import FrameRate
from upreel.inference import pipeline
from upreel.inference.pipeline import DEFAULT_MODEL, Flow, Options, Progress, Result
from upreel.inference.plan import MOST_FRAMES
from upreel.inference.precision import Precision
from upreel.inference.retiming import DEFAULT_INTERPOLATOR
from upreel.video.deinterlace import Deinterlace
from upreel.video.encoding import Encoding
from upreel.video.frame import Frame
from upreel.video.trust import TRUST, Trust


def upscale(
    source: str | Path,
    target: str | Path,
    *,
    scale: int | None = None,
    size: tuple[int, int] | None = None,
    height: int | None = None,
    model: str = DEFAULT_MODEL,
    encoding: Encoding = Encoding(),  # noqa: B008 - frozen
    start: Fraction | None = None,
    end: Fraction | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    flow: Flow | None = None,
    flow_weights: Path | None = None,
    tile: int | None = None,
    deinterlace: Deinterlace = "auto",
    audio: bool = True,
    overwrite: bool = False,
    keep_going: bool = False,
    preview: Path | None = None,
    resume: bool = True,
    segment: int = MOST_FRAMES,
    trust: Trust = TRUST,
    fps: FrameRate | None = None,
    slowmo: int | None = None,
    interpolator: str = DEFAULT_INTERPOLATOR,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> Result:
    """Enlarge a video, image, or folder of images, and carry over all that belongs to it.

    The keywords are the fields of `upreel.inference.pipeline.Options`; `progress` is called after
    every frame.

    Raises:
        UpreelError: see `upreel.inference.pipeline.upscale`.
    """
    options = Options(
        scale=scale,
        size=size,
        height=height,
        model=model,
        encoding=encoding,
        start=start,
        end=end,
        device=device,
        precision=precision,
        flow=flow,
        flow_weights=flow_weights,
        tile=tile,
        deinterlace=deinterlace,
        audio=audio,
        overwrite=overwrite,
        keep_going=keep_going,
        preview=preview,
        resume=resume,
        segment=segment,
        trust=trust,
        fps=fps,
        slowmo=slowmo,
        interpolator=interpolator,
    )
    return pipeline.upscale(source, target, options, progress=progress)


def stream(
    source: str | Path,
    *,
    scale: int | None = None,
    size: tuple[int, int] | None = None,
    height: int | None = None,
    model: str = DEFAULT_MODEL,
    start: Fraction | None = None,
    end: Fraction | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    flow: Flow | None = None,
    flow_weights: Path | None = None,
    tile: int | None = None,
    deinterlace: Deinterlace = "auto",
    keep_going: bool = False,
    trust: Trust = TRUST,
    fps: FrameRate | None = None,
    slowmo: int | None = None,
    interpolator: str = DEFAULT_INTERPOLATOR,
) -> Generator[Frame, None, None]:
    """Enlarge a video and hand out its frames, in order, in the pixel layout of the source.

    The keywords are the fields of `upreel.inference.pipeline.Options`.

    Raises:
        UpreelError: see `upreel.inference.pipeline.stream`.
    """
    options = Options(
        scale=scale,
        size=size,
        height=height,
        model=model,
        start=start,
        end=end,
        device=device,
        precision=precision,
        flow=flow,
        flow_weights=flow_weights,
        tile=tile,
        deinterlace=deinterlace,
        keep_going=keep_going,
        trust=trust,
        fps=fps,
        slowmo=slowmo,
        interpolator=interpolator,
    )
    return pipeline.stream(source, options)
