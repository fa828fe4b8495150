"""Still images as video: a folder, a pattern, or one image."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import av
import av.container
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import ColorRange, VideoReformatter

from upreel.errors import MediaError
from upreel.video.frame import PixelLayout, Plane
from upreel.video.pixels import canonical, frame_of, pixel_format_of, planes_of
from upreel.video.probe import VideoInfo, allowed_formats, check_file, describe_video, first_frame
from upreel.video.tags import side_data_of
from upreel.video.trust import TRUST, Trust, small_allocations

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
"""Endings of the names of images, in lower case. GIFs are videos here."""

_RANGES = {None: ColorRange.UNSPECIFIED, "tv": ColorRange.MPEG, "pc": ColorRange.JPEG}
_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)")
_PRINTF = re.compile(r"%0?(\d*)d")


def is_image_source(source: str | Path) -> bool:
    """Whether a path stands for images: a folder, an image, or a pattern of image names."""
    path = Path(source)
    suffix = path.suffix.lower()
    if path.exists():
        return path.is_dir() or suffix in SUFFIXES
    wildcard = bool(set(path.name) & set("*?[")) or _PRINTF.search(path.name) is not None
    return wildcard and (suffix in SUFFIXES or not suffix)


def find_images(source: str | Path) -> tuple[Path, ...]:
    """The images that a folder or a pattern stands for, in the order that people count in.

    Args:
        source: `folder`, `folder/*.png`, `folder/%05d.png`, or one image.

    Raises:
        MediaError: there is none.
    """
    path = Path(source)
    if path.is_file():
        return (path,)
    if path.is_dir():
        entries = [entry for entry in path.iterdir() if entry.suffix.lower() in SUFFIXES]
        wanted = "images in this folder"
    else:
        wanted = "images of this pattern"
        if match := _PRINTF.search(path.name):
            before, after = path.name[: match.start()], path.name[match.end() :]
            digits = rf"\d{{{int(match[1])},}}" if match[1] else r"\d+"
            name = re.compile(re.escape(before) + digits + re.escape(after))
            folder = path.parent.iterdir() if path.parent.is_dir() else iter(())
            entries = [entry for entry in folder if name.fullmatch(entry.name)]
        else:
            entries = [e for e in path.parent.glob(path.name) if e.suffix.lower() in SUFFIXES]
    images = sorted((entry for entry in entries if entry.is_file()), key=_natural)
    if not images:
        endings = ", ".join(sorted(suffix[1:] for suffix in SUFFIXES))
        raise MediaError(f"{path}: no {wanted}; expected files that end in {endings}")
    return tuple(images)


def _natural(path: Path) -> tuple[tuple[int, int, str], ...]:
    """`frame2` before `frame10`."""
    parts = re.findall(r"\d+|\D+", path.name)
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)


def missing_numbers(paths: Sequence[Path]) -> tuple[Path, int] | None:
    """The first image that is missing among numbered ones, and how many are.

    Args:
        paths: in the order of `find_images`.

    Returns:
        `None` where none is missing, or where the names differ in more than their last number.
    """
    parsed = [_NUMBERED.fullmatch(path.name) for path in paths]
    names = [(match[1], int(match[2]), match[3]) for match in parsed if match]
    if len(names) < len(paths) or len({(before, after) for before, _, after in names}) != 1:
        return None
    numbers = [number for _, number, _ in names]
    count = numbers[-1] - numbers[0] + 1 - len(numbers)
    if count <= 0:
        return None
    first = next(one for one, other in pairwise(numbers) if other > one + 1)
    before, _, after = names[0]
    digits = len(parsed[0][2]) if parsed[0] else 0
    return paths[0].with_name(f"{before}{first + 1:0{digits}d}{after}"), count


class ImageReader:
    """Reads images one after the other; all have the size and the pixel layout of the first."""

    def __init__(
        self, paths: tuple[Path, ...], frame_rate: Fraction, *, trust: Trust = TRUST
    ) -> None:
        """Look at the first image.

        Args:
            paths: of the images, in their order.
            frame_rate: images in a second.
            trust: what an image may cost.

        Raises:
            MediaError: the first image cannot be read.
        """
        self._paths = paths
        self._trust = trust
        self._reformatter = VideoReformatter()
        frame, info = _decode(paths[0], trust)
        planes, layout = _upright(frame, info.layout, self._reformatter)
        height, width = planes[0].shape
        self.video = VideoInfo(
            index=0,
            codec=info.codec,
            width=width,
            height=height,
            pixel_format=info.pixel_format,
            layout=layout,
            colors=info.colors,
            sample_aspect_ratio=None,
            rotation=0,
            mirrored=False,
            frame_rate=frame_rate,
            variable_frame_rate=False,
            time_base=1 / frame_rate,
            frames=len(paths),
            start=Fraction(0),
            duration=len(paths) / frame_rate,
            field_order="progressive",
            hdr=None,
        )

    def read(self, index: int) -> tuple[Plane, ...]:
        """The planes of one image.

        Raises:
            MediaError: it cannot be read, or is of another size than the first.
        """
        frame, info = _decode(self._paths[index], self._trust)
        planes, layout = _upright(frame, info.layout, self._reformatter)
        height, width = planes[0].shape
        if (width, height) != (self.video.width, self.video.height):
            raise MediaError(
                f"images of one video must be of one size: {self._paths[0]} is "
                f"{self.video.width}x{self.video.height}, {self._paths[index]} is {width}x{height}"
            )
        if layout == self.video.layout and info.colors.range == self.video.colors.range:
            return planes
        # Tools that shrink images write grey ones as such, and few colours as a palette.
        made = frame_of(planes, layout)
        made.color_range, made.colorspace = frame.color_range, frame.colorspace
        made = self._reformatter.reformat(
            made,
            format=pixel_format_of(self.video.layout),
            src_color_range=_RANGES[info.colors.range],
            dst_color_range=_RANGES[self.video.colors.range],
        )
        return planes_of(made)


def _decode(path: Path, trust: Trust) -> tuple[av.VideoFrame, VideoInfo]:
    check_file(path, trust)
    # A file object, since FFmpeg would read a `%` in the name of an image as a pattern.
    formats = f"{allowed_formats()},image2"  # which an odd name stands for
    options = {"protocol_whitelist": "none", "format_whitelist": formats}
    try:
        with path.open("rb") as file, _open(file, options, trust) as container:
            if not container.streams.video:
                raise MediaError(f"{path} is not an image")
            stream = container.streams.video[0]
            frame = first_frame(container, stream, path, trust)
            info = describe_video(stream, frame)
            if info.layout.family == "gray" and info.colors.range is None:
                info = replace(info, colors=replace(info.colors, range="pc"))  # as all stills are
            return frame, info
    except (OSError, av.FFmpegError) as error:
        raise MediaError(
            f"{path} is not an image that can be read; remove or replace it"
        ) from error


def _open(file: BinaryIO, options: dict[str, str], trust: Trust) -> av.container.InputContainer:
    with small_allocations(trust):
        return av.open(file, "r", container_options=options)


def _upright(
    frame: av.VideoFrame, layout: PixelLayout, reformatter: VideoReformatter
) -> tuple[tuple[Plane, ...], PixelLayout]:
    """Planes turned as EXIF wants the image to be seen."""
    matrix = side_data_of(frame, Type.DISPLAYMATRIX)
    target = canonical(frame.format.name)
    if frame.format.name.replace("yuvj", "yuv", 1) != target:
        frame = reformatter.reformat(frame, format=target)
    planes = planes_of(frame)
    if matrix is None:
        return planes, layout
    # x' = a x + c y, y' = b x + d y; stored as a b u, c d v, x y w.
    a, b, _, c, d, *_ = struct.unpack("=9i", matrix)
    if a == 0 and d == 0:
        planes = tuple(plane.T for plane in planes)
        a, d = c, b
        horizontal, vertical = layout.subsample
        layout = PixelLayout(layout.family, layout.bits, (vertical, horizontal), layout.alpha)
    flipped = tuple(
        axis for axis, sign in ((0, d), (1, a)) if sign < 0
    )  # fmt: skip
    return tuple(np.flip(plane, flipped) for plane in planes), layout
