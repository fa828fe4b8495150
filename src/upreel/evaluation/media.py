"""Clips that measurements are made on."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
from av.video.reformatter import VideoReformatter

from upreel.errors import MediaError
from upreel.video.decoder import Decoder
from upreel.video.probe import probe
from upreel.video.trust import TRUST, Trust


def make_clip(
    source: Path, target: Path, size: tuple[int, int], *, frames: int, trust: Trust = TRUST
) -> None:
    """Scale the picture of a video and encode it as a good low-resolution file.

    Args:
        source: any video; repeated until there are enough frames.
        target: an H.264 file, 24 frames per second, without sound.
        size: (width, height).
        frames: how many.
        trust: what the source may cost, and where it may lead.

    Raises:
        MediaError: the source cannot be read, or has no frames.
    """
    scaler = VideoReformatter()
    with av.open(target, "w") as output:
        stream = output.add_stream("libx264", rate=24, options={"crf": "20", "preset": "medium"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for index, frame in enumerate(islice(_repeated(source, trust), frames)):
            picture = scaler.reformat(
                frame, width=size[0], height=size[1], format="yuv420p", interpolation="BICUBIC"
            )
            picture.pts, picture.time_base = index, Fraction(1, 24)
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))


def _repeated(source: Path, trust: Trust) -> Iterator[av.VideoFrame]:
    video = probe(source, trust).video
    found = True
    while video is not None and found:
        found = False
        for frame in Decoder(source, video.index, trust=trust):
            found = True
            yield frame
    raise MediaError(f"expected a video in {source}, found no frame in it")
