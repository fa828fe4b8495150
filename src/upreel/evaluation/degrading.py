"""A video or a folder of images, degraded as a file of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.stream import VideoStream

from upreel.core.files import PendingFile, PendingFolder, failed
from upreel.data.clips import Clip
from upreel.data.degradations import Chain, Codes, degrade_frames
from upreel.errors import UsageError
from upreel.evaluation.pairs import read_rgb
from upreel.video.reader import Reader
from upreel.video.target import check_place, image_names, image_target, names_like


def degrade_file(
    source: Path,
    target: Path,
    chain: Chain,
    *,
    scale: int,
    seed: int = 0,
    overwrite: bool = False,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> int:
    """Degrade the frames of a video or folder as RGB; sound is left out.

    Frames stream through, except for a codec's, which holds the small ones. A side that is no
    multiple of the scale is cut.

    Args:
        source: a video or a folder of images.
        target: a folder, for `000001.png` and so on, or a `.mkv`, which becomes lossless FFV1.
        chain: what happens to the frames.
        scale: how many times smaller they get.
        seed: what the draws depend on.
        overwrite: whether what is there may be replaced.
        progress: is told how many frames are done, and of how many, if the source says that.

    Returns:
        The number of frames.

    Raises:
        MediaError: the source cannot be read.
        UsageError: the target is of another kind, exists, or is the source.
        OutputError: the disk is full.
    """
    kind = image_target(target)
    if kind != "folder" and target.suffix.lower() != ".mkv":
        raise UsageError(f"expected a folder or a .mkv file for the result, found {target}")
    check_place(target, kind, source, overwrite=overwrite)
    with Reader(source) as reader:
        rate, total = reader.video.frame_rate, reader.frames
    high = _whole_blocks(read_rgb(Clip(source.name, source)), scale)
    low = _counted(degrade_frames(high, chain, scale=scale, key=str(seed)), total, progress)
    if kind == "folder":
        return _write_images(low, target, overwrite=overwrite)
    return _write_video(low, target, rate or Fraction(25), overwrite=overwrite)


def _counted(
    frames: Iterator[Codes], total: int | None, progress: Callable[[int, int | None], None]
) -> Iterator[Codes]:
    for done, frame in enumerate(frames, 1):
        yield frame
        progress(done, total)


def _whole_blocks(frames: Iterator[Codes], scale: int) -> Iterator[Codes]:
    for frame in frames:
        height, width = (side // scale * scale for side in frame.shape[-2:])
        if not (height and width):
            raise UsageError(f"expected frames of at least {scale}x{scale}, found {frame.shape}")
        yield frame[:, :height, :width]


def _write_images(frames: Iterator[Codes], target: Path, *, overwrite: bool) -> int:
    count = 0
    folder, names = image_names(target, "folder")
    with PendingFolder(folder, overwrite=overwrite, replaces=names_like(names)) as pending:
        for count, frame in enumerate(frames, 1):
            _, coded = cv2.imencode(".png", frame[::-1].transpose(1, 2, 0))
            try:
                (pending.path / (names % count)).write_bytes(coded.tobytes())
            except OSError as error:
                raise failed(target, error) from error
        pending.commit()
    return count


def _write_video(frames: Iterator[Codes], target: Path, rate: Fraction, *, overwrite: bool) -> int:
    with PendingFile(target, overwrite=overwrite) as pending:
        try:
            count = _encode(frames, pending.path, rate)
        except av.FFmpegError as error:
            raise failed(target, error) from error
        pending.commit()
    return count


def _encode(frames: Iterator[Codes], path: Path, rate: Fraction) -> int:
    count = 0
    with av.open(str(path), "w", format="matroska") as output:
        stream = output.add_stream("ffv1", rate=rate)
        assert isinstance(stream, VideoStream)  # the name of a video encoder gives nothing else
        stream.pix_fmt = "bgr0"
        for count, frame in enumerate(frames, 1):
            if count == 1:
                stream.height, stream.width = frame.shape[-2:]
            rgb = np.ascontiguousarray(frame.transpose(1, 2, 0))
            picture = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="bgr0")
            picture.pts = count - 1
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    return count
