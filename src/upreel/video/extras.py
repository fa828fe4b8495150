"""What a picture may come with that a new encoding loses: no encoder here takes it."""

from __future__ import annotations

import av
from av.sidedata.sidedata import Type

from upreel.video.tags import side_data_of

_OF_FRAMES = {
    Type.A53_CC: "closed captions",
    Type.DYNAMIC_HDR_PLUS: "HDR10+ metadata",
    Type.DOVI_METADATA: "Dolby Vision metadata",
    Type.DYNAMIC_HDR_VIVID: "HDR Vivid metadata",
}


def extras_of(stream: av.VideoStream, frame: av.VideoFrame) -> tuple[str, ...]:
    """What the video has beside its pictures, in words, by its header and its first frame."""
    extras = [name for kind, name in _OF_FRAMES.items() if side_data_of(frame, kind) is not None]
    if stream.metadata.get("alpha_mode", stream.metadata.get("ALPHA_MODE")) == "1":
        extras.append("a layer of transparency")  # of VP8 and VP9: FFmpeg's decoders skip it
    return tuple(extras)
