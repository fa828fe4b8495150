"""What of a source's pictures an output leaves out, said in one line each, once."""

from __future__ import annotations

import logging

from upreel.video.frame import Frame
from upreel.video.reader import Reader

log = logging.getLogger(__name__)


class LeftOut:
    """Looks at what comes and says what is lost of it."""

    def __init__(self, source: Reader, *, alpha: str | None, captions: str | None) -> None:
        """Say what is known beforehand.

        Args:
            source: what the frames are made from, opened.
            alpha: why transparency cannot be written; `None` where it can.
            captions: why closed captions cannot be written; `None` where they can.
        """
        self._source = source
        self._alpha = alpha
        self._captions = captions
        for name in source.video.dynamic_hdr:
            log.warning("%s metadata is left out: nothing here can write it.", name)

    def look(self, frame: Frame) -> None:
        """Say what is lost of a frame, unless it was said before."""
        if self._alpha is not None and self._source.transparent:
            log.warning("Transparency is left out, and what it hid is seen: %s.", self._alpha)
            self._alpha = None
        if self._captions is not None and frame.captions:
            log.warning("Closed captions are left out: %s.", self._captions)
            self._captions = None
