"""A video or a folder of images, degraded as a file of its own."""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
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
from upreel.video.images import find_images, is_image_source
from upreel.video.probe import VideoInfo
from upreel.video.reader import Reader
from upreel.video.target import check_place, image_names, image_target, names_like
from upreel.video.trust import TRUST, Trust


def degrade_file(
    source: Path,
    target: Path,
    chain: Chain,
    *,
    scale: int,
    seed: int = 0,
    overwrite: bool = False,
    trust: Trust = TRUST,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> int:
    """Degrade the frames of a video or folder as RGB; sound is left out.

    Frames stream through, except for a codec's, which holds the small ones. A side that is no
    multiple of the scale is cut.

    Args:
        source: a video or a folder of images.
        target: a folder, for PNG with the names that the images of the source have, or
            `000001.png` and so on; or a `.mkv`, which becomes lossless FFV1.
        chain: what happens to the frames.
        scale: how many times smaller they get.
        seed: what the draws depend on.
        overwrite: whether what is there may be replaced.
        trust: what the source may cost, and where it may lead.
        progress: is told how many frames are done, and of how many, if the source says that.

    Returns:
        The number of frames.

    Raises:
        MediaError: the source cannot be read.
        UsageError: the target is of another kind, exists, or is the source; or two images differ
            only in what their names end in.
        OutputError: the disk is full.
    """
    kind = image_target(target)
    if kind != "folder" and target.suffix.lower() != ".mkv":
        raise UsageError(f"expected a folder or a .mkv file for the result, found {target}")
    check_place(target, kind, source, overwrite=overwrite or kind == "folder")
    with Reader(source, trust=trust) as reader:
        instants: deque[Fraction] = deque()
        high = _read(reader, scale, instants)
        low = degrade_frames(high, chain, scale=scale, key=str(seed))
        counted = _counted(low, reader.frames, progress)
        if kind == "folder":
            return _write_images(counted, target, source, overwrite=overwrite)
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


def _name_images(source: Path) -> tuple[Iterable[str], re.Pattern[str]]:
    """Names for the results, which pair with images of the source, and what is named alike.

    Names alike differ in their numbers: with `--overwrite`, what a longer run left goes.
    """
    if not is_image_source(source):
        _, pattern = image_names(source, "folder")
        return (pattern % number for number in itertools.count(1)), names_like(pattern)
    named: dict[str, str] = {}
    for path in find_images(source):
        name = f"{path.stem}.png"
        if name in named:
            raise UsageError(
                f"expected images of different names, found {named[name]} and {path.name} in "
                f"{path.parent}; both would become {name}"
            )
        named[name] = path.name
    alike = {re.sub(r"\d+", r"\\d+", re.escape(name)) for name in named}
    return named, re.compile("|".join(sorted(alike)))


def _check_free(folder: Path, like: re.Pattern[str]) -> None:
    files = folder.iterdir() if folder.is_dir() else iter(())
    if found := sorted(file.name for file in files if like.fullmatch(file.name)):
        raise UsageError(
            f"{folder} holds images such as {found[0]} already. Name another folder, or pass "
            "--overwrite."
        )


def _write_images(frames: Iterator[Codes], target: Path, source: Path, *, overwrite: bool) -> int:
    names, like = _name_images(source)
    if not overwrite:
        _check_free(target, like)
    count = 0
    with PendingFolder(target, overwrite=overwrite, replaces=like) as pending:
        for frame, name in zip(frames, names, strict=False):
            count += 1
            _, coded = cv2.imencode(".png", frame[::-1].transpose(1, 2, 0))
            try:
                (pending.path / name).write_bytes(coded.tobytes())
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
