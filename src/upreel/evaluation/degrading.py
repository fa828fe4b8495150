"""A video or a folder of images, degraded as a file of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.stream import VideoStream

from upreel.core.files import PendingFile, PendingFolder, failed
from upreel.data.degradations import Chain, Codes, degrade_frames, to_codes
from upreel.errors import UsageError
from upreel.video.coding import rgb_by_tags
from upreel.video.probe import VideoInfo
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
        instants: deque[Fraction] = deque()
        high = _read(reader, scale, instants)
        low = degrade_frames(high, chain, scale=scale, key=str(seed))
        counted = _counted(low, reader.frames, progress)
        if kind == "folder":
            return _write_images(counted, target, overwrite=overwrite)
        return _write_video(counted, instants, reader.video, target, overwrite=overwrite)


def _read(reader: Reader, scale: int, instants: deque[Fraction]) -> Iterator[Codes]:
    """Frames as R'G'B' of 8 bits, cut to whole blocks, while the instant of each is put aside."""
    for frame in reader:
        instants.append(frame.pts * frame.time_base)
        codes = to_codes(rgb_by_tags(frame, reader.video) * 255)
        height, width = (side // scale * scale for side in codes.shape[-2:])
        if not (height and width):
            raise UsageError(f"expected frames of at least {scale}x{scale}, found {codes.shape}")
        yield codes[:, :height, :width]


def _counted(
    frames: Iterator[Codes], total: int | None, progress: Callable[[int, int | None], None]
) -> Iterator[Codes]:
    for done, frame in enumerate(frames, 1):
        yield frame
        progress(done, total)


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


def _write_video(
    frames: Iterator[Codes],
    instants: deque[Fraction],
    video: VideoInfo,
    target: Path,
    *,
    overwrite: bool,
) -> int:
    with PendingFile(target, overwrite=overwrite) as pending:
        try:
            count = _encode(frames, instants, video, pending.path)
        except av.FFmpegError as error:
            raise failed(target, error) from error
        pending.commit()
    return count


def _encode(
    frames: Iterator[Codes], instants: deque[Fraction], video: VideoInfo, path: Path
) -> int:
    """Lossless, each frame at its instant."""
    count = 0
    with av.open(str(path), "w", format="matroska") as output:
        stream = output.add_stream("ffv1", rate=video.frame_rate or 25)
        assert isinstance(stream, VideoStream)  # the name of a video encoder gives nothing else
        stream.pix_fmt = "bgr0"
        stream.codec_context.time_base = video.time_base
        for count, frame in enumerate(frames, 1):
            if count == 1:
                stream.height, stream.width = frame.shape[-2:]
            rgb = np.ascontiguousarray(frame.transpose(1, 2, 0))
            picture = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="bgr0")
            picture.time_base = video.time_base
            picture.pts = int(instants.popleft() / video.time_base)
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    return count
