"""The files that a job reads: what tells them from others, and whether they stay as they are."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from upreel.errors import MediaError
from upreel.video.images import find_images, is_image_source
from upreel.video.trust import TRUST, Trust, address_of

log = logging.getLogger(__name__)

_SAMPLES = 64
_SAMPLE_BYTES = 1 << 16


class Sources:
    """A video, or images in their order, as they were when this was made."""

    def __init__(self, source: str | Path, *, strict: bool = True, trust: Trust = TRUST) -> None:
        """Look at the files.

        Args:
            source: path of a video, of a folder, of an image, or a pattern of images.
            strict: whether it is an error when one changes.
            trust: whether it may be an address; such a thing has no file to look at.

        Raises:
            MediaError: one of them is not there.
        """
        if address_of(Path(source), trust):
            self._paths: tuple[Path, ...] = ()
        else:
            self._paths = find_images(source) if is_image_source(source) else (Path(source),)
        self._strict = strict
        self._stamps = [_stamp(path) for path in self._paths]

    @property
    def known(self) -> bool:
        """Whether there are files that can be told from others."""
        return bool(self._paths)

    @property
    def identity(self) -> str:
        """What tells them from others, or from what they were before: sizes, times and samples.

        Raises:
            MediaError: one of them is not there any more.
        """
        digest = hashlib.sha256()
        samples = _SAMPLES if len(self._paths) == 1 else 1
        for path, (_, _, size, time) in zip(self._paths, self._stamps, strict=True):
            digest.update(f"{path.name}, {size} bytes, {time} ns".encode())
            try:
                with path.open("rb") as file:
                    for place in range(0, size, max(_SAMPLE_BYTES, size // samples)):
                        file.seek(place)
                        digest.update(file.read(_SAMPLE_BYTES))
            except OSError as error:
                raise _changed(path) from error
        return f"{len(self._paths)} {digest.hexdigest()}"

    def check(self) -> None:
        """Find out whether they are still the same.

        Raises:
            MediaError: one was replaced, changed or removed.
        """
        for path, stamp in zip(self._paths, self._stamps, strict=True):
            if _stamp(path) != stamp:
                if self._strict:
                    raise _changed(path)
                log.warning("%s was changed while it was read", path)


def _stamp(path: Path) -> tuple[int, int, int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise _changed(path) from error
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _changed(path: Path) -> MediaError:
    return MediaError(
        f"{path} was changed, replaced or removed while it was read; "
        "leave it as it is and run the command again"
    )
