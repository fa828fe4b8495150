"""What a lossy video codec does to a clip: encode and decode it in memory."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from upreel.errors import UsageError

Codec = Literal["h264", "h265"]

ENCODERS: dict[Codec, str] = {"h264": "libx264", "h265": "libx265"}
PARAMETERS: dict[Codec, dict[str, str]] = {
    # Macroblock-tree rate control gives other bits from one call to the next where x264 uses
    # AVX-512; other decisions depend on what the processor can do, unless they are told not to.
    "h264": {"x264-params": "mbtree=0:cpu-independent=1"},
    # x265's coding-unit tree writes beyond its memory where frames are small, such as 48x48.
    "h265": {"x265-params": "pools=none:frame-threads=1:cutree=0:log-level=none"},
}
"""What makes the encoders give the same bits each time, as does one thread, and not crash."""


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
    """Encode a clip as 4:2:0 video and decode it again.

    Args:
        clip: `(T, C, H, W)`, 8 bits: luma, which gets grey chroma, or RGB, which is converted by
            BT.601; odd sizes are extended by their last row and column.
        settings: `CodecSettings()` if not given. The same clip and settings give the same bits
            each time. x264 works without macroblock-tree rate control (`mbtree`), x265 without its
            like (`cutree`), else they would not.

    Returns:
        `(T, C, H, W)`, 8 bits, in display order.

    Raises:
        UsageError: the encoder refuses the settings.
    """
    settings = settings or CodecSettings()
    frames, channels, height, width = clip.shape
    even = np.pad(clip, ((0, 0), (0, 0), (0, height % 2), (0, width % 2)), "edge")
    buffer = io.BytesIO()
    try:
        _encode(even, buffer, settings)
    except av.FFmpegError as error:
        raise UsageError(
            f"expected settings that {settings.codec} takes, found {settings}: {error.strerror}"
        ) from error
    buffer.seek(0)
    with av.open(buffer, "r") as source:
        decoded = [_to_array(frame, channels) for frame in source.decode(video=0)]
    if len(decoded) != frames:
        raise RuntimeError(f"expected {frames} frames back from the codec, found {len(decoded)}")
    return np.stack(decoded)[..., :height, :width].copy()


def _encode(clip: NDArray[np.uint8], buffer: io.BytesIO, settings: CodecSettings) -> None:
    height, width = clip.shape[-2:]
    with av.open(buffer, "w", format="mp4") as target:
        stream = target.add_stream(ENCODERS[settings.codec], rate=settings.fps)
        assert isinstance(stream, VideoStream)  # the name of a video encoder gives nothing else
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        quality: dict[str, object] = {"crf": str(settings.crf), "preset": settings.preset}
        stream.options = quality | PARAMETERS[settings.codec]
        stream.codec_context.thread_count = 1
        for index, picture in enumerate(clip):
            frame = _to_frame(picture)
            frame.pts = index
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


def _to_frame(picture: NDArray[np.uint8]) -> av.VideoFrame:
    _, height, width = picture.shape
    if len(picture) == 3:
        rgb = np.ascontiguousarray(picture.transpose(1, 2, 0))
        return av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
    chroma = np.full((height // 2, width), 128, np.uint8)
    return av.VideoFrame.from_ndarray(np.vstack((picture[0], chroma)), format="yuv420p")


def _to_array(frame: av.VideoFrame, channels: int) -> NDArray[np.uint8]:
    if channels == 3:
        return frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False).transpose(2, 0, 1)
    plane = frame.planes[0]
    rows: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8)
    return rows.reshape(-1, plane.line_size)[None, : frame.height, : frame.width].copy()
