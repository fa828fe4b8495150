"""Upreel super-resolves video in space and time.

import upreel

upreel.upscale("in.mp4", "out.mp4", scale=4)
for frame in upreel.stream("in.mp4", scale=2):
    ...
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from upreel.core.instants import Times

if TYPE_CHECKING:
    from upreel.inference.api import stream, upscale

__version__ = version("upreel")
__all__ = ["Times", "__version__", "stream", "upscale"]


def __getattr__(name: str) -> object:
    """Import what needs torch when it is asked for, so that `upreel --help` answers at once."""
    if name in {"stream", "upscale"}:
        from upreel.inference import api

        return getattr(api, name)
    raise AttributeError(f"module 'upreel' has no attribute {name!r}")
