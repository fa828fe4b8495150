"""What a lossy video codec does to a clip: encode and decode luma in memory."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

Codec = Literal["h264", "h265"]

_ENCODERS: dict[Codec, str] = {"h264": "libx264", "h265": "libx265"}


@dataclass(frozen=True, slots=True)
class CodecSettings:
    """How to encode.

    Attributes:
        codec: the family.
        crf: constant rate factor: larger is smaller and worse.
        preset: the encoder's own name for speed against size.
        fps: frames per second that the encoder is told.
    """

    codec: Codec = "h264"
    crf: int = 24
    preset: str = "medium"
    fps: int = 25


def through_codec(
    clip: NDArray[np.uint8], settings: CodecSettings | None = None
) -> NDArray[np.uint8]:
    """Encode luma as 4:2:0 video with grey chroma and decode it again.

    Args:
        clip: `(T, H, W)`, 8 bits; odd sizes are extended by their last row and column.
        settings: `CodecSettings()` if not given. One thread, so that the result is the same
            everywhere.

    Returns:
        `(T, H, W)`, 8 bits, in display order.
    """
    settings = settings or CodecSettings()
    frames, height, width = clip.shape
    even = np.pad(clip, ((0, 0), (0, height % 2), (0, width % 2)), "edge")
    buffer = io.BytesIO()
    _encode(even, buffer, settings)
    buffer.seek(0)
    with av.open(buffer, "r") as source:
        planes = [_luma(frame) for frame in source.decode(video=0)]
    if len(planes) != frames:
        raise RuntimeError(f"expected {frames} frames back from the codec, found {len(planes)}")
    return np.stack(planes)[:, :height, :width].copy()


def _encode(clip: NDArray[np.uint8], buffer: io.BytesIO, settings: CodecSettings) -> None:
    _, height, width = clip.shape
    with av.open(buffer, "w", format="mp4") as target:
        stream = target.add_stream(_ENCODERS[settings.codec], rate=settings.fps)
        assert isinstance(stream, VideoStream)  # the name of a video encoder gives nothing else
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        options: dict[str, object] = {"crf": str(settings.crf), "preset": settings.preset}
        if settings.codec == "h265":
            options["x265-params"] = "pools=none:frame-threads=1:log-level=none"
        stream.options = options
        stream.codec_context.thread_count = 1
        chroma = np.full((height // 2, width), 128, np.uint8)
        for index, luma in enumerate(clip):
            frame = av.VideoFrame.from_ndarray(np.vstack((luma, chroma)), format="yuv420p")
            frame.pts = index
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


def _luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    plane = frame.planes[0]
    rows: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8)
    return rows.reshape(-1, plane.line_size)[: frame.height, : frame.width].copy()
